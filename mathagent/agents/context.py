"""RunContext: everything a graph may use while it solves one problem. Only the parts of a solver build one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mathagent.agents.human import Interrupts
from mathagent.answers.compare import AnswerComparer
from mathagent.budget import Meter
from mathagent.events import Event
from mathagent.memory.base import ExperienceStore, Hit, Query
from mathagent.models.base import Backend, Capabilities
from mathagent.models.wrapper import capabilities_for
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.tools.base import Tool


@dataclass(frozen=True)
class Memory:
    """What one solve may read of an experience store; ``guard`` is the problem that a measurement must not leak
    (its text and choices; None: nothing is measured)."""

    store: ExperienceStore
    guard: str | None = None

    async def search(self, query: Query) -> list[Hit]:
        """The best hits for ``query``, never one that the guard forbids. Raises StorageError."""
        return await self.store.search(query.model_copy(update={"guard": self.guard}))


@dataclass(frozen=True)
class RunContext:
    """``backend`` is the wrapped stack of this solve; ``emit`` publishes an event; ``stream_tokens`` asks for
    TokenDelta events; ``seed`` is sent with every request (None: not sent). ``interrupts`` asks the person beside the
    solve, where there may be one; hints and approvals need no asking: backend and sandbox see to them. ``memory`` None:
    nothing is remembered. ``tools`` are what a method may look things up with, by name; one that is not set up is
    absent. ``open_model`` gives the backend of another model by its name and base URL, within this solve's budget (it
    raises UsageError for an unknown one); None: there is no other. ``durable``: the solve keeps checkpoints."""

    backend: Backend
    sandbox: Sandbox
    comparer: AnswerComparer
    meter: Meter
    emit: Callable[[Event], None]
    limits: Limits = field(default_factory=Limits)
    seed: int | None = None
    stream_tokens: bool = False
    interrupts: Interrupts | None = None
    memory: Memory | None = None
    tools: Mapping[str, Tool] = field(default_factory=dict)
    open_model: Callable[[str, str | None], Backend] | None = None
    durable: bool = False

    def can(self, role: str) -> Capabilities:
        """What the model can do that ``role`` asks: the solve's own, or that of the role."""
        return capabilities_for(self.backend, role)
