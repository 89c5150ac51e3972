"""One sandbox and one comparer for all tests of a module: starting them takes half a second each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from mathagent.answers.compare import AnswerComparer
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.scorers.check_programs import build_check
from mathagent.scorers.check_proposals import Proposal
from mathagent.scorers.checks import run_check
from mathagent.types import Check, Problem

Make = Callable[..., Awaitable[Check]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def comparer() -> AsyncIterator[AnswerComparer]:
    calls = ConfinedCalls()
    yield AnswerComparer(calls.call)
    await calls.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def make(sandbox: Sandbox, comparer: AnswerComparer) -> Make:
    """Builds the check that a proposal makes of an answer, and runs it."""

    async def make(
        proposal: Proposal, answer: str, problem: str | Problem = "?", limits: Limits | None = None
    ) -> Check:
        asked = problem if isinstance(problem, Problem) else Problem(text=problem)
        return await run_check(sandbox, comparer, build_check(proposal, asked, answer), limits, problem=asked)

    return make
