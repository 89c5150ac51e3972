"""What every backend must do. A new backend joins with one line in BACKENDS below."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from fake_endpoint import Behaviour, FakeEndpoint

from mathagent.errors import UnsupportedOption
from mathagent.models.base import Backend, Capabilities, ChatRequest, ConnectOptions, ToolSpec
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


BACKENDS = [
    pytest.param(scripted, id="script"),
    pytest.param(limited_script, id="script without capabilities"),
    pytest.param(openai(), id="openai"),
    pytest.param(openai(n="ignore"), id="openai that ignores n"),
    pytest.param(openai(n="refuse"), id="openai that refuses n"),
    pytest.param(openai(refuse=("top_k", "stream_options")), id="openai that refuses what it does not know"),
    pytest.param(embedded, id="embedded", marks=pytest.mark.model),
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
