"""EventLog: the events of one solve as they came, each with its time; what a trace is made of."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from mathagent.events import CandidateProposed, Event, ModelReplied, SolveFinished, SolveStarted, TokenDelta
from mathagent.types import Problem, Solution, Stopped, Usage, Value


class TimedEvent(Value):
    """``event`` came ``at_s`` seconds after the log was opened."""

    at_s: float
    event: Event


class EventLog:
    """Keeps every event but the pieces of replies, whose whole text comes in ModelReplied.

    ``on_event`` is made for ``Solver.solve(on_event=…)``. One log is for one solve.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.events: list[TimedEvent] = []

    def on_event(self, event: Event) -> None:
        """Keeps ``event``."""
        if not isinstance(event, TokenDelta):
            self.events.append(TimedEvent(at_s=round(time.monotonic() - self._start, 3), event=event))

    def solution_so_far(
        self, problem: Problem, config: Mapping[str, Any], *, stopped: Stopped, detail: str
    ) -> Solution:
        """The Solution of SolveFinished. Of a solve that raised or was given up: what its events tell, no answer.

        ``stopped`` and ``detail`` say why it ended then.
        """
        events = [timed.event for timed in self.events]
        for event in events:
            if isinstance(event, SolveFinished):
                return event.solution
        started = next((event for event in events if isinstance(event, SolveStarted)), None)
        replies = [event.usage for event in events if isinstance(event, ModelReplied)]
        return Solution(
            problem=problem.without_reference(),
            answer=None,
            confidence=None,
            confidence_basis="",
            candidates=tuple(event.candidate for event in events if isinstance(event, CandidateProposed)),
            usage=sum(replies, Usage()),
            stopped=stopped,
            detail=detail,
            strategy="" if started is None else started.strategy,
            config=dict(config),
            model="" if started is None else started.model,
            seconds=round(time.monotonic() - self._start, 3),
        )
