"""What the interactive session needs of a Solver, and how it opens one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Budget
from mathagent.console.repl_session import ReplOptions
from mathagent.events import Event
from mathagent.models.base import PullProgress
from mathagent.sandbox.base import Sandbox
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.types import Solution

if TYPE_CHECKING:
    from mathagent.agents.follow_up import Earlier, Understood
    from mathagent.agents.human import Human
    from mathagent.agents.solver_memory import SolverMemory


class AsidesLike(Protocol):
    """What the session asks the model beside its solves."""

    async def understand(
        self,
        text: str,
        earlier: Sequence[Earlier],
        names: Mapping[str, str] | None,
        *,
        budget: Budget | None,
        on_event: Callable[[Event], None] | None,
        interrupt: asyncio.Event | None,
    ) -> Understood:
        """See Asides.understand."""
        ...


class SolverLike(Protocol):
    """What the session needs of a Solver."""

    sandbox: Sandbox
    comparer: AnswerComparer
    calls: ConfinedCalls
    memory: SolverMemory

    @property
    def beside(self) -> AsidesLike:
        """See Asides."""
        ...

    async def solve(
        self,
        problem: str,
        strategy: str,
        *,
        budget: Budget | None,
        config: Mapping[str, Any] | None,
        seed: int | None,
        on_event: Callable[[Event], None] | None,
        interrupt: asyncio.Event | None,
        human: Human | None,
        min_confidence: float | None,
    ) -> Solution:
        """See Solver.solve."""
        ...

    async def aclose(self) -> None:
        """See Solver.aclose."""
        ...


OpenSolver = Callable[[ReplOptions, Callable[[PullProgress], None]], SolverLike]


def open_solver(options: ReplOptions, on_progress: Callable[[PullProgress], None]) -> SolverLike:
    """The Solver that ``options`` describe. Raises UsageError."""
    from mathagent.solver import Solver

    return Solver(
        options.model,
        base_url=options.base_url,
        sandbox=options.sandbox,
        cache=options.cache,
        memory=options.memory,
        memory_mode=options.memory_mode,
        on_progress=on_progress,
    )
