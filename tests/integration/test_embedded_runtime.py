"""The embedded runtime's options with a real model (SmolLM2, 98 MB) and llama.cpp's real server."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_lora import write_adapter

from mathagent.config import read_settings
from mathagent.errors import BackendError, ModelFileError, UsageError
from mathagent.models.base import ChatRequest, ConnectOptions
from mathagent.models.catalog import entry
from mathagent.models.embedded import EmbeddedBackend, connect
from mathagent.models.pull import pull
from mathagent.types import Completion, Message, SamplingParams

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]
MODEL = "smollm2-135m"
LINE = "The quick brown fox jumps over the lazy dog near the river bank."
REPEATING = (
    Message(role="user", content=f"Write this line five times, each on its own line: {LINE}"),
    Message(role="assistant", content=f"{LINE}\n{LINE}\nThe quick"),
)
"""What an n-gram lookup finds much to propose for."""


@pytest.fixture(scope="module")
def weights() -> Path:
    """The model's file in the user's model folder, fetched once."""
    pytest.importorskip("xllamacpp")
    try:
        return pull(entry(MODEL), read_settings().models_dir)
    except ModelFileError as error:
        pytest.skip(str(error))


@asynccontextmanager
async def opened(query: str = "") -> AsyncIterator[EmbeddedBackend]:
    backend = connect(f"{MODEL}?slots=2&context=1024{query}", ConnectOptions())
    try:
        yield backend
    finally:
        await backend.aclose()


async def reply(backend: EmbeddedBackend, text: str = "Count from 1 to 12.", **changes: Any) -> Completion:
    fields = {name: changes.pop(name) for name in list(changes) if name in SamplingParams.model_fields}
    params = SamplingParams(**{"max_tokens": 16, **fields})
    messages = changes.pop("messages", (Message(role="user", content=text),))
    request = ChatRequest(messages=messages, params=params, **changes)
    return (await backend.complete(request))[0]


async def repeated(backend: EmbeddedBackend) -> str:
    return (await reply(backend, messages=REPEATING, continue_assistant=True, max_tokens=48)).text


SHORT = "&lookup_ngram=3&lookup_tokens=8"
SPECULATION = [
    *(f"&lookup={kind}{SHORT}" for kind in ("ngram-simple", "ngram-map-k", "ngram-map-k4v")),
    "&lookup=ngram-mod",
    "&lookup=ngram-cache",
    f"&draft={MODEL}&draft_tokens=4",
]


@pytest.mark.parametrize("query", SPECULATION)
async def test_speculation_changes_no_greedy_reply(weights: Path, query: str) -> None:
    async with opened() as plain, opened(query) as faster:
        assert await repeated(faster) == await repeated(plain)
        found = await reply(faster, "Pick one.", grammar='root ::= "red" | "blue"')
        assert found.text in ("red", "blue")


async def test_a_lookup_proposes_what_is_accepted(weights: Path) -> None:
    from mathagent.models import server_process

    async with opened(f"&lookup=ngram-simple{SHORT}") as backend:
        await backend.start()
        assert backend._options is not None
        server = server_process.running(backend._options)
        import httpx

        body = {
            "messages": [message.model_dump(include={"role", "content"}) for message in REPEATING],
            "max_tokens": 48,
            "temperature": 0,
        }
        headers = {"Authorization": f"Bearer {server.api_key}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=300) as client:
            timings = (await client.post("/v1/chat/completions", json=body)).json()["timings"]
    assert timings["draft_n_accepted"] > 8


async def test_a_draft_of_another_family_is_refused_instead_of_left_out(weights: Path) -> None:
    other = "qwen2.5-coder-1.5b"
    if not (read_settings().models_dir / entry(other).file_name).is_file():
        pytest.skip(f"{other}'s weights are not here; run: mathagent models pull {other}")
    async with opened(f"&draft={other}") as backend:
        with pytest.raises(UsageError, match="draft model vocab type must match") as caught:
            await reply(backend)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("query", ["&kv_k=q8_0&kv_v=q8_0", "&kv_k=q4_0", "&kv_v=q4_0", "&kv_k=iq4_nl&kv_v=q5_1"])
async def test_a_quantised_cache_answers(weights: Path, query: str) -> None:
    async with opened(query) as backend:
        found = await reply(backend, logprobs=1)
    assert found.text
    assert all(token.logprob <= 0 for token in found.logprobs)


async def test_the_cache_is_really_quantised(weights: Path) -> None:
    async def first(query: str) -> float:
        async with opened(query) as backend:
            return (await reply(backend, logprobs=0, max_tokens=1)).logprobs[0].logprob

    exact, coarse = await first(""), await first("&kv_k=q4_0&kv_v=q4_0")
    assert exact != coarse
    assert math.isclose(exact, coarse, abs_tol=1.5)


async def test_adapters_are_switched_for_each_request(weights: Path, tmp_path: Path) -> None:
    a, b = (write_adapter(tmp_path / f"{name}.gguf", seed=seed) for name, seed in (("a", 1), ("b", 2)))

    async def told(backend: EmbeddedBackend, lora: dict[str, float] | None) -> float:
        return (await reply(backend, logprobs=0, max_tokens=1, lora=lora)).logprobs[0].logprob

    async with opened(f"&lora={a}&lora={b}:0") as backend:
        with_a, half_a, with_b = [await told(backend, one) for one in ({"a": 1.0}, {"a": 0.5}, {"b": 1.0})]
        without = await told(backend, {})
        assert len({with_a, half_a, with_b, without}) == 4
        assert await told(backend, None) == pytest.approx(with_a, abs=1e-3)
    async with opened() as plain:
        assert await told(plain, None) == pytest.approx(without, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"architecture": "qwen2"}, {"width": 64}], ids=lambda value: next(iter(value)))
async def test_an_adapter_of_another_model_is_an_error_of_one_line(
    weights: Path, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    file = write_adapter(tmp_path / "a.gguf", seed=1, **wrong)
    async with opened(f"&lora={file}") as backend:
        with pytest.raises(BackendError, match=r"does not start.*lora") as caught:
            await reply(backend)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pooling", ["last", "mean"])
async def test_texts_become_vectors_beside_chatting(weights: Path, pooling: str) -> None:
    texts = ["a dog barks", "the dog was barking", "integrate x squared"]
    async with opened(f"&embeddings={pooling}") as backend, opened() as plain:
        dog, barking, integral = await backend.embed(texts)
        assert (await reply(backend)).text == (await reply(plain)).text
        assert await backend.embed([]) == []
        long = ["word " * 700]
        if pooling == "mean":
            with pytest.raises(BackendError, match="embeddings=last"):
                await backend.embed(long)
        else:
            assert len((await backend.embed(long))[0]) == len(dog)

    def likeness(one: list[float], other: list[float]) -> float:
        return sum(x * y for x, y in zip(one, other, strict=True))

    assert likeness(dog, dog) == pytest.approx(1.0)
    assert likeness(dog, barking) > likeness(dog, integral)


@pytest.mark.parametrize(
    "pattern",
    [r"-?\d{1,3}(\.\d{2})?", r"(?:red|blue|green), (?:yes|no)", r"[A-Z]{3}-[^0-9\s]{2,4}!", r"\w+ = \d+;"],
)
async def test_a_reply_matches_its_regular_expression(weights: Path, pattern: str) -> None:
    async with opened() as backend:
        for seed in range(3):
            found = await reply(
                backend, "Say something.", regex=pattern, seed=seed, temperature=1.0, max_tokens=40
            )
            assert found.finish_reason == "length" or re.fullmatch(pattern, found.text), found.text


async def test_a_reply_is_held_to_one_form(weights: Path) -> None:
    async with opened() as backend:
        with pytest.raises(UsageError, match="grammar and regex are given"):
            await reply(backend, regex="a", grammar='root ::= "a"')
