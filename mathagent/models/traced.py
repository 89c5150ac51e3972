"""Traced: a span and metrics around every request that really goes to a model (mathagent/telemetry.py)."""

from __future__ import annotations

from mathagent import telemetry
from mathagent.models.base import ChatRequest, OnDelta
from mathagent.models.wrapper import Wrapper
from mathagent.types import Completion, Usage


class Traced(Wrapper):
    """Innermost: an answer from the cache is no request, a retry is one more."""

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        with telemetry.model_call(self.name, request.role, request.params) as call:
            done = await self.inner.complete(request, on_delta)
            reasons = tuple(completion.finish_reason for completion in done)
            usage = sum((completion.usage for completion in done), Usage())
            call.add(usage, gen_ai__response__finish_reasons=reasons)
            return done
