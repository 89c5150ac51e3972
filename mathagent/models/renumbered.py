"""Renumbered: the samples of one part of a solve follow those that earlier parts have drawn of the same request.

Without it, two strategies within one solve that ask the same would be given the same reply twice, by the cache or by
the seed, and a vote would count one sample as two. A request that no earlier part has made keeps its numbers, so that
it shares its samples with a solve by that strategy alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mathagent.models.base import Backend, ChatRequest, OnDelta
from mathagent.models.wrapper import Wrapper
from mathagent.types import Completion


class Renumbered(Wrapper):
    """``before`` counts what earlier parts have drawn, by ``request_key``; ``drawn`` what there is with this part."""

    def __init__(self, inner: Backend, before: Mapping[str, int]) -> None:
        super().__init__(inner)
        self._before = dict(before)
        self.drawn = dict(before)

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        key = request_key(request)
        first = request.first_sample + self._before.get(key, 0)
        self.drawn[key] = max(self.drawn.get(key, 0), first + request.params.n)
        return await self.inner.complete(request.model_copy(update={"first_sample": first}), on_delta)


def request_key(request: ChatRequest) -> str:
    """What two requests have in common whose samples of one number and seed are alike (hex, 16 characters).

    Not part of it: who asks, how many samples, and where they are cut off.
    """
    left_out: Any = {"role": True, "first_sample": True, "params": {"n", "max_tokens", "seed"}}
    body = json.dumps(request.model_dump(mode="json", exclude=left_out), sort_keys=True)
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:16]
