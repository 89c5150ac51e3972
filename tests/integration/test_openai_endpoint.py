"""The openai backend against a real HTTP server that behaves in every way servers do."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_endpoint import Behaviour, FakeEndpoint

from mathagent.budget import Budget, Meter
from mathagent.errors import BackendError, LimitReached, UsageError
from mathagent.events import Event, Retried
from mathagent.models import openai_compat, openai_endpoint
from mathagent.models.base import ChatRequest, ConnectOptions, PartialReply, PromptTooLong, ToolSpec
from mathagent.models.cache import CompletionCache
from mathagent.models.endpoints import endpoints_of
from mathagent.models.openai_compat import NEUTRAL_SAMPLERS, OpenAICompatible, connect
from mathagent.models.wrappers import Retrying, wrap
from mathagent.types import Completion, Message, SamplingParams, ToolCall


@pytest.fixture
async def server() -> AsyncIterator[FakeEndpoint]:
    running = await FakeEndpoint().start()
    yield running
    await running.stop()


@pytest.fixture
async def backend(server: FakeEndpoint) -> AsyncIterator[OpenAICompatible]:
    opened = connect("m", ConnectOptions(base_url=server.url))
    yield opened
    await opened.aclose()


def ask(
    n: int = 1, seed: int | None = 100, first: int = 0, text: str = "two words", **changes: Any
) -> ChatRequest:
    params = SamplingParams(n=n, seed=seed, temperature=0.7, top_p=0.9, max_tokens=50)
    request = ChatRequest(messages=(Message(role="user", content=text),), params=params, first_sample=first)
    return request.model_copy(update=changes)


def texts(done: list[Completion]) -> list[str]:
    return [completion.text for completion in done]


async def failure(
    backend: OpenAICompatible, request: ChatRequest | None = None, stream: bool = False
) -> BackendError:
    """The error of one request, which must be one line, short and without a traceback's text."""
    with pytest.raises(BackendError) as caught:
        await backend.complete(request or ask(), (lambda *_: None) if stream else None)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    assert "Traceback" not in message
    assert 'File "' not in message
    assert message.startswith("openai:m")
    assert ";" in message  # behind it stands what to do
    return caught.value


# What is sent


async def test_every_sampling_parameter_is_in_the_body(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    await backend.complete(ask(n=2, first=3))
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "two words"}],
            "temperature": 0.7,
            "top_p": 0.9,
            "n": 2,
            "max_tokens": 50,
            "seed": 103,
            **NEUTRAL_SAMPLERS,
        }
    ]


async def test_openai_itself_gets_no_field_of_others(
    server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_compat, "is_openai", lambda _: True)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    openai_compat.settings.cache_clear()
    backend = connect("m", ConnectOptions(base_url=server.url))
    await backend.complete(ask())
    await backend.aclose()
    (body,) = server.bodies
    assert not body.keys() & NEUTRAL_SAMPLERS.keys()
    assert body["max_completion_tokens"] == 50


async def test_the_key_is_sent(server: FakeEndpoint) -> None:
    server.will(key="sk-right")
    right = connect("m", ConnectOptions.model_validate({"base_url": server.url, "api_key": " sk-right\n"}))
    assert len(await right.complete(ask())) == 1
    await right.aclose()
    wrong = connect("m", ConnectOptions(base_url=server.url))
    error = await failure(wrong)
    assert "check OPENAI_API_KEY" in str(error)
    assert not error.retryable
    await wrong.aclose()


async def test_schema_tools_and_logprobs(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    tool = ToolSpec(name="add", description="adds", parameters={"type": "object"})
    server.will(message={"role": "assistant", "content": None, "tool_calls": [call]}, finish_reason="tool_calls")
    request = ask(tools=(tool,), json_schema={"type": "object"})
    whole = await backend.complete(request)
    streamed = await backend.complete(request, lambda *_: None)
    assert whole == streamed
    assert whole[0].tool_calls == (ToolCall(id="c1", name="add", arguments='{"a": 1}'),)
    assert (whole[0].text, whole[0].finish_reason) == ("", "tool_calls")
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}
    server.behaviour = Behaviour()
    whole = await backend.complete(ask(n=2, logprobs=2))
    assert [entry.token for entry in whole[1].logprobs] == ["reply", "100", "1"]
    assert whole[0].logprobs[0].top == (("other", -2.0), ("other", -2.0))
    assert whole == await backend.complete(ask(n=2, logprobs=2), lambda *_: None)


