"""Block side by side: several candidates at once, each told to the world when it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mathagent.agents.context import RunContext
from mathagent.events import CandidateProposed
from mathagent.types import Candidate


async def side_by_side(
    context: RunContext,
    n: int,
    propose: Callable[[int], Awaitable[tuple[Candidate, str | None]]],
    *,
    first_sample: int = 0,
) -> tuple[list[Candidate], str | None]:
    """The candidates that ``propose(sample)`` makes, in order, and the limit of the budget that ended one of them."""

    async def one(sample: int) -> tuple[Candidate, str | None]:
        candidate, limit = await propose(sample)
        context.emit(CandidateProposed(sample=sample, candidate=candidate))
        return candidate, limit

    results = await asyncio.gather(*(one(first_sample + index) for index in range(n)))
    return [candidate for candidate, _ in results], next((limit for _, limit in results if limit), None)
