from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from tiny_transformer import ask, load_tiny, running, until, write_model

from mathagent.errors import BackendError, UsageError
from mathagent.models.hf import alone
from mathagent.models.hf.alone import AloneEngine
from mathagent.models.hf.engines import engine_for
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.settings import read_settings


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return load_tiny(write_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def drafter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("drafter"), "Llama", seed=3, num_hidden_layers=1)


async def texts(loaded: Loaded, query: str) -> list[str]:
    requests = [ask("one two one two one", max_tokens=40), ask("Warm.", temperature=1.0, seed=5, n=2)]
    with running(loaded, query) as asked:
        return [one.text for one in await asked.all(requests)]


async def test_a_static_cache_gives_the_text_of_a_batch(loaded: Loaded) -> None:
    assert await texts(loaded, "kv_cache=static") == await texts(loaded, "")


async def test_a_cache_of_eight_bit_numbers_gives_whole_replies_with_log_probs(loaded: Loaded) -> None:
    with running(loaded, "kv_cache=fp8") as asked:
        assert asked.engine.kind == "one at a time"
        (done,) = await asked(ask("Log-probs.", logprobs=2, max_tokens=10))
        assert len(done.logprobs) == 10
        assert done.usage.completion_tokens == 10


@pytest.mark.parametrize(("kind", "package"), [("int4", "optimum"), ("int8", "hqq")])
def test_a_cache_that_needs_a_missing_package_names_it(loaded: Loaded, kind: str, package: str) -> None:
    if find_spec(package) is not None or find_spec("hqq") is not None:
        pytest.skip(f"{package} is installed")
    with pytest.raises(UsageError, match=f"pip install {package}"):
        engine_for(loaded, read_settings(f"m?kv_cache={kind}")[1])


@pytest.mark.parametrize("query", ["prompt_lookup=5&ngram=2", "assistant={drafter}"])
async def test_drafts_do_not_change_greedy_text(loaded: Loaded, drafter: Path, query: str) -> None:
    prompt = "one two one two one"
    with running(loaded) as asked:
        expected = (await asked(ask(prompt, max_tokens=40)))[0]
    with running(loaded, query.format(drafter=drafter)) as asked:
        done = (await asked(ask(prompt, max_tokens=40)))[0]
        assert done.text == expected.text
        assert done.usage == expected.usage
        facts = asked.engine.facts
        assert facts["engine"] == "speculative"
        assert 1 <= facts["passes"] <= facts["drawn"] == 40


async def test_drafts_keep_seeds_stops_and_streams(loaded: Loaded) -> None:
    heard: list[str] = []
    with running(loaded, "prompt_lookup=5") as asked:
        warm = ask("Warm.", temperature=1.0, seed=5, n=2, max_tokens=30)
        first = [one.text for one in await asked(warm)]
        assert [one.text for one in await asked(warm)] == first
        assert first[0] != first[1]
        whole = (await asked(ask("Stop.", max_tokens=30), lambda index, text: heard.append(text)))[0]
        assert "".join(heard) == whole.text
        stop = whole.text[4:6]
        (done,) = await asked(ask("Stop.", max_tokens=30, stop=(stop,)))
        assert done.text == whole.text[: whole.text.index(stop)]
        assert done.finish_reason == "stop"


async def test_samplers_of_the_models_own_files_are_not_used(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded.model.generation_config, "min_p", 1.0)  # only the likeliest token
    with running(loaded, "prompt_lookup=5") as asked:
        done = await asked(ask("Warm.", temperature=1.5, seed=5, n=3))
    assert len({one.text for one in done}) == 3


@pytest.mark.parametrize("query", ["kv_cache=static", "prompt_lookup=5"])
async def test_a_cancelled_request_makes_way_for_the_next(loaded: Loaded, query: str) -> None:
    with running(loaded, query) as asked:
        job = asked.job(ask(max_tokens=450, temperature=1.0), lambda index, sample: None)
        asked.engine.submit(job)
        await until(lambda: job.samples[0].drawn > 0)
        asked.engine.cancel(job)
        assert len(await asked(ask("Next."))) == 1
        assert job.samples[0].drawn < 450


async def test_what_the_memory_cannot_hold_is_refused(loaded: Loaded) -> None:
    with running(loaded, "kv_cache=fp8&kv_gb=0.0000128") as asked:
        assert len(await asked(ask(max_tokens=20))) == 1
        with pytest.raises(BackendError, match="memory for keys and values"):
            await asked(ask(max_tokens=300))


@pytest.mark.parametrize("query", ["kv_cache=static", "prompt_lookup=5"])
async def test_closing_in_the_middle_of_a_reply_fails_it(loaded: Loaded, query: str) -> None:
    with running(loaded, query) as asked:
        job = asked.job(ask(max_tokens=450, temperature=1.0, seed=1), lambda index, sample: None)
        asked.engine.submit(job)
        await until(lambda: job.samples[0].drawn > 0)
        await asyncio.to_thread(asked.engine.close)
        with pytest.raises(BackendError, match="closed while it was asked"):
            await asyncio.wait_for(job.finished, 5)


@pytest.mark.parametrize(("plain", "longest"), [(True, 4), (False, None)])
async def test_a_prompt_is_read_in_parts_only_where_nothing_is_lost_between_them(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, plain: bool, longest: int | None
) -> None:
    monkeypatch.setattr(alone, "PROMPT_TOKENS", 4)
    monkeypatch.setattr(alone, "is_batchable", lambda config: plain)
    sizes: list[int] = []
    with running(loaded, "kv_cache=static") as asked:
        engine = asked.engine
        assert isinstance(engine, AloneEngine)
        read = engine._read

        def counted(tokens: list[int], cache: Any) -> torch.Tensor:
            sizes.append(len(tokens))
            return read(tokens, cache)

        monkeypatch.setattr(engine, "_read", counted)
        (done,) = await asked(ask(max_tokens=3))
    assert max(sizes) == (longest or done.usage.prompt_tokens)


@pytest.mark.parametrize(("query", "part"), [("kv_cache=static", "_read"), ("prompt_lookup=5", "_generate")])
async def test_memory_that_runs_out_is_an_error_that_says_what_to_do(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, query: str, part: str
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with running(loaded, query) as asked:
        with monkeypatch.context() as patched:
            patched.setattr(asked.engine, part, full)
            with pytest.raises(BackendError, match="memory ran out; ask for fewer tokens") as caught:
                await asked(ask())
        assert not caught.value.retryable
        assert len(await asked(ask())) == 1
