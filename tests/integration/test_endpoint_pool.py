"""Several endpoints behind one model, over real HTTP: balance, fail-over, hedging, deadlines, and who answers."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
from fake_endpoint import Behaviour, FakeEndpoint

from mathagent.budget import Budget
from mathagent.errors import BackendError, UnsupportedOption, UsageError
from mathagent.models import openai_endpoint
from mathagent.models.base import ChatRequest, ConnectOptions, PartialReply, prepare
from mathagent.models.circuit_breaker import CircuitBreaker
from mathagent.models.openai_compat import OpenAICompatible, connect
from mathagent.models.openai_pool import EndpointPool
from mathagent.solver import Solver
from mathagent.types import Completion, Message, SamplingParams


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(text: str = "two words", n: int = 1, **changes: object) -> ChatRequest:
    params = SamplingParams(n=n, seed=100, max_tokens=50)
    request = ChatRequest(messages=(Message(role="user", content=text),), params=params)
    return request.model_copy(update=changes)


def texts(done: list[Completion]) -> list[str]:
    return [one.text for one in done]


@pytest.fixture
async def servers() -> AsyncIterator[list[FakeEndpoint]]:
    running = [await FakeEndpoint().start() for _ in range(2)]
    yield running
    for one in running:
        await one.stop()


@pytest.fixture
async def opened() -> AsyncIterator[list[OpenAICompatible | EndpointPool]]:
    backends: list[OpenAICompatible | EndpointPool] = []
    yield backends
    for one in backends:
        await one.aclose()


def pool(
    servers: list[FakeEndpoint], opened: list[OpenAICompatible | EndpointPool], clock: Clock, *queries: str
) -> EndpointPool:
    """One over ``servers``, each with a query, whose pauses pass by ``clock``."""
    members = []
    for number, one in enumerate(servers):
        member = connect(f"m@{one.url}{queries[number] if number < len(queries) else ''}", ConnectOptions())
        assert isinstance(member, OpenAICompatible)
        members.append(member)
    opened.append(EndpointPool("m", members, new_breaker=lambda: CircuitBreaker(pause_s=5, clock=clock)))
    made = opened[-1]
    assert isinstance(made, EndpointPool)
    return made


Opened = list[OpenAICompatible | EndpointPool]


def free_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


async def test_requests_are_shared_by_weight(servers: list[FakeEndpoint], opened: Opened) -> None:
    for one in servers:
        one.will(delay_s=0.05)
    both = pool(servers, opened, Clock(), "?weight=3")
    assert both.max_parallel == 32
    done = await asyncio.gather(*(both.complete(ask(str(index))) for index in range(40)))
    assert all(len(one) == 1 for one in done)
    assert [len(one.bodies) for one in servers] == [30, 10]


async def test_one_after_the_other_they_take_turns(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    for index in range(6):
        await both.complete(ask(str(index)))
    assert [len(one.bodies) for one in servers] == [3, 3]


async def test_weights_hold_one_after_the_other_too(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock(), "?weight=3")
    for index in range(12):
        await both.complete(ask(str(index)))
    assert [len(one.bodies) for one in servers] == [9, 3]


async def test_a_slow_one_gets_less(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    servers[0].will(delay_s=None)
    slow = asyncio.ensure_future(both.complete(ask("slow")))
    async with asyncio.timeout(20):
        while not servers[0].open:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for index in range(6):
            await both.complete(ask(str(index)))
    assert [len(one.bodies) for one in servers] == [1, 6]
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)


async def test_one_that_asked_for_a_pause_is_passed_over(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    servers[0].script = [Behaviour(status=429, raw=b"{}", headers={"Retry-After": "20"})]
    async with asyncio.timeout(15):
        for index in range(6):
            await both.complete(ask(str(index)))
    assert [len(one.bodies) for one in servers] == [1, 6]


async def test_a_dead_one_is_left_alone_and_tried_again(servers: list[FakeEndpoint], opened: Opened) -> None:
    clock = Clock()
    both = pool(servers, opened, clock)
    servers[0].will(status=503, raw=b"{}")
    for index in range(20):
        assert len(await both.complete(ask(str(index)))) == 1
    assert len(servers[0].bodies) == 3  # then it is left alone
    assert len(servers[1].bodies) == 20
    clock.now = 5
    await asyncio.gather(*(both.complete(ask(f"later {index}")) for index in range(8)))
    assert len(servers[0].bodies) == 4  # one probe, which fails
    servers[0].behaviour = Behaviour()
    clock.now = 15
    for index in range(10):
        await both.complete(ask(f"again {index}"))
    assert len(servers[0].bodies) > 7


async def test_one_that_was_never_there(servers: list[FakeEndpoint], opened: Opened) -> None:
    backend = connect(f"m@{free_url()},{servers[0].url}", ConnectOptions())
    assert isinstance(backend, EndpointPool)
    opened.append(backend)
    for index in range(5):
        assert len(await backend.complete(ask(str(index)))) == 1
    assert backend.members[0].breaker.state == "open"


async def test_where_all_fail_the_error_is_told_and_then_that_all_are_left_alone(
    servers: list[FakeEndpoint], opened: Opened
) -> None:
    both = pool(servers, opened, Clock())
    for one in servers:
        one.will(status=500, raw=b"{}")
    for _ in range(3):
        with pytest.raises(BackendError, match="HTTP 500") as caught:
            await both.complete(ask())
        assert caught.value.retryable
    with pytest.raises(BackendError, match="none of 2 endpoints answers") as caught:
        await both.complete(ask())
    assert (caught.value.retryable, caught.value.retry_after_s) == (True, 5)
    assert [len(one.bodies) for one in servers] == [3, 3]


async def test_a_wrong_request_goes_to_one_only(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    for one in servers:
        one.will(status=400, raw=b'{"error": "context length exceeded"}')
    with pytest.raises(BackendError, match="context length"):
        await both.complete(ask())
    assert sum(len(one.bodies) for one in servers) == 1
    assert all(one.breaker.state == "closed" for one in both.members)


STATED = [
    (
        {"message": "prompt is too long", "type": "invalid_request_error", "code": "context_length_exceeded"},
        1,
        400,
    ),
    ({"message": "bad", "type": "BadRequestError", "code": "400"}, 1, 400),
    ({"message": "something else is wrong with it"}, 2, 200),
    ("wrong, somehow", 2, 200),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("error", "asked", "status"), STATED)
async def test_a_wrong_request_that_is_told_with_status_200_harms_no_endpoint(
    servers: list[FakeEndpoint], opened: Opened, error: object, asked: int, status: int, stream: bool
) -> None:
    both = pool(servers, opened, Clock())
    body = json.dumps({"error": error})
    as_event = {"raw": f"data: {body}\n\n".encode(), "content_type": "text/event-stream"}
    for one in servers:
        one.will(**(as_event if stream else {"raw": body.encode()}))
    for number in range(4):  # more than it takes to open a circuit
        with pytest.raises(BackendError) as caught:
            await both.complete(ask(str(number)), (lambda *_: None) if stream else None)
        assert caught.value.status == status
        assert not caught.value.retryable
    assert sum(len(one.bodies) for one in servers) == 4 * asked
    assert [member.breaker.state for member in both.members] == ["closed", "closed"]
    for one in servers:
        one.behaviour = Behaviour()
    assert await both.complete(ask())


@pytest.mark.parametrize(
    ("error", "status", "state"),
    [
        ({"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}, 404, "open"),
        ({"message": "key?", "type": "authentication_error"}, 401, "open"),
        ({"message": "pay first", "type": "insufficient_quota"}, 429, "open"),
        ("Unexpected endpoint or method. (POST /chat/completions)", 404, "open"),
        ({"message": "too fast", "type": "rate_limit_error"}, 429, "closed"),
        ({"message": "oh", "type": "InternalServerError", "code": 500}, 500, "closed"),
        ({"message": "oh", "type": "overloaded_error"}, 503, "closed"),
    ],
)
async def test_what_an_endpoint_tells_of_itself_with_status_200_is_its_own_fault(
    servers: list[FakeEndpoint], opened: Opened, error: object, status: int, state: str
) -> None:
    both = pool(servers, opened, Clock())
    servers[0].will(raw=json.dumps({"error": error}).encode())
    for number in range(2):
        assert await both.complete(ask(str(number)))  # the other one answers
    assert both.members[0].breaker.state == state
    with pytest.raises(BackendError) as caught:
        await both.members[0].backend.complete(ask())
    assert caught.value.status == status


async def test_a_refused_key_of_one_is_overcome(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    servers[0].will(key="sk-other")
    for index in range(4):
        await both.complete(ask(str(index)))
    assert (len(servers[0].bodies), len(servers[1].bodies)) == (1, 4)


async def test_a_quota_of_one_that_is_used_up_is_overcome(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    servers[0].script = [
        Behaviour(status=429, raw=b'{"error": {"message": "pay first", "code": "insufficient_quota"}}'),
        Behaviour(status=402, raw=b"{}"),
    ]
    for index in range(4):
        await both.complete(ask(str(index)))
    assert (len(servers[0].bodies), len(servers[1].bodies)) == (1, 4)
    assert both.members[0].breaker.state == "open"


async def test_a_429_goes_to_the_other_and_opens_nothing(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    servers[0].script = [Behaviour(status=429, raw=b"{}")] * 5
    done = await asyncio.gather(*(both.complete(ask(str(index))) for index in range(20)))
    assert len(done) == 20
    assert both.members[0].breaker.state == "closed"


async def test_samples_that_arrived_before_the_failure_are_not_asked_for_again(
    servers: list[FakeEndpoint], opened: Opened
) -> None:
    both = pool(servers, opened, Clock())
    for one in servers:
        one.will(n="ignore")
    servers[0].script = [Behaviour(n="ignore"), Behaviour(), Behaviour(status=500, raw=b"{}"), Behaviour()]
    done = await both.complete(ask(n=4))
    assert sorted(texts(done)) == [f"reply {seed} 0" for seed in (100, 101, 102, 103)]
    assert len(servers[0].answered) == 3
    assert len(servers[1].answered) == 1


async def test_what_arrived_is_kept_where_all_fail(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    failing = Behaviour(status=500, raw=b"{}")
    servers[0].will(status=500, raw=b"{}")
    servers[1].will(status=500, raw=b"{}")
    servers[0].script = [Behaviour(n="ignore"), failing]
    with pytest.raises(PartialReply) as caught:
        await both.complete(ask(n=2))
    assert list(caught.value.arrived) == [0]


async def test_a_stream_that_breaks_begins_anew_elsewhere(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock())
    servers[0].will(cut="reset")
    (done,) = await both.complete(ask(), lambda *_: None)
    assert done.text == "reply 100 0"


async def test_a_slow_one_is_overtaken(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock(), "?hedge_s=0.05")
    servers[0].will(delay_s=None)
    async with asyncio.timeout(20):
        assert texts(await both.complete(ask())) == ["reply 100 0"]
        while not servers[0].disconnected:  # noqa: ASYNC110  (the loser is let go)
            await asyncio.sleep(0.01)
    assert [one.in_flight for one in both.members] == [0, 0]


async def test_names_and_identity(servers: list[FakeEndpoint]) -> None:
    a, b = (one.url for one in servers)
    one = connect(f"m@{a}?weight=2,{b}", ConnectOptions())
    other = connect("m", ConnectOptions(base_url=f"{b},{a}"))
    assert one.identity == other.identity
    assert one.name == f"openai:m@{a}?weight=2,{b}"
    assert other.name == "openai:m"
    with pytest.raises(UsageError, match="no MY_KEY is set"):
        connect("m@https://api.openai.com/v1?key_env=MY_KEY", ConnectOptions())


async def test_cancelling_leaves_nothing_in_flight(servers: list[FakeEndpoint], opened: Opened) -> None:
    both = pool(servers, opened, Clock(), "?hedge_s=0.01")
    for one in servers:
        one.will(delay_s=None)
    task = asyncio.ensure_future(both.complete(ask()))
    async with asyncio.timeout(20):
        while sum(one.open for one in servers) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [one.in_flight for one in both.members] == [0, 0]


# Deadlines of one endpoint


@pytest.mark.parametrize(
    ("query", "stream", "behaviour", "message"),
    [
        ("?total_s=0.5", False, Behaviour(delay_s=None), "did not end its reply within 0.5 s"),
        ("?total_s=0.5", False, Behaviour(cut="hang"), "did not end its reply within 0.5 s"),
        ("?total_s=0.5", True, Behaviour(cut="hang"), "did not end its reply within 0.5 s"),
        ("?first_token_s=0.5", True, Behaviour(delay_s=None), "did not begin its reply within 0.5 s"),
        ("?silence_s=0.5", False, Behaviour(cut="hang"), "did not answer in time"),
        ("?silence_s=0.5", True, Behaviour(cut="hang"), "did not answer in time"),
    ],
)
async def test_deadlines_hold(
    servers: list[FakeEndpoint], opened: Opened, query: str, stream: bool, behaviour: Behaviour, message: str
) -> None:
    backend = connect(f"m@{servers[0].url}{query}", ConnectOptions())
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    servers[0].behaviour = behaviour
    with pytest.raises(BackendError, match=message) as caught:
        await backend.complete(ask(), (lambda *_: None) if stream else None)
    assert caught.value.retryable
    servers[0].behaviour = Behaviour()
    (done,) = await backend.complete(ask(), (lambda *_: None) if stream else None)
    assert done.text == "reply 100 0"


# Who answers


async def test_the_server_is_asked_once_and_its_words_are_used(
    servers: list[FakeEndpoint], opened: Opened
) -> None:
    server = servers[0]
    server.models = {"object": "list", "data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096}]}
    backend = connect("m", ConnectOptions(base_url=f"{server.url}?thinking_tokens=64"))
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    assert not backend.capabilities.grammar
    await asyncio.gather(*(prepare(backend) for _ in range(3)))
    assert server.asked_for_models == 1
    assert backend.capabilities.grammar
    assert backend.capabilities.continue_assistant
    assert backend.identity == f"openai:m@{server.url}?server=vllm&thinking_tokens=64"
    await backend.complete(ask(grammar='root ::= "a"'))
    (body,) = server.bodies
    assert body["structured_outputs"] == {"grammar": 'root ::= "a"'}
    assert body["thinking_token_budget"] == 64
    again = connect("m", ConnectOptions(base_url=backend.identity.partition("@")[2]))
    assert again.identity == backend.identity  # as a replay opens it


@pytest.mark.parametrize(
    ("owner", "field", "value"),
    [
        ("vllm", "structured_outputs", {"grammar": "root ::= [0-9]{2}"}),
        ("sglang", "ebnf", "root ::= [0-9]{2}"),
        ("llamacpp", "grammar", "root ::= [0-9]{2}"),
    ],
)
async def test_a_regular_expression_is_said_in_the_words_of_the_server(
    servers: list[FakeEndpoint], opened: Opened, owner: str, field: str, value: object
) -> None:
    servers[0].models = {"object": "list", "data": [{"id": "m", "owned_by": owner}]}
    backend = connect("m", ConnectOptions(base_url=servers[0].url))
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    with pytest.raises(UnsupportedOption, match="regex"):  # who it is, is not known yet
        await backend.complete(ask(regex=r"\d{2}"))
    await prepare(backend)
    assert backend.capabilities.regex
    await backend.complete(ask(regex=r"\d{2}"))
    with pytest.raises(UsageError, match="grammar and regex are given"):
        await backend.complete(ask(regex="a", grammar='root ::= "a"'))
    with pytest.raises(UsageError, match="no grammar can say"):
        await backend.complete(ask(regex=r"(?=a)b"))
    (body,) = servers[0].bodies
    assert body[field] == value
    assert "regex" not in body


async def test_a_server_that_says_nothing_and_one_that_is_not_there(
    servers: list[FakeEndpoint], opened: Opened
) -> None:
    for url in (servers[0].url, free_url()):
        backend = connect("m", ConnectOptions(base_url=url))
        assert isinstance(backend, OpenAICompatible)
        opened.append(backend)
        await prepare(backend)
        assert backend.identity == f"openai:m@{url}"
        assert not backend.capabilities.grammar
        assert not backend.capabilities.regex


async def test_a_silent_server_is_asked_once_by_all_and_not_again_soon(
    servers: list[FakeEndpoint], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_endpoint, "ASKING_WHO_S", 0.5)
    server = servers[0]
    server.models_delay_s = None
    backend = connect("m", ConnectOptions(base_url=server.url))
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    await asyncio.gather(*(prepare(backend) for _ in range(20)))
    asked = server.asked_for_models
    assert asked <= 1
    await prepare(backend)
    assert server.asked_for_models == asked
    assert await backend.complete(ask())
    monkeypatch.setattr(openai_endpoint, "ASKING_WHO_S", 3600)
    monkeypatch.setattr(backend, "_silent_until", 0.0)  # the pause is over
    server.models_delay_s, server.models = 0.0, {"data": [{"id": "m", "owned_by": "vllm"}]}
    await prepare(backend)
    assert server.asked_for_models == asked + 1
    assert backend.capabilities.grammar


async def test_who_stops_waiting_for_a_silent_server_ends_no_other_wait(
    servers: list[FakeEndpoint], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_endpoint, "ASKING_WHO_S", 3600)
    server = servers[0]
    server.models_delay_s, server.models = None, {"data": [{"id": "m", "owned_by": "vllm"}]}
    backend = connect("m", ConnectOptions(base_url=server.url))
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    patient = asyncio.ensure_future(prepare(backend))
    await prepare(backend, 0.01)
    assert not patient.done()
    assert not backend.capabilities.grammar
    server.models_known.set()
    await patient
    assert backend.capabilities.grammar
    assert server.asked_for_models == 1


async def test_the_budget_of_a_solve_holds_while_its_server_is_silent(
    servers: list[FakeEndpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_endpoint, "ASKING_WHO_S", 3600)
    servers[0].models_delay_s = None
    servers[0].will(delay_s=None)
    async with Solver("openai:m", base_url=servers[0].url, cache=False, checkpoints=False) as solver:
        async with asyncio.timeout(60):
            solution = await solver.solve("What is 6*7?", "cot", budget=Budget(max_seconds=0.2))
    assert solution.stopped == "budget"
    assert solution.seconds >= 0.2
    assert servers[0].bodies == []  # its seconds were over before the model was asked


async def test_a_thinking_budget_that_no_server_can_follow_is_refused(
    servers: list[FakeEndpoint], opened: Opened
) -> None:
    backend = connect("m", ConnectOptions(base_url=f"{servers[0].url}?thinking_tokens=64"))
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    with pytest.raises(UnsupportedOption, match="thinking_tokens=64"):
        await backend.complete(ask())
    assert not servers[0].bodies


async def test_a_dead_one_costs_no_thinking_budget(servers: list[FakeEndpoint], opened: Opened) -> None:
    servers[0].models = {"data": [{"id": "m", "owned_by": "vllm"}]}
    urls = ",".join(f"{url}?thinking_tokens=64" for url in (free_url(), servers[0].url))
    backend = connect(f"m@{urls}", ConnectOptions())
    assert isinstance(backend, EndpointPool)
    opened.append(backend)
    for index in range(4):
        assert await backend.complete(ask(str(index)))
    assert [body["thinking_token_budget"] for body in servers[0].bodies] == [64] * 4


async def test_a_server_that_fails_in_passing_is_asked_again_who_it_is(
    servers: list[FakeEndpoint], opened: Opened
) -> None:
    server = servers[0]
    server.models, server.models_failures = {"data": [{"id": "m", "owned_by": "vllm"}]}, [503, 429]
    backend = connect(f"m@{server.url}?thinking_tokens=64", ConnectOptions())
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    await prepare(backend)
    assert backend.capabilities.grammar
    server.models_failures = [503] * 3
    again = connect(f"m@{server.url}?thinking_tokens=64", ConnectOptions())
    assert isinstance(again, OpenAICompatible)
    opened.append(again)
    with pytest.raises(BackendError, match="HTTP 503") as caught:
        await again.complete(ask())
    assert caught.value.retryable
    assert await again.complete(ask())
    assert server.bodies[-1]["thinking_token_budget"] == 64


# What replies hold


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "<think>hm, 6 times 7</think>\n42"},
        {"role": "assistant", "content": "42", "reasoning_content": "hm, 6 times 7"},
        {"role": "assistant", "content": "42", "reasoning": "hm, 6 times 7"},
    ],
)
async def test_thinking_is_told_apart(
    servers: list[FakeEndpoint], opened: Opened, message: dict[str, str], stream: bool
) -> None:
    backend = connect("m", ConnectOptions(base_url=servers[0].url))
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    servers[0].will(message=message)
    heard: list[str] = []
    (done,) = await backend.complete(ask(), (lambda _, text: heard.append(text)) if stream else None)
    assert done.text == "42"
    if stream:
        assert "".join(heard) == "42"
    if not stream or ("content" in message and "<think>" in message["content"]):
        assert done.reasoning == "hm, 6 times 7"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "many",
        {"prompt_tokens": -3, "completion_tokens": -1},
        {"prompt_tokens": "x", "completion_tokens": None},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 0, "completion_tokens": 10**9},
    ],
    ids=str,
)
async def test_wrong_usage_is_estimated(
    servers: list[FakeEndpoint], opened: Opened, usage: object, stream: bool
) -> None:
    backend = connect("m", ConnectOptions(base_url=servers[0].url))
    assert isinstance(backend, OpenAICompatible)
    opened.append(backend)
    servers[0].will(stated_usage=usage, usage=usage is not None, text=lambda *_: "x" * 40)
    (done,) = await backend.complete(ask("y" * 80), (lambda *_: None) if stream else None)
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (20, 10)
