"""Samples of one request are numbered on from part to part; another request keeps its numbers."""

from __future__ import annotations

from mathagent.models.base import ChatRequest
from mathagent.models.renumbered import Renumbered, request_key
from mathagent.models.scripted import ScriptedBackend
from mathagent.types import Message, SamplingParams


def request(text: str, *, n: int = 1, first: int = 0, role: str = "a", **params: float) -> ChatRequest:
    sampling = SamplingParams(n=n, **params)  # type: ignore[arg-type]
    messages = (Message(role="user", content=text),)
    return ChatRequest(messages=messages, params=sampling, role=role, first_sample=first)


async def test_the_same_request_goes_on_where_earlier_parts_ended() -> None:
    backend = ScriptedBackend(lambda request, sample: f"sample {sample}")
    first = Renumbered(backend, {})
    assert [one.text for one in await first.complete(request("x", n=2))] == ["sample 0", "sample 1"]
    await first.complete(request("x", n=1, first=4))
    second = Renumbered(backend, first.drawn)
    assert [one.text for one in await second.complete(request("x", n=2, role="b"))] == ["sample 5", "sample 6"]
    assert [one.text for one in await second.complete(request("x", n=1, first=2))] == ["sample 7"]
    assert [one.text for one in await second.complete(request("y"))] == ["sample 0"]
    assert second.drawn == {request_key(request("x")): 8, request_key(request("y")): 1}


def test_what_makes_two_requests_alike() -> None:
    key = request_key(request("x"))
    assert key == request_key(request("x", n=3, first=2, role="b", max_tokens=9, seed=1))
    assert key != request_key(request("x", temperature=0.7))
    assert key != request_key(request("x", top_p=0.9))
    assert key != request_key(request("y"))
