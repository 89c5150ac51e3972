"""The spec of a run: a TOML file, the command line over it, and errors that name the key and the nearest known one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mathagent.budget import Budget
from mathagent.errors import UsageError
from mathagent.evals.bench_spec import BenchSpec, merged, read_config, spec_of

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def spec(**values: Any) -> BenchSpec:
    return spec_of(values, "bench")


def arms(one: BenchSpec) -> list[tuple[str, dict[str, Any]]]:
    return [(arm.strategy, arm.config) for arm in one.all_arms()]


def test_without_anything_the_strategy_is_pal() -> None:
    assert arms(spec(datasets=["gsm8k"])) == [("pal", {})]


def test_one_stands_for_a_list_of_one() -> None:
    one = spec(datasets="gsm8k", strategies="cot", models="openai:gpt-4o-mini", subset="level=5")
    assert (one.datasets, one.strategies, one.subset) == (("gsm8k",), ("cot",), ("level=5",))
    assert [model.name for model in one.models] == ["openai:gpt-4o-mini"]


def test_arms_have_the_settings_of_all_under_their_own() -> None:
    one = spec(
        strategies=["cot"],
        arms=[{"strategy": "self-consistency", "settings": {"n": 8}}, {"strategy": "cot"}],
        settings={"n": 4, "temperature": 0.7},
        budget={"tokens": 500, "seconds": 60},
        attempts=3,
        seed=5,
    )
    assert arms(one) == [
        ("cot", {"n": 4, "temperature": 0.7}),
        ("self-consistency", {"n": 8, "temperature": 0.7}),
    ]
    assert {(arm.budget, arm.attempts, arm.seed) for arm in one.all_arms()} == {
        (Budget(max_tokens=500, max_seconds=60), 3, 5)
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"limt": 3}, "grid.toml: unknown key 'limt'; did you mean 'limit'"),
        ({"budget": {"token": 3}}, "unknown key 'budget.token'; did you mean 'tokens'"),
        ({"arms": [{"strategy": "cot", "seting": {}}]}, "unknown key 'arms.seting'; did you mean 'settings'"),
        ({"models": [{"nam": "x"}]}, "unknown key 'models.nam'; did you mean 'name'"),
        ({"zzz": 1}, "unknown key 'zzz'; known: arms, attempts"),
        ({"attempts": 0}, "attempts = 0 is wrong"),
        ({"memory_mode": "write"}, "memory_mode = 'write' is wrong"),
        ({"on_interrupt": "stop"}, "on_interrupt = 'stop' is wrong"),
        ({"models": []}, "models"),
        ({"item_seconds": 0}, "item_seconds = 0 is wrong"),
    ],
)
def test_wrong_keys_and_values_are_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        spec_of(values, "grid.toml")


def test_the_command_line_wins() -> None:
    file = {
        "datasets": ["a"],
        "strategies": ["cot"],
        "arms": [{"strategy": "pal", "settings": {"n": 2}}],
        "settings": {"temperature": 0.5},
        "budget": {"tokens": 100, "calls": 4},
        "limit": 60,
    }
    over = merged(file, {"settings": {"n": 9}, "budget": {"calls": 1}, "limit": 3})
    one = spec_of(over, "bench")
    assert arms(one) == [("cot", {"temperature": 0.5, "n": 9}), ("pal", {"temperature": 0.5, "n": 9})]
    assert (one.budget.tokens, one.budget.calls, one.limit) == (100, 1, 3)
    replaced = spec_of(merged(file, {"strategies": ["auto"]}), "bench")
    assert [name for name, _ in arms(replaced)] == ["auto"]
    assert file["arms"] == [{"strategy": "pal", "settings": {"n": 2}}]  # pure


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"memory_mode": "learn", "strategies": ["cot", "pal"]}, "one strategy, one model and one attempt"),
        ({"memory_mode": "learn", "models": ["a", "b"]}, "one strategy, one model and one attempt"),
        ({"memory_mode": "learn", "attempts": 2}, "one strategy, one model and one attempt"),
        ({"memory_feedback": True}, "add --memory-mode learn"),
        ({"memory_mode": "off", "memory": "x.db"}, "leave out one of them"),
    ],
)
def test_what_cannot_go_together_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        spec_of(values, "bench").all_arms()


def test_a_memory_that_is_named_is_read() -> None:
    assert spec().memory_used == "off"
    assert spec(memory="x.db").memory_used == "read"


def test_what_a_run_keeps_says_nothing_of_how_it_was_run_nor_a_password() -> None:
    one = spec(
        datasets=["a"],
        models=[{"name": "openai:m", "base_url": "http://me:secret@host/v1"}],
        concurrency=8,
        name="mine",
        output="o.jsonl",
    )
    kept = one.recorded()
    assert not {"concurrency", "name", "output", "on_interrupt", "cache"} & set(kept)
    assert "secret" not in str(kept)
    plain = spec(datasets=["a"], models=["openai:m"])
    assert BenchSpec.model_validate(plain.recorded()) == plain


def test_what_a_run_keeps_names_its_files_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "plain").write_text("", encoding="utf-8")
    one = spec(
        datasets=["own.jsonl", "sub/own2.jsonl", "gsm8k", "plain", "nowhere"],
        data="data",
        memory="mine.db",
        subset=["ids=@ids.txt", "level=4,5"],
    )
    kept = BenchSpec.model_validate(one.recorded())
    here = tmp_path
    assert kept.datasets == (
        *(str(here / name) for name in ("own.jsonl", "sub/own2.jsonl")),
        *("gsm8k", str(here / "plain"), "nowhere"),
    )
    assert (kept.data, kept.memory) == (here / "data", here / "mine.db")
    assert kept.subset == (f"ids=@{here / 'ids.txt'}", "level=4,5")
    assert kept.recorded() == one.recorded()


def test_a_file_is_read_and_its_neighbours_found(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text("", encoding="utf-8")
    (tmp_path / "grid.toml").write_text(
        'datasets = ["own.jsonl", "gsm8k"]\non-interrupt = "leave"\n[budget]\ntokens = 9\n', encoding="utf-8"
    )
    assert read_config(tmp_path / "grid.toml") == {
        "datasets": [str(tmp_path / "own.jsonl"), "gsm8k"],
        "on_interrupt": "leave",
        "budget": {"tokens": 9},
    }
    (tmp_path / "bad.toml").write_text("datasets = [\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is not TOML"):
        read_config(tmp_path / "bad.toml")
    with pytest.raises(UsageError, match="cannot read"):
        read_config(tmp_path / "none.toml")


def test_the_example_is_a_spec() -> None:
    one = spec_of(read_config(EXAMPLES / "bench.toml"), "bench.toml")
    assert len(one.all_arms()) > 1
    assert one.datasets
