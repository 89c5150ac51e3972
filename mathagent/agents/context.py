"""RunContext: everything a graph may use while it solves one problem. Only solver.py builds one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mathagent.agents.human import Interrupts
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Meter
from mathagent.events import Event
from mathagent.models.base import Backend
from mathagent.sandbox.base import Limits, Sandbox


@dataclass(frozen=True)
class RunContext:
    """``backend`` is the wrapped stack of this solve; ``emit`` publishes an event; ``stream_tokens`` asks for
    TokenDelta events; ``seed`` is sent with every request (None: not sent). ``interrupts`` asks the person beside the
    solve, where there may be one; hints and approvals need no asking: backend and sandbox see to them."""

    backend: Backend
    sandbox: Sandbox
    comparer: AnswerComparer
    meter: Meter
    emit: Callable[[Event], None]
    limits: Limits = field(default_factory=Limits)
    seed: int | None = None
    stream_tokens: bool = False
    interrupts: Interrupts | None = None
