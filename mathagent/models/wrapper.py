"""Wrapper: the base of what a backend is wrapped in, and what the wrappers of one request share."""

from __future__ import annotations

from contextvars import ContextVar

from mathagent.budget import Reservation
from mathagent.models.base import Backend, Capabilities, ChatRequest, OnDelta
from mathagent.types import Completion

current_reservation: ContextVar[Reservation | None] = ContextVar("reservation", default=None)
"""What Budgeted set aside for the request that the current task serves: usage comes out of it."""


def capabilities_for(backend: Backend, role: str) -> Capabilities:
    """What the model can do that ``role`` asks by ``backend``."""
    return backend.capabilities_for(role) if isinstance(backend, Wrapper) else backend.capabilities


class Wrapper:
    """Base of the wrappers: everything passes through to ``inner``."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.name = inner.name
        self.default_seed = inner.default_seed
        self.max_parallel = inner.max_parallel

    @property
    def identity(self) -> str:
        return self.inner.identity

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def capabilities_for(self, role: str) -> Capabilities:
        """Those of the model that ``role`` asks; some wrappers know several."""
        return capabilities_for(self.inner, role)

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        return await self.inner.complete(request, on_delta)

    async def aclose(self) -> None:
        """Wrappers own nothing: who opened the raw backend closes it."""