# Samples


async def test_n_is_honoured_in_one_request(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(shuffled=True)
    done = await backend.complete(ask(n=4))
    assert texts(done) == [f"reply 100 {index}" for index in range(4)]
    assert len(server.bodies) == 1
    assert sum(c.usage.completion_tokens for c in done) == 12
    assert sum(c.usage.prompt_tokens for c in done) == 2


@pytest.mark.parametrize("how", ["ignore", "refuse"])
@pytest.mark.parametrize("stream", [False, True])
async def test_missing_samples_come_one_by_one_and_that_is_remembered(
    server: FakeEndpoint, backend: OpenAICompatible, how: str, stream: bool
) -> None:
    server.will(n=how)
    heard = {0: "", 1: "", 2: "", 3: ""}

    def on_delta(index: int, text: str) -> None:
        heard[index] += text

    done = await backend.complete(ask(n=4, first=2), on_delta if stream else None)
    assert texts(done) == [f"reply {seed} 0" for seed in (102, 103, 104, 105)]
    assert [body["n"] for body in server.bodies] == ([4, 1, 1, 1] if how == "ignore" else [4, 1, 1, 1, 1])
    assert sum(c.usage.completion_tokens for c in done) == 12
    assert [c.usage.prompt_tokens for c in done] == [2] * 4  # each was a request of its own
    if stream:
        assert list(heard.values()) == texts(done)
    assert not backend.capabilities.n
    server.bodies.clear()
    await backend.complete(ask(n=3))
    assert [(body["n"], body["seed"]) for body in server.bodies] == [(1, 100), (1, 101), (1, 102)]


async def test_a_server_error_that_names_n_is_a_refusal(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(n="refuse", refuse_n_status=500)
    assert len(await backend.complete(ask(n=3))) == 3
    assert not backend.capabilities.n


async def test_a_passing_error_is_no_refusal_of_n(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.script = [Behaviour(status=500, raw=b"{}")]
    assert (await failure(backend, ask(n=8))).retryable
    assert len(server.bodies) == 1
    assert len(await backend.complete(ask(n=8))) == 8
    assert backend.capabilities.n


async def test_a_refusal_of_something_else_is_raised_after_one_look(
    server: FakeEndpoint, backend: OpenAICompatible
) -> None:
    server.will(status=400, raw=b'{"error": "context length exceeded"}')
    error = await failure(backend, ask(n=64))
    assert "context length exceeded" in str(error)
    assert isinstance(error, PromptTooLong)
    assert [body["n"] for body in server.bodies] == [64, 1]
    assert backend.capabilities.n


async def test_single_samples_do_not_flood_the_server(server: FakeEndpoint) -> None:
    server.will(n="refuse", delay_s=0.01)
    (endpoint,) = endpoints_of(f"{server.url}?parallel=4")
    backend = OpenAICompatible("m", endpoint, api_key="none", extra_body={})
    done = await asyncio.gather(*(backend.complete(ask(n=12, text=str(index))) for index in range(3)))
    assert [len(completions) for completions in done] == [12, 12, 12]
    assert server.most_open <= 4
    await backend.aclose()


async def test_samples_that_arrived_before_a_failure_are_not_lost(
    server: FakeEndpoint, backend: OpenAICompatible, tmp_path: Path
) -> None:
    server.script = [Behaviour(n="ignore"), Behaviour(), Behaviour(status=503, raw=b"{}")]
    cache, meter = CompletionCache(tmp_path / "c.db"), Meter(Budget(max_calls=4))
    stack = wrap(backend, meter=meter, cache=cache, semaphore=asyncio.Semaphore(4), emit=lambda _: None)
    done = await stack.complete(ask(n=4))
    assert sorted(texts(done)) == [f"reply {seed} 0" for seed in (100, 101, 102, 103)]
    assert len(server.bodies) == 5
    assert (meter.usage.calls, meter.usage.completion_tokens, meter.usage.cached_calls) == (4, 12, 0)
    cache.close()
    server.script = [Behaviour(), Behaviour(status=503, raw=b"{}")]
    with pytest.raises(PartialReply) as caught:
        await backend.complete(ask(n=2))
    assert len(caught.value.arrived) == 1


async def test_refused_fields_are_left_out_from_then_on(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(refuse=("top_k",))
    await asyncio.gather(*(backend.complete(ask()) for _ in range(4)))
    server.bodies.clear()
    await backend.complete(ask(), lambda *_: None)
    (body,) = server.bodies
    assert not body.keys() & NEUTRAL_SAMPLERS.keys()
    assert body["temperature"] == 0.7


async def test_the_limit_of_tokens_takes_the_name_that_the_server_asks_for(
    server: FakeEndpoint, backend: OpenAICompatible
) -> None:
    refusal = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
    refused = json.dumps({"error": {"message": refusal}}).encode()
    server.script = [Behaviour(status=400, raw=refused)] * 2
    for _ in range(2):  # at once: both are refused
        await asyncio.gather(backend.complete(ask()), backend.complete(ask()))
    assert len(server.bodies) == 6
    assert all(body["max_completion_tokens"] == 50 and "max_tokens" not in body for body in server.bodies[2:])
    too_long = "'max_tokens' or 'max_completion_tokens' is too large: the context length is 40"
    other = connect("m", ConnectOptions(base_url=server.url))
    server.will(status=400, raw=json.dumps({"error": {"message": too_long}}).encode())
    server.bodies.clear()
    assert isinstance(await failure(other), PromptTooLong)
    assert len(server.bodies) == 1
    await other.aclose()


async def test_a_model_that_samples_in_its_own_way_is_not_told_how(
    server: FakeEndpoint, backend: OpenAICompatible
) -> None:
    refusals = (
        "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) is supported.",
        "Unsupported parameter: 'top_p' is not supported with this model.",
    )
    server.script = [
        Behaviour(status=400, raw=json.dumps({"error": {"message": one}}).encode()) for one in refusals
    ]
    assert len(await backend.complete(ask(n=3))) == 3
    await backend.complete(ask())
    assert [sorted({"temperature", "top_p"} & body.keys()) for body in server.bodies] == [
        ["temperature", "top_p"],
        ["top_p"],
        [],
        [],
    ]
    assert server.bodies[-1]["top_k"] == -1


async def test_fields_that_were_not_the_reason_stay(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.script = [Behaviour(status=400, raw=b'{"error": "unknown model"}')] * 2
    await failure(backend)
    await backend.complete(ask())
    assert server.bodies[-1]["top_k"] == -1


async def test_a_refused_n_and_refused_fields_together(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(refuse=("min_p",), n="refuse", refuse_status=422)
    assert len(await backend.complete(ask(n=3))) == 3


# Streams


@pytest.mark.parametrize("n", [1, 3])
async def test_a_stream_gives_the_same_result(server: FakeEndpoint, backend: OpenAICompatible, n: int) -> None:
    heard: list[tuple[int, str]] = []
    streamed = await backend.complete(ask(n=n), lambda index, text: heard.append((index, text)))
    assert server.bodies[0]["stream_options"] == {"include_usage": True}
    assert streamed == await backend.complete(ask(n=n))
    for index, completion in enumerate(streamed):
        pieces = [text for at, text in heard if at == index]
        assert len(pieces) > 1
        assert "".join(pieces) == completion.text


async def test_a_long_stream_takes_time_in_proportion(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(text=lambda *_: "abc" * 20_000)
    async with asyncio.timeout(60):  # accumulating by copying took minutes
        (done,) = await backend.complete(ask(), lambda *_: None)
    assert len(done.text) == 60_000


async def test_no_usage_is_estimated(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(usage=False, text=lambda *_: "x" * 40)
    assert (await backend.complete(ask()))[0].usage.completion_tokens == 10
    assert (await backend.complete(ask(), lambda *_: None))[0].usage.completion_tokens == 10


async def test_content_null_and_no_finish_reason(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(message={"role": "assistant", "content": None, "reasoning_content": "hm"}, finish_reason=None)
    (done,) = await backend.complete(ask())
    assert (done.text, done.finish_reason) == ("", "stop")


@pytest.mark.parametrize("cut", ["stream", "reset"])
@pytest.mark.parametrize("n", [1, 2])
async def test_a_stream_cut_half_way(server: FakeEndpoint, backend: OpenAICompatible, cut: str, n: int) -> None:
    server.will(cut=cut)
    error = await failure(backend, ask(n=n), stream=True)
    assert error.retryable
    assert "the reply broke off" in str(error)


# Failures

Answer = dict[str, Any]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "retryable", "message"),
    [
        (
            {"status": 400, "raw": b'{"error": {"message": "bad\\nthing"}}'},
            False,
            "refused the request.*bad thing",
        ),
        ({"status": 401, "raw": b'{"error": "no"}'}, False, "check OPENAI_API_KEY"),
        (
            {"status": 404, "raw": b'{"error": {"message": "no model m"}}'},
            False,
            "no model m; check the model's name",
        ),
        (
            {"status": 404, "raw": b"<html><title>Not\nFound</title>", "content_type": "text/html"},
            False,
            "a web page",
        ),
        ({"status": 429, "raw": b"{}"}, True, "asks to slow down"),
        (
            {"status": 429, "raw": b'{"error": {"message": "quota", "code": "insufficient_quota"}}'},
            False,
            "insufficient_quota",
        ),
        ({"status": 500, "raw": b""}, True, "try again later"),
        ({"status": 500, "raw": b"Traceback\n" * 1000, "content_type": "text/plain"}, True, "HTTP 500"),
        ({"status": 503, "raw": b'{"error": "loading"}'}, True, "loading"),
        ({"cut": "drop"}, True, "broke off"),
    ],
)
async def test_failures_say_what_to_do(
    server: FakeEndpoint, backend: OpenAICompatible, answer: Answer, retryable: bool, message: str, stream: bool
) -> None:
    server.will(**answer)
    with pytest.raises(BackendError, match=message) as caught:
        await backend.complete(ask(), (lambda *_: None) if stream else None)
    error = caught.value
    assert error.retryable == retryable
    assert error.status == answer.get("status")
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < 600
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("answer", "retryable", "message"),
    [
        ({"raw": b'{"choices": ['}, True, "not valid JSON"),
        ({"raw": b""}, True, "not valid JSON"),
        ({"raw": b'{"choices": "\xff"}'}, True, "not valid JSON"),
        ({"raw": b"<html>hello</html>", "content_type": "text/html"}, False, "a web page"),
        ({"raw": b'{"hello": 1}'}, False, "no chat completion"),
        ({"raw": b"[1, 2]"}, False, "no chat completion"),
        ({"raw": b"null"}, False, "no chat completion"),
        ({"raw": b'{"error": "Unexpected endpoint"}'}, False, "(HTTP 200, meaning 404): Unexpected endpoint"),
        ({"raw": b'{"error": {"message": "slow down", "code": 429}}'}, True, "slow down"),
        ({"cut": "body"}, True, "broke off"),
    ],
)
async def test_replies_that_are_none(
    server: FakeEndpoint, backend: OpenAICompatible, answer: Answer, retryable: bool, message: str
) -> None:
    server.will(**answer)
    error = await failure(backend)
    assert error.retryable == retryable
    assert message in str(error)


@pytest.mark.parametrize(
    ("raw", "retryable", "message"),
    [
        (b'data: {"choices": [\n\n', True, "not valid JSON"),
        (b'data: {"error": {"message": "out of memory"}}\n\n', False, "reports: out of memory"),
        (b'data: {"error": {"message": "later", "code": 503}}\n\n', True, "later"),
        (b'data: {"choices": 3}\n\n', False, "no chat completion"),
        (b'{"choices": [{"message": {"cont', True, "not valid JSON"),
        (b"<html>hello</html>", False, "a web page"),
        (b'{"error": {"message": "no such thing", "code": 400}}', False, "(HTTP 200, meaning 400): no such thing"),
        (b'event: error\ndata: {"message": "boom", "code": 400}\n\n', False, "(HTTP 200, meaning 400): boom"),
        (b'data: {"object": "error", "message": "boom", "code": 503}\n\n', True, "boom"),
        (b"data: " + b"[" * 200_000 + b"\n\n", True, "not valid JSON"),
        (b'data: {"usage": ' + b"1" * 5000 + b"}\n\n", True, "not valid JSON"),
        (b'data: {"choices": "\xff"}\n\n', True, "not valid JSON"),
        (b"data: [DONE]\n\n", True, "broke off"),
        (b"", True, "broke off"),
    ],
)
async def test_streams_that_are_none(
    server: FakeEndpoint, backend: OpenAICompatible, raw: bytes, retryable: bool, message: str
) -> None:
    server.will(raw=raw, content_type="text/event-stream")
    error = await failure(backend, stream=True)
    assert error.retryable == retryable
    assert message in str(error)


STREAMED = b'data: {"choices": [{"index": 0, "delta": {"content": "42"}, "finish_reason": "stop"}]}\n\n'


@pytest.mark.parametrize(
    "begun", [b"retry: 3000\n\n", b"event: ping\n\n", b"id: 7\n\n", b"data:\n\n", b": hi\n\n\n"]
)
async def test_what_keeps_a_stream_open_is_no_part_of_it(
    server: FakeEndpoint, backend: OpenAICompatible, begun: bytes
) -> None:
    server.will(raw=begun + STREAMED + begun + b"data: [DONE]\n\n", content_type="text/event-stream")
    heard: list[str] = []
    assert texts(await backend.complete(ask(), lambda _, text: heard.append(text))) == ["42"] == heard


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_server_that_does_not_stream_is_heard_at_once(
    server: FakeEndpoint, backend: OpenAICompatible, kind: str
) -> None:
    server.will(raw=b' {"choices": [{"message": {"content": "all of it"}}]}', content_type=kind)
    heard: list[tuple[int, str]] = []
    done = await backend.complete(ask(), lambda index, text: heard.append((index, text)))
    assert (texts(done), heard) == (["all of it"], [(0, "all of it")])


async def test_a_stream_says_what_a_whole_request_does(
    server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its query, the headers of the environment, and one connection for both."""
    seen: list[tuple[str, str | None, str]] = []

    async def heard(request: web.Request, *_: Any) -> web.StreamResponse:
        assert request.transport is not None
        peer = str(request.transport.get_extra_info("peername"))
        seen.append((request.path_qs, request.headers.get("X-Team"), peer))
        return await respond(request, *_)

    respond = server._respond
    monkeypatch.setattr(server, "_respond", heard)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: maths")
    openai_compat.settings.cache_clear()
    backend = connect("m", ConnectOptions(base_url=f"{server.url}?api-version=7"))
    for listener in (None, lambda *_: None, lambda *_: None, None):
        assert texts(await backend.complete(ask(), listener)) == ["reply 100 0"]
    await backend.aclose()
    openai_compat.settings.cache_clear()
    assert len(seen) == 4
    assert set(seen) == {("/v1/chat/completions?api-version=7", "maths", seen[0][2])}


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"usage": ' + b"1" * 5000 + b"}"], ids=["deep", "digits"])
@pytest.mark.parametrize("status", [200, 500])
async def test_json_that_nobody_can_read_is_an_error_of_one_line(
    server: FakeEndpoint, backend: OpenAICompatible, content: bytes, status: int
) -> None:
    server.will(raw=content, status=status)
    for stream in (False, True):
        assert (await failure(backend, stream=stream)).retryable


async def test_json_of_another_content_type_is_read(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(content_type="text/plain")
    assert texts(await backend.complete(ask())) == ["reply 100 0"]


async def test_an_endpoint_that_was_never_reached_is_not_retried() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    backend = connect("m", ConnectOptions(base_url=f"http://127.0.0.1:{port}/v1"))
    error = await failure(backend)
    assert f"cannot reach http://127.0.0.1:{port}/v1" in str(error)
    assert "is the server running? check --base-url" in str(error)
    assert not error.retryable
    await backend.aclose()


async def test_an_endpoint_that_went_away_is_retried(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    await backend.complete(ask())
    await server.stop()
    await failure(backend)  # finds the old connection closed
    error = await failure(backend)
    assert "cannot reach" in str(error)
    assert error.retryable


async def test_a_host_without_address_or_a_server_without_tls(server: FakeEndpoint) -> None:
    for url in ("http://no-such-host.invalid/v1", server.url.replace("http:", "https:")):
        backend = connect("m", ConnectOptions(base_url=url))
        assert "cannot reach" in str(await failure(backend))
        await backend.aclose()


async def test_a_server_that_never_answers(
    server: FakeEndpoint, backend: OpenAICompatible, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_endpoint, "READ_TIMEOUT_S", 0.1)
    server.will(delay_s=None)
    for stream in (False, True):
        error = await failure(backend, stream=stream)
        assert "did not answer in time" in str(error)
        assert error.retryable


async def test_the_budget_ends_a_request_that_never_ends(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(delay_s=None)
    meter = Meter(Budget(max_seconds=0.3))
    stack = wrap(backend, meter=meter, cache=None, semaphore=asyncio.Semaphore(4), emit=lambda _: None)
    with pytest.raises(LimitReached):
        await stack.complete(ask())
    await until(lambda: server.disconnected == 1)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  (the server has no event to wait for)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("n", [1, 4])
async def test_cancelling_closes_the_request(server: FakeEndpoint, backend: OpenAICompatible, n: int) -> None:
    backend.capabilities = backend.capabilities.model_copy(update={"n": False})
    server.will(delay_s=None)
    task = asyncio.ensure_future(backend.complete(ask(n=n)))
    await until(lambda: server.open == n)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: server.open == 0 and server.disconnected == n)
    server.behaviour = Behaviour()
    assert len(await backend.complete(ask())) == 1


async def test_half_a_character_in_the_prompt_is_wrong_use(backend: OpenAICompatible) -> None:
    message = Message.model_construct(role="user", content="\ud800", tool_calls=(), tool_call_id=None)
    with pytest.raises(UsageError, match="half a character"):
        await backend.complete(ask(messages=(message,)))


# Retries over the wire


async def retried(backend: OpenAICompatible, attempts: int = 5) -> tuple[object, list[Retried], list[float]]:
    events: list[Event] = []
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    try:
        result: object = await Retrying(backend, events.append, attempts=attempts, sleep=nap).complete(ask())
    except BackendError as error:
        result = error
    return result, [event for event in events if isinstance(event, Retried)], naps


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_no_more_than_the_stated_attempts(
    server: FakeEndpoint, backend: OpenAICompatible, status: int
) -> None:
    server.will(status=status, raw=b"{}")
    result, events, naps = await retried(backend)
    assert isinstance(result, BackendError)
    assert len(server.bodies) == 5
    assert len(events) == len(naps) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_what_cannot_help_is_not_tried_again(
    server: FakeEndpoint, backend: OpenAICompatible, status: int
) -> None:
    server.will(status=status, raw=b"{}")
    result, events, _ = await retried(backend)
    assert isinstance(result, BackendError)
    assert (len(server.bodies), events) == (1, [])


@pytest.mark.parametrize("header", ["3", "date"])
async def test_retry_after_is_honoured(server: FakeEndpoint, backend: OpenAICompatible, header: str) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    answer = Behaviour(status=429, raw=b"{}", headers={"Retry-After": moment if header == "date" else header})
    server.script = [answer]
    result, _, (wait,) = await retried(backend)
    assert isinstance(result, list)
    assert 3 <= wait <= 10


async def test_every_passing_failure_is_overcome(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    cut = [Behaviour(cut="drop"), Behaviour(cut="body"), Behaviour(raw=b'{"choi'), Behaviour(status=502, raw=b"")]
    server.script = list(cut)
    result, events, _ = await retried(backend)
    assert isinstance(result, list)
    assert len(events) == 4


# Connections


async def test_64_at_once(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    server.will(delay_s=0.3)
    done = await asyncio.gather(*(backend.complete(ask(seed=index)) for index in range(64)))
    assert [texts(completions) for completions in done] == [[f"reply {index} 0"] for index in range(64)]
    assert server.most_open == 64


async def test_urls_with_a_slash_and_over_ipv6() -> None:
    try:
        server = await FakeEndpoint().start("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    for url in (server.url, server.url + "/"):
        backend = connect("m", ConnectOptions(base_url=url))
        assert backend.identity == f"openai:m@{server.url}"
        assert len(await backend.complete(ask())) == 1
        await backend.aclose()
    await server.stop()


async def test_a_url_without_v1_is_told_so(server: FakeEndpoint) -> None:
    backend = connect("m", ConnectOptions(base_url=server.url.removesuffix("/v1")))
    assert f"whether the URL should be {server.url}" in str(await failure(backend))
    await backend.aclose()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_proxy_stands_before_this_machine(
    server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    for proxied in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(proxied, raising=False)
    backend = connect("m", ConnectOptions(base_url=server.url))
    assert len(await backend.complete(ask())) == 1
    await backend.aclose()


async def test_closes_twice_and_opens_again(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    await backend.aclose()
    await backend.complete(ask())
    await backend.aclose()
    await backend.aclose()
    assert len(await backend.complete(ask())) == 1


def test_two_loops_one_after_the_other(caplog: pytest.LogCaptureFixture) -> None:
    box: list[OpenAICompatible] = []

    async def once(close: bool) -> int:
        server = await FakeEndpoint().start()
        if not box:
            box.append(connect("m", ConnectOptions(base_url=server.url)))
        box[0].client.base_url = server.url  # each loop has a server of its own, and so a new port
        done = await box[0].complete(ask())
        if close:
            await box[0].aclose()
        await server.stop()
        return len(done)

    with caplog.at_level(logging.WARNING):
        assert [asyncio.run(once(close)) for close in (False, False, True)] == [1, 1, 1]
    assert not caplog.records  # nor "Unclosed client session"


async def test_two_loops_at_once_are_refused_clearly(server: FakeEndpoint, backend: OpenAICompatible) -> None:
    await backend.complete(ask())

    def elsewhere() -> str:
        with pytest.raises(UsageError) as caught:
            asyncio.run(backend.complete(ask()))
        return str(caught.value)

    assert "open one backend for each loop" in await asyncio.to_thread(elsewhere)
    assert len(await backend.complete(ask())) == 1


async def test_the_full_stack_replays_without_a_request(
    server: FakeEndpoint, backend: OpenAICompatible, tmp_path: Path
) -> None:
    cache = CompletionCache(tmp_path / "cache.db")
    runs = []
    for _ in range(2):
        meter = Meter(Budget(max_tokens=1000))
        stack = wrap(backend, meter=meter, cache=cache, semaphore=asyncio.Semaphore(4), emit=lambda _: None)
        heard: list[tuple[int, str]] = []
        done = await stack.complete(ask(n=3), lambda index, text, heard=heard: heard.append((index, text)))
        runs.append(([c.model_dump(exclude={"cached"}) for c in done], meter.usage.total_tokens))
        assert "".join(text for _, text in sorted(heard, key=lambda pair: pair[0])) == "".join(texts(done))
    assert runs[0] == runs[1]
    assert len(server.bodies) == 1
    assert json.dumps(runs)
    cache.close()
