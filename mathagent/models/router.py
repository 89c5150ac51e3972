"""Router: several models as one Backend: the stages of a cascade, from the cheapest, and models for single roles.

By itself it asks the first stage, or the model of the asking role. When the next stage is asked is the strategy's
matter (agents/cascade.py); the idea of a cascade from a cheap to a dear model is that of "FrugalGPT" (arXiv
2305.05176).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

from mathagent.errors import UsageError
from mathagent.models.base import Backend, Capabilities, ChatRequest, OnDelta, prepare
from mathagent.models.wrapper import Wrapper, capabilities_for
from mathagent.types import Completion

BELOW = 0.7
"""Confidence below which the next stage is asked, where the user does not say."""


class Router:
    """``stages`` in the order in which they are asked; ``roles`` are the models of single roles. A stage whose
    confidence is less than ``below``, or that has no answer, is followed by the next."""

    def __init__(
        self, stages: Sequence[Backend], roles: Mapping[str, Backend] | None = None, *, below: float = BELOW
    ) -> None:
        self.stages, self.roles, self.below = tuple(stages), dict(roles or {}), below
        names = [one.name for one in self.stages]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"the model {twice} stands twice in the cascade; leave it out once")
        self.max_parallel = self.stages[0].max_parallel
        self.default_seed = self.stages[0].default_seed

    @property
    def name(self) -> str:
        """As a person may write it: ``small,large,below=0.9,verifier=other``."""
        return ",".join(self._parts(lambda one: one.name))

    @property
    def identity(self) -> str:
        return ",".join(self._parts(lambda one: one.identity))

    def _parts(self, told: Callable[[Backend], str]) -> list[str]:
        below = [f"below={self.below:g}"] if len(self.stages) > 1 and self.below != BELOW else []
        roles = [f"{role}={told(self.roles[role])}" for role in sorted(self.roles)]
        return [*map(told, self.stages), *below, *roles]

    @property
    def capabilities(self) -> Capabilities:
        """Those of the first stage; a role with a model of its own has others, see ``capabilities_for``."""
        return self.stages[0].capabilities

    @property
    def models(self) -> tuple[Backend, ...]:
        """All of them, each once."""
        every = {id(one): one for one in (*self.stages, *self.roles.values())}
        return tuple(every.values())

    def over(self, wrapped: Callable[[Backend], Backend]) -> Router:
        """The same with each model ``wrapped``."""
        roles = {role: wrapped(one) for role, one in self.roles.items()}
        return Router([wrapped(one) for one in self.stages], roles, below=self.below)

    async def prepare(self) -> None:
        """Lets each model find out what it can do."""
        await asyncio.gather(*(prepare(one) for one in self.models))

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        return await self.roles.get(request.role, self.stages[0]).complete(request, on_delta)

    async def aclose(self) -> None:
        """Closes all models; safe to call twice."""
        async with AsyncExitStack() as closing:  # all of them, whatever one of them raises
            for one in self.models:
                closing.push_async_callback(one.aclose)


class ByRole(Wrapper):
    """Asks the model of the asking role, where it has one in ``roles``, else ``inner``."""

    def __init__(self, inner: Backend, roles: Mapping[str, Backend]) -> None:
        super().__init__(inner)
        self.roles = dict(roles)

    def capabilities_for(self, role: str) -> Capabilities:
        """Those of the model that ``role`` asks."""
        return capabilities_for(self.roles.get(role, self.inner), role)

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        return await self.roles.get(request.role, self.inner).complete(request, on_delta)
