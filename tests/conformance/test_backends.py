"""What every backend must do. A new backend joins with one line in BACKENDS below."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from fake_endpoint import Behaviour, FakeEndpoint
from writing_model import writing_model

from mathagent.errors import UnsupportedOption
from mathagent.models.base import Backend, Capabilities, ChatRequest, ConnectOptions, ToolSpec, prepare
from mathagent.models.scripted import ScriptedBackend
from mathagent.types import Message, SamplingParams

Opening = Callable[[], AbstractAsyncContextManager[Backend]]


@asynccontextmanager
async def scripted() -> AsyncIterator[Backend]:
    backend = ScriptedBackend(
        lambda request, index: f"{request.messages[-1].content} {index} {request.params.seed}"
    )
    yield backend
    await backend.aclose()


@asynccontextmanager
async def limited_script() -> AsyncIterator[Backend]:
    yield ScriptedBackend(lambda request, index: f"text {index}", capabilities=Capabilities())


def openai(**behaviour: object) -> Opening:
    @asynccontextmanager
    async def opening() -> AsyncIterator[Backend]:
        from mathagent.models.openai_compat import connect

        server = await FakeEndpoint(Behaviour(**behaviour)).start()  # type: ignore[arg-type]
        backend = connect("m", ConnectOptions(base_url=server.url))
        yield backend
        await backend.aclose()
        await server.stop()

    return opening


@asynccontextmanager
async def embedded() -> AsyncIterator[Backend]:
    from mathagent.config import settings

    pytest.importorskip("xllamacpp")
    from mathagent.models.catalog import entry
    from mathagent.models.embedded import connect

    if not (settings().models_dir / entry("smollm2-135m").file_name).is_file():
        pytest.skip("SmolLM2's weights are not here; run: mathagent models pull smollm2-135m")
    backend = connect("smollm2-135m", ConnectOptions())
    yield backend
    await backend.aclose()


kept_loaded: list[Backend] = []
"""A model that transformers has loaded is shared while somebody has it open: it is loaded once for all tests."""


@asynccontextmanager
async def hf() -> AsyncIterator[Backend]:
    from mathagent.config import settings

    for package in ("torch", "transformers", "gguf"):
        pytest.importorskip(package)
    from mathagent.models.catalog import entry
    from mathagent.models.transformers_local import connect

    if not (settings().models_dir / entry("smollm2-135m").file_name).is_file():
        pytest.skip("SmolLM2's weights are not here; run: mathagent models pull smollm2-135m")
    if not kept_loaded:
        kept_loaded.append(connect("smollm2-135m?device=cpu", ConnectOptions()))
        await prepare(kept_loaded[0])
    backend = connect("smollm2-135m?device=cpu", ConnectOptions())
    yield backend
    await backend.aclose()


@asynccontextmanager
async def through_failures() -> AsyncIterator[Backend]:
    """A server that fails every other time, each time otherwise, behind the wrapper that tries again."""
    from mathagent.models.openai_compat import connect
    from mathagent.models.wrappers import Retrying

    server = await FakeEndpoint().start()
    ways = itertools.cycle(
        [
            Behaviour(status=500, raw=b""),
            Behaviour(status=429, raw=b"{}", headers={"Retry-After": "0.001"}),
            Behaviour(cut="drop"),
            Behaviour(raw=b'{"choi'),
            Behaviour(stated_usage={"completion_tokens": "many"}),
        ]
    )
    server.next_behaviour = lambda body: next(turns)  # type: ignore[method-assign]
    turns = (one for way in ways for one in (way, server.behaviour))
    raw = connect("m", ConnectOptions(base_url=server.url))
    yield Retrying(raw, lambda event: None, attempts=50, sleep=lambda seconds: asyncio.sleep(0))
    await raw.aclose()
    await server.stop()


@asynccontextmanager
async def half_dead_pool() -> AsyncIterator[Backend]:
    from mathagent.models.openai_compat import connect

    servers = [await FakeEndpoint(how).start() for how in (Behaviour(status=503, raw=b""), Behaviour())]
    backend = connect(f"m@{','.join(one.url for one in servers)}", ConnectOptions())
    yield backend
    await backend.aclose()
    for one in servers:
        await one.stop()


@asynccontextmanager
async def router() -> AsyncIterator[Backend]:
    from mathagent.models.router import Router

    first, other = (ScriptedBackend(lambda request, index: f"{index}", name=f"script:{name}") for name in "ab")
    yield Router([first, other], {"judge": other})


@asynccontextmanager
async def two_models_that_write_together() -> AsyncIterator[Backend]:
    from mathagent.models.nudging import UncertaintyRouter

    text = "Hello, I am two models that write one reply together, as far as anybody can tell."
    base = writing_model("base", text, {"Hello,": 0.1, "one": 0.1, "tell.": 0.1})
    yield UncertaintyRouter(base, writing_model("nudger", text))


@asynccontextmanager
async def openai_on_the_embedded_server() -> AsyncIterator[Backend]:
    from pydantic import SecretStr

    from mathagent.models.embedded import EmbeddedBackend
    from mathagent.models.openai_compat import connect

    async with embedded() as running:
        assert isinstance(running, EmbeddedBackend)
        await running.start()
        server, _ = await running._connection()
        options = ConnectOptions(api_key=SecretStr(server.api_key))
        backend = connect(f"smollm2-135m@{server.url}/v1?parallel=4", options)
        await prepare(backend)
        assert backend.capabilities.grammar  # it has said that it is llama.cpp
        yield backend
        await backend.aclose()


BACKENDS = [
    pytest.param(scripted, id="script"),
    pytest.param(limited_script, id="script without capabilities"),
    pytest.param(openai(), id="openai"),
    pytest.param(openai(n="ignore"), id="openai that ignores n"),
    pytest.param(openai(n="refuse"), id="openai that refuses n"),
    pytest.param(openai(refuse=("top_k", "stream_options")), id="openai that refuses what it does not know"),
    pytest.param(openai(streams=False), id="openai that does not stream"),
    pytest.param(through_failures, id="openai that fails every other time"),
    pytest.param(half_dead_pool, id="openai at two endpoints, one of them dead"),
    pytest.param(router, id="router"),
    pytest.param(two_models_that_write_together, id="nudge"),
    pytest.param(embedded, id="embedded", marks=pytest.mark.model),
    pytest.param(hf, id="hf", marks=pytest.mark.model),
    pytest.param(openai_on_the_embedded_server, id="openai on the embedded server", marks=pytest.mark.model),
]
pytestmark = pytest.mark.parametrize("opening", BACKENDS)


def ask(text: str = "Say hello.", n: int = 1, seed: int | None = None, max_tokens: int = 12) -> ChatRequest:
    params = SamplingParams(n=n, seed=seed, max_tokens=max_tokens, temperature=0.7)
    return ChatRequest(messages=(Message(role="user", content=text),), params=params)


async def test_says_who_it_is(opening: Opening) -> None:
    async with opening() as backend:
        assert ":" in backend.name
        assert backend.identity
        assert backend.max_parallel >= 1
        assert isinstance(backend.capabilities, Capabilities)


@pytest.mark.parametrize("n", [1, 3])
async def test_returns_exactly_n_completions_with_their_usage(opening: Opening, n: int) -> None:
    async with opening() as backend:
        done = await backend.complete(ask(n=n))
        assert len(done) == n
        assert all(completion.text for completion in done)
        assert [completion.usage.calls for completion in done] == [1] * n
        assert all(completion.usage.completion_tokens > 0 for completion in done)
        assert done[0].usage.prompt_tokens > 0
        assert not any(completion.cached for completion in done)


@pytest.mark.parametrize("n", [1, 3])
async def test_deltas_make_up_the_texts(opening: Opening, n: int) -> None:
    async with opening() as backend:
        heard = dict.fromkeys(range(n), "")

        def on_delta(index: int, text: str) -> None:
            heard[index] += text

        done = await backend.complete(ask(n=n), on_delta)
        if backend.capabilities.streaming:
            assert list(heard.values()) == [completion.text for completion in done]


async def test_the_same_seed_gives_the_same_text(opening: Opening) -> None:
    async with opening() as backend:
        if not backend.capabilities.seed:
            pytest.skip("takes no seed")
        one, other = [await backend.complete(ask(seed=11)) for _ in range(2)]
        assert [c.text for c in one] == [c.text for c in other]


async def test_refuses_by_name_what_it_lacks(opening: Opening) -> None:
    wanted = {
        "logprobs": {"logprobs": 1},
        "json_schema": {"json_schema": {"type": "object"}},
        "grammar": {"grammar": 'root ::= "a"'},
        "tool_calls": {"tools": (ToolSpec(name="f", description="", parameters={"type": "object"}),)},
        "continue_assistant": {"continue_assistant": True},
        "seed": {"params": SamplingParams(seed=1)},
    }
    async with opening() as backend:
        for option, changes in wanted.items():
            if not getattr(backend.capabilities, option):
                with pytest.raises(UnsupportedOption, match=option):
                    await backend.complete(ask().model_copy(update=changes))


async def test_preparing_twice_changes_nothing_more(opening: Opening) -> None:
    async with opening() as backend:
        await prepare(backend)
        known = backend.identity, backend.capabilities
        await prepare(backend)
        assert (backend.identity, backend.capabilities) == known


def is_real(backend: Backend) -> bool:
    return "smollm2" in backend.name


async def test_log_probs_come_with_as_many_alternatives_as_are_asked_for(opening: Opening) -> None:
    async with opening() as backend:
        if not backend.capabilities.logprobs or backend.name.startswith("script:"):
            pytest.skip("gives no log-probs of its own")
        for wanted in (2, 0):
            (done,) = await backend.complete(ask(max_tokens=4).model_copy(update={"logprobs": wanted}))
            assert done.logprobs
            assert all(entry.logprob <= 0 for entry in done.logprobs)
            assert all(len(entry.top) <= wanted for entry in done.logprobs)


async def test_a_schema_and_a_grammar_are_followed(opening: Opening) -> None:
    async with opening() as backend:
        if not is_real(backend):
            pytest.skip("plays a model")
        schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
        (done,) = await backend.complete(ask(max_tokens=24).model_copy(update={"json_schema": schema}))
        assert isinstance(json.loads(done.text)["a"], bool)
        (done,) = await backend.complete(ask().model_copy(update={"grammar": 'root ::= "yes" | "no"'}))
        assert done.text in ("yes", "no")


async def test_an_assistant_turn_is_gone_on_with(opening: Opening) -> None:
    async with opening() as backend:
        if not is_real(backend):
            pytest.skip("plays a model")
        begun = (Message(role="user", content="Count."), Message(role="assistant", content="1, 2, 3, 4,"))
        request = ask(max_tokens=4).model_copy(update={"messages": begun, "continue_assistant": True})
        (done,) = await backend.complete(request)
        assert "5" in done.text


async def test_many_requests_at_once_get_their_own_replies(opening: Opening) -> None:
    async with opening() as backend:
        done = await asyncio.gather(
            *(backend.complete(ask(f"number {index}", max_tokens=2)) for index in range(8))
        )
        assert [len(completions) for completions in done] == [1] * 8


async def test_a_cancelled_request_leaves_it_usable(opening: Opening) -> None:
    async with opening() as backend:
        task = asyncio.ensure_future(backend.complete(ask(max_tokens=2000)))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(await backend.complete(ask())) == 1


async def test_closes_twice(opening: Opening) -> None:
    async with opening() as backend:
        await backend.complete(ask())
        await backend.aclose()
        await backend.aclose()
