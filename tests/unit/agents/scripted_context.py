"""A RunContext around a scripted model, wrapped as Solver wraps it, with its events in a list."""

from __future__ import annotations

import asyncio
from typing import cast

from pydantic import JsonValue

from mathagent.agents.context import RunContext
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Budget, Meter
from mathagent.events import Event
from mathagent.models.scripted import ScriptedBackend
from mathagent.models.wrappers import wrap
from mathagent.sandbox.base import Sandbox


async def no_worker(function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
    raise AssertionError(f"{function} of {args} needs a worker process, which these tests have not")


def scripted_context(backend: ScriptedBackend, *, budget: Budget | None = None) -> tuple[RunContext, list[Event]]:
    """No sandbox and no worker processes: for what only asks the model."""
    events: list[Event] = []
    meter = Meter(budget)
    semaphore = asyncio.Semaphore(backend.max_parallel)
    context = RunContext(
        backend=wrap(backend, meter=meter, cache=None, semaphore=semaphore, emit=events.append),
        sandbox=cast("Sandbox", None),
        comparer=AnswerComparer(no_worker),
        meter=meter,
        emit=events.append,
    )
    return context, events
