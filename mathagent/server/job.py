"""Job: one solve that the server works on: what was asked, who listens, how it may be ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field

from mathagent.agents.follow_up import Earlier
from mathagent.agents.human import Human
from mathagent.budget import Budget
from mathagent.events import Event, SolveFinished, SolveStarted
from mathagent.server.options import ServerKey
from mathagent.types import Problem, Response, Solution, Usage, Value


class SolveOrder(Value):
    """What a client asks for. ``problem`` None: ``resume`` names the solve to go on with, ``answer`` is for the person
    whom it waits for. ``earlier`` are the questions of the conversation before this one."""

    problem: Problem | None
    strategy: str
    model: str
    budget: Budget = Budget()
    settings: Mapping[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    min_confidence: float | None = None
    earlier: tuple[Earlier, ...] = ()
    hints: tuple[str, ...] = ()
    approve_code: bool = False
    review_plans: bool = False
    resume: str | None = None
    answer: Response | None = None


class Job:
    """A solve from its order to its end. ``listen`` before it is started.

    ``aside`` is what was used beside the solve itself, to understand a follow-up question; ``rewritten`` what came of
    that. ``cut`` is set where the key's allowance ended it, ``counted`` is what has been taken from that for ``day``.
    """

    def __init__(self, order: SolveOrder, key: ServerKey) -> None:
        self.order, self.key = order, key
        self.human = Human(approve_code=order.approve_code, review_plans=order.review_plans, hints=order.hints)
        self.interrupt = asyncio.Event()
        self.solve_id = order.resume or ""
        self.aside = Usage()
        self.rewritten: str | None = None
        self.cut = False
        self.counted = 0
        self.day = ""
        self.task: asyncio.Task[Solution] | None = None
        self._begun = asyncio.Event()
        self._solved = False
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Has ``listener`` hear every event."""
        self._listeners.append(listener)

    def on_event(self, event: Event) -> None:
        """Tells ``event`` to all who listen."""
        if isinstance(event, SolveStarted):
            self.solve_id = event.solve_id
            self._begun.set()
        self._solved |= isinstance(event, SolveFinished)
        for listener in self._listeners:
            listener(event)

    def run(self, task: asyncio.Task[Solution]) -> None:
        """Has ``task`` be this job's work."""
        self.task = task
        task.add_done_callback(lambda _: self._begun.set())

    async def begun(self) -> None:
        """Returns once the solve has begun. Raises what kept it from that."""
        await self._begun.wait()
        if self.task is not None and self.task.done():
            self.task.result()

    async def solution(self) -> Solution:
        """What the solve comes to; the solve goes on where the caller is cancelled. Raises what ended it."""
        assert self.task is not None
        return await asyncio.shield(self.task)

    @property
    def was_ended(self) -> bool:
        """Whether somebody has cancelled it."""
        return self.task is not None and self.task.cancelled()

    def cancel(self) -> None:
        """Ends the solve; what it has paid for is kept for a resume. One that has its solution writes that down."""
        if self.task is not None and not self._solved:
            self.task.cancel()
