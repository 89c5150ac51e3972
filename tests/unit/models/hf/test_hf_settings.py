from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from mathagent.errors import UnknownName, UnsupportedOption, UsageError
from mathagent.models import transformers_local
from mathagent.models.base import ConnectOptions
from mathagent.models.connect import connect_backend, split_model
from mathagent.models.hf.settings import HfSettings, read_settings
from mathagent.models.hf.source import source_of
from mathagent.models.transformers_local import connect


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a model, on a machine that has torch and transformers."""
    monkeypatch.setattr(transformers_local, "find_spec", lambda name: name)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}", encoding="utf-8")
    return model


def test_settings_stand_behind_the_name() -> None:
    name, settings = read_settings("Qwen/Qwen3-4B?dtype=bf16&kv_gb=1.5&parallel=8&thinking=off&min_p=0.1")
    assert name == "Qwen/Qwen3-4B"
    assert (settings.dtype, settings.kv_gb, settings.rows, settings.min_p) == ("bf16", 1.5, 8, 0.1)
    assert settings.template_arguments == {"enable_thinking": False}
    assert read_settings("m")[1] == HfSettings()


@pytest.mark.parametrize(
    ("query", "engine", "rows"),
    [("", "batched", 64), ("kv_cache=int4", "one at a time", 1), ("prompt_lookup=10", "speculative", 1)],
)
def test_what_runs_the_model_follows_from_the_settings(query: str, engine: str, rows: int) -> None:
    settings = read_settings(f"m?{query}")[1]
    assert (settings.engine, settings.rows) == (engine, rows)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("colour=red", "colour"),
        ("dtype=int3", "dtype"),
        ("device=tpu", "device"),
        ("parallel=0", "parallel"),
        ("min_p=1", "min_p"),
        ("lora=/a/x&lora_judge=/b/x", "two adapters are named x"),
        ("dtype=fp32&dtype=bf16", "dtype is given twice"),
        ("kv_gb=inf", "kv_gb"),
        ("steering=/v&strength=nan", "strength"),
        ("lora=/a/x:nan", "lora"),
        ("self_contrast=0", "self_contrast"),
        ("self_contrast=2&self_contrast_alpha=0", "self_contrast_alpha"),
        ("self_contrast=2&self_contrast_beta=-1", "self_contrast_beta"),
    ],
)
def test_what_is_no_setting_is_refused(query: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        read_settings(f"m?{query}")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("prompt_lookup=10&kv_cache=int4", "prompt_lookup with kv_cache=int4"),
        ("assistant=small&kv_cache=fp8", "assistant with kv_cache=fp8"),
        ("prompt_lookup=10&kv_cache=static", "prompt_lookup with kv_cache=static"),
        ("prompt_lookup=10&assistant=small", "prompt_lookup with assistant"),
        ("assistant=small&parallel=4", "assistant with parallel=4"),
        ("kv_cache=int8&parallel=2", "kv_cache=int8 with parallel=2"),
        ("compile=on", "compile without kv_cache=static"),
        ("prompt_lookup=3&thinking_tokens=100", "thinking_tokens with prompt_lookup"),
        ("thinking_tokens=100&thinking=off", "thinking_tokens with thinking=off"),
        ("self_contrast=2&prompt_lookup=3", "self_contrast with prompt_lookup"),
        ("self_contrast=2&assistant=small", "self_contrast with assistant"),
        ("self_contrast=2&kv_cache=static&compile=on", "self_contrast with compile"),
        ("self_contrast_beta=0.5", "self_contrast_beta without self_contrast"),
        ("strength=2", "strength without steering"),
        ("ngram=3", "ngram without prompt_lookup"),
        ("prompt_lookup=3&assistant_tokens=5", "assistant_tokens without assistant"),
        ("assistant_confidence=0.9", "assistant_confidence without assistant"),
    ],
)
def test_combinations_that_cannot_be_are_refused_by_name(query: str, named: str) -> None:
    with pytest.raises(UnsupportedOption, match=named):
        read_settings(f"m?{query}")


def test_adapters_are_those_of_the_role_or_those_asked_for() -> None:
    settings = read_settings("m?lora=/a/general:0.5&lora_judge=/a/strict")[1]
    assert settings.adapters("solver", None, "hf:m") == (("general", 0.5),)
    assert settings.adapters("judge", None, "hf:m") == (("strict", 1.0),)
    assert settings.adapters("judge", {"general": 2.0, "strict": 0.0}, "hf:m") == (("general", 2.0),)
    assert settings.adapters("judge", {}, "hf:m") == ()
    with pytest.raises(UnknownName, match="general"):
        settings.adapters("judge", {"generl": 1.0}, "hf:m")


def test_adapters_have_the_whole_names_of_their_folders() -> None:
    settings = read_settings("m?lora=/a/strict-v1.0&lora_judge=/a/strict-v1.1/")[1]
    assert settings.adapters("solver", None, "hf:m") == (("strict-v1.0", 1.0),)
    assert settings.adapters("judge", None, "hf:m") == (("strict-v1.1", 1.0),)


@pytest.mark.parametrize("query", ["", "&assistant={gguf}"])
def test_a_gguf_file_is_not_quantised_and_nothing_is_loaded_to_say_so(
    folder: Path, tmp_path: Path, query: str
) -> None:
    gguf = tmp_path / "own.gguf"
    gguf.write_bytes(b"GGUF" + bytes(20))
    model = folder if query else gguf
    with pytest.raises(UnsupportedOption, match="quantize=4bit with a GGUF file"):
        connect(f"{model}?quantize=4bit{query.format(gguf=gguf)}", ConnectOptions())


def test_an_assistant_that_can_be_no_model_is_refused_before_anything_is_loaded(folder: Path) -> None:
    with pytest.raises(UsageError, match="no-such-folder"):
        connect(f"{folder}?assistant=./no-such-folder", ConnectOptions())


def test_what_shapes_replies_is_part_of_the_identity_and_nothing_else_is(folder: Path) -> None:
    plain = connect(str(folder), ConnectOptions()).identity
    for query in ("device=cpu", "parallel=3", "kv_gb=1", "context=4096"):
        assert connect(f"{folder}?{query}", ConnectOptions()).identity == plain
    for query in (
        "dtype=fp32",
        "top_k=5",
        "thinking=off",
        "kv_cache=int4",
        "lora=/a/b",
        "quantize=4bit",
        "self_contrast=2",
    ):
        assert connect(f"{folder}?{query}", ConnectOptions()).identity != plain


def test_a_folder_is_another_model_once_a_file_in_it_changes(folder: Path) -> None:
    before = connect(str(folder), ConnectOptions())
    assert before.name == f"hf:{folder}"
    (folder / "config.json").write_text('{"a": 1}', encoding="utf-8")
    assert connect(str(folder), ConnectOptions()).identity != before.identity


def test_a_name_of_the_catalog_is_its_file_and_one_of_the_hub_is_the_hubs(own_home: Path) -> None:
    assert source_of("smollm2-135m").identity.startswith("hf:smollm2-135m@b179c952")
    hub = source_of("Qwen/Qwen3-4B@v1")
    assert (hub.place, hub.revision, hub.gguf) == ("Qwen/Qwen3-4B", "v1", None)


@pytest.mark.parametrize("name", ["", "./nowhere", "/nowhere/at/all", "a/b/c", "what is this", "nowhere.gguf"])
def test_what_can_be_no_model_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        source_of(name)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json"):
        source_of(str(tmp_path))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (ConnectOptions(base_url="http://127.0.0.1:1"), "base_url"),
        (ConnectOptions(api_key=SecretStr("k")), "api_key"),
    ],
)
def test_options_of_endpoints_are_refused_by_name(folder: Path, options: ConnectOptions, named: str) -> None:
    with pytest.raises(UnsupportedOption, match=named):
        connect(str(folder), options)


def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers_local, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"torch and transformers: pip install 'mathagent\[gpu\]'"):
        connect(str(folder), ConnectOptions())


def test_it_is_found_in_the_table_by_its_name(folder: Path) -> None:
    assert split_model("hf:a/b?dtype=bf16", has_endpoint=True) == ("hf", "a/b?dtype=bf16")
    backend = connect_backend(f"hf:{folder}?parallel=5", ConnectOptions())
    assert (backend.name, backend.max_parallel) == (f"hf:{folder}?parallel=5", 5)


def test_the_page_names_every_setting() -> None:
    page = (Path(__file__).parents[4] / "docs" / "backends.md").read_text(encoding="utf-8")
    section = page[page.index("## Transformers on this machine") :]
    assert [name for name in HfSettings.model_fields if f"`{name}`" not in section] == []
