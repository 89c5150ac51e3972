from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from tiny_transformer import ask, load_tiny, until, write_model

from mathagent.errors import BackendError, ModelFileError, UnsupportedOption, UsageError
from mathagent.models.base import ConnectOptions, PartialReply, Started, ToolSpec, on_sample, prepare
from mathagent.models.hf import engines
from mathagent.models.hf.source import Source
from mathagent.models.transformers_local import TransformersBackend, connect
from mathagent.types import Completion

TOOL = ToolSpec(name="add", description="Adds.", parameters={"type": "object"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


@asynccontextmanager
async def opened(
    folder: Path, query: str = "dtype=fp32&device=cpu", **options: Any
) -> AsyncIterator[TransformersBackend]:
    backend = connect(f"{folder}?{query}", ConnectOptions(**options))
    try:
        yield backend
    finally:
        await backend.aclose()


async def test_preparing_loads_the_model_and_says_how_it_runs(folder: Path) -> None:
    said: list[str] = []
    async with opened(folder, on_progress=lambda progress: said.append(progress.message)) as backend:
        assert backend.facts == {}
        assert not backend.capabilities.tool_calls
        identity = backend.identity
        await prepare(backend)
        assert backend.capabilities.tool_calls
        assert backend.identity == identity
        assert backend.facts["loaded"] == "cpu, float32, attention by sdpa"
    assert said[0].startswith("loading hf:")
    assert "cpu, float32, attention by sdpa; batched, 512 tokens" in said[-1]


async def test_it_is_loaded_once_when_it_is_started_before_any_deadline(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    load = engines.open_engine

    def counted(source: Source, *rest: Any) -> Any:
        loads.append(source.identity)
        return load(source, *rest)

    monkeypatch.setattr(engines, "open_engine", counted)
    async with opened(folder) as backend:
        assert isinstance(backend, Started)
        await backend.start()
        assert backend.capabilities.tool_calls
        assert len(loads) == 1
        await asyncio.gather(backend.start(), prepare(backend), backend.complete(ask()))
        assert len(loads) == 1


async def test_backends_of_the_same_model_share_it_until_the_last_is_closed(folder: Path) -> None:
    async with opened(folder) as one, opened(folder) as other, opened(folder, "dtype=bf16&device=cpu") as third:
        for backend in (one, other, third):
            await prepare(backend)
        assert one._engine is other._engine is not third._engine
        engine = one._engine
        await one.aclose()
        await one.aclose()
        assert len(await other.complete(ask())) == 1
        assert len(await one.complete(ask())) == 1  # opened anew
        assert one._engine is engine
    assert engines._shared == {}


async def test_each_sample_is_told_as_it_ends_and_the_arrived_survive_a_failure(folder: Path) -> None:
    told: dict[int, Completion] = {}
    async with opened(folder, "dtype=fp32&device=cpu&parallel=1") as backend:
        engine = await backend._open()
        token = on_sample.set(lambda index, completion: told.setdefault(index, completion))
        try:
            done = await backend.complete(ask(n=3, temperature=1.0, seed=0))
            assert [told[index] for index in range(3)] == done
            told.clear()
            asking = asyncio.ensure_future(backend.complete(ask(n=3, temperature=1.0, seed=0, max_tokens=100)))
            await until(lambda: bool(told))
            engine._step = None  # type: ignore[method-assign,assignment]
            with pytest.raises(PartialReply, match="the model failed") as caught:
                await asking
        finally:
            on_sample.reset(token)
        assert 0 in caught.value.arrived
        assert caught.value.arrived.items() <= told.items()
        del engine._step
        assert len(await backend.complete(ask())) == 1


async def test_a_cancelled_request_is_forgotten_by_the_engine(folder: Path) -> None:
    async with opened(folder) as backend:
        await prepare(backend)
        task = asyncio.ensure_future(backend.complete(ask(max_tokens=400, temperature=1.0)))
        await until(lambda: backend.facts["drawn"] > 0)
        task.cancel()
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
        await backend.complete(ask("Next."))
        assert backend._engine is not None
        assert backend._engine._running == []


async def test_requests_from_several_loops_are_served(folder: Path) -> None:
    async with opened(folder) as backend:
        (here,) = await backend.complete(ask())
        (there,) = await asyncio.to_thread(lambda: asyncio.run(backend.complete(ask())))
        assert here.text == there.text


async def test_tools_are_shown_and_their_calls_read(folder: Path) -> None:
    async with opened(folder) as backend:
        heard: list[str] = []
        call = r'\{"name": "add", "arguments": \{\}\}'
        request = ask(tools=(TOOL,), regex=call, max_tokens=60)
        (done,) = await backend.complete(request, lambda index, text: heard.append(text))
        assert (done.text, done.finish_reason, heard) == ("", "tool_calls", [])
        assert [(call.name, call.arguments) for call in done.tool_calls] == [("add", "{}")]


async def test_drafts_have_no_log_probs_and_follow_no_schema(folder: Path) -> None:
    async with opened(folder, "dtype=fp32&device=cpu&prompt_lookup=4") as backend:
        for request, named in ((ask(logprobs=1), "logprobs"), (ask(json_schema={}), "json_schema")):
            with pytest.raises(UnsupportedOption, match=named):
                await backend.complete(request)
        assert backend.max_parallel == 1


async def test_without_llguidance_constraints_are_refused_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mathagent.models.hf.constraints.available", lambda: False)
    async with opened(folder) as backend:
        await prepare(backend)
        with pytest.raises(UnsupportedOption, match="regex"):
            await backend.complete(ask(regex="a"))


async def test_each_role_speaks_with_its_adapter(folder: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    for name, seed in (("general", 1), ("strict", 2)):
        torch.manual_seed(seed)
        config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False, lora_alpha=64)
        peft.get_peft_model(load_tiny(folder).model, config).save_pretrained(tmp_path / name)
    query = f"dtype=fp32&device=cpu&lora={tmp_path / 'general'}&lora_judge={tmp_path / 'strict'}"
    async with opened(folder) as plain, opened(folder, query) as backend:
        bare = (await plain.complete(ask()))[0].text
        asked = [ask(), ask(role="judge"), ask(lora={}), ask(lora={"general": 1.0}), ask(lora={"general": 0.5})]
        done = await asyncio.gather(*(backend.complete(request) for request in asked))
        solver, judge, none, named, half = [completions[0].text for completions in done]
        assert none == bare
        assert solver == named
        assert len({bare, solver, judge, half}) == 4
        assert backend.identity != plain.identity


@pytest.mark.parametrize(
    ("spoil", "kind", "named"),
    [
        (lambda model: (model / "model.safetensors").unlink(), ModelFileError, "cannot be loaded"),
        (lambda model: (model / "model.safetensors").write_bytes(b"cut" * 99), ModelFileError, "cannot be loaded"),
        (lambda model: (model / "config.json").write_text('{"model_type": "sudoku"}'), UsageError, "sudoku"),
        (lambda model: (model / "chat_template.jinja").unlink(), UsageError, "no chat template"),
    ],
    ids=["no weights", "cut weights", "unknown architecture", "no template"],
)
async def test_what_cannot_be_loaded_is_an_error_of_one_line(
    tmp_path: Path, spoil: Any, kind: type[Exception], named: str
) -> None:
    spoil(model := write_model(tmp_path / "m"))
    async with opened(model) as backend:
        with pytest.raises(kind, match=named) as caught:
            await prepare(backend)
        assert "\n" not in str(caught.value)
    assert engines._shared == {}


async def test_a_name_that_the_hub_does_not_have_says_what_works_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    backend = connect("nobody/nothing-at-all", ConnectOptions())
    with pytest.raises(ModelFileError, match="hub's cache"):
        await prepare(backend)


async def test_a_device_that_is_not_there_is_named(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    async with opened(folder, "device=cuda:3") as backend:
        with pytest.raises(UsageError, match="device=cuda:3"):
            await prepare(backend)


async def test_quantising_without_bitsandbytes_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mathagent.models.hf.loading.find_spec", lambda name: None if name == "bitsandbytes" else name
    )
    async with opened(folder, "device=cpu&quantize=4bit") as backend:
        with pytest.raises(UsageError, match="pip install bitsandbytes"):
            await prepare(backend)


async def test_a_model_that_does_not_fit_says_how_it_might(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, *_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("transformers.Qwen2ForCausalLM.to", full)
    async with opened(folder) as backend:
        with pytest.raises(BackendError, match=r"does not fit.*quantize=4bit"):
            await prepare(backend)
