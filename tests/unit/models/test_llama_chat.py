from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from mathagent.errors import BackendError, UsageError
from mathagent.models.base import ChatRequest, PromptTooLong
from mathagent.models.llama_chat import chat_body, stream_chat
from mathagent.types import Completion, Message, SamplingParams

USER = Message(role="user", content="hello")
HALF = Message(role="assistant", content="The answer")


def ask(n: int = 1, **changes: Any) -> ChatRequest:
    return ChatRequest(messages=(USER,), params=SamplingParams(n=n, max_tokens=5, seed=3), **changes)


def piece(index: int, text: str | None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {"choices": [{"index": index, "delta": delta, "finish_reason": reason, **more}]}


def count(prompt: int, completion: int) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}


async def replay(
    chunks: list[dict[str, Any]], request: ChatRequest, *, status: int = 200, done: bool = True, **options: Any
) -> tuple[list[Completion], int]:
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"] * done
    text = "".join(lines) if status == 200 else json.dumps(chunks[0])
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=text))
    finished = 0
    told: dict[int, Completion] = {}

    def one_more(index: int, completion: Completion) -> None:
        nonlocal finished
        finished += 1
        told[index] = completion

    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        found = await stream_chat(
            client, request, backend="embedded:x", model="x", on_delta=None, on_finished=one_more, **options
        )
    assert [told[index] for index in range(len(found))] == found  # each by itself is what it is among the others
    return found, finished


def test_every_sampler_that_the_server_switches_on_by_default_is_switched_off() -> None:
    body = chat_body(ask(), "x")
    assert body["top_k"] == 0
    assert body["min_p"] == 0.0
    assert body["repeat_penalty"] == 1.0
    assert body["temperature"] == 0.0
    assert body["top_p"] == 1.0
    assert body["seed"] == 3
    assert body["cache_prompt"] is True


def test_the_chosen_tokens_log_probability_needs_one_alternative() -> None:
    assert chat_body(ask(logprobs=0), "x")["top_logprobs"] == 1
    assert chat_body(ask(logprobs=7), "x")["top_logprobs"] == 7
    assert "top_logprobs" not in chat_body(ask(), "x")


@pytest.mark.parametrize(
    ("messages", "continues"), [((USER, HALF), False), ((USER,), True)], ids=["unasked", "nothing-to-continue"]
)
def test_an_assistant_turn_is_continued_only_on_request(messages: tuple[Message, ...], continues: bool) -> None:
    with pytest.raises(UsageError, match="continue_assistant"):
        chat_body(ChatRequest(messages=messages, continue_assistant=continues), "x")


async def test_each_sample_has_its_own_count() -> None:
    chunks = [
        piece(0, "a"),
        piece(1, "b"),
        piece(1, None, "stop"),
        count(7, 2),
        piece(0, "c"),
        piece(0, None, "length"),
        count(7, 3),
    ]
    found, finished = await replay(chunks, ask(2))
    assert [completion.text for completion in found] == ["ac", "b"]
    assert [completion.finish_reason for completion in found] == ["length", "stop"]
    assert [completion.usage.completion_tokens for completion in found] == [3, 2]
    assert [completion.usage.prompt_tokens for completion in found] == [7, 0]
    assert finished == 2


async def test_the_prompt_is_not_counted_twice() -> None:
    found, _ = await replay([piece(0, "a", "stop"), count(7, 1)], ask(), count_prompt=False)
    assert found[0].usage.prompt_tokens == 0


async def test_alternatives_that_nobody_asked_for_are_dropped() -> None:
    entry = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "a", "logprob": -0.5}]}
    chunks = [piece(0, "a", logprobs={"content": [entry]}), piece(0, None, "stop"), count(7, 1)]
    found, _ = await replay(chunks, ask(logprobs=0))
    assert [(token.token, token.logprob, token.top) for token in found[0].logprobs] == [("a", -0.5, ())]


@pytest.mark.parametrize(
    "chunks", [[piece(0, "a")], [piece(0, "a", "stop")], [piece(0, "a"), piece(0, None, "stop"), count(1, 1)]]
)
async def test_a_reply_that_breaks_off_is_no_reply(chunks: list[dict[str, Any]]) -> None:
    with pytest.raises(BackendError, match="broke off") as caught:
        await replay(chunks, ask(2), done=False)
    assert caught.value.retryable


async def test_a_prompt_that_is_too_long_is_measured_in_the_message() -> None:
    body = {"error": {"type": "exceed_context_size_error", "n_prompt_tokens": 5030, "n_ctx": 4096, "message": "m"}}
    with pytest.raises(PromptTooLong, match="5030 tokens long and the limit is 4096") as caught:
        await replay([body], ask(), status=400)
    assert not caught.value.retryable


async def test_what_the_server_refuses_is_said_in_one_line() -> None:
    with pytest.raises(BackendError, match="failed to parse grammar") as caught:
        await replay([{"error": {"message": "failed to\n parse grammar"}}], ask(grammar="?"), status=400)
    assert "\n" not in str(caught.value)
    assert not caught.value.retryable


async def test_a_failure_inside_a_stream_is_an_error() -> None:
    with pytest.raises(BackendError, match="out of memory"):
        await replay([piece(0, "a"), {"error": {"message": "out of memory"}}], ask())
