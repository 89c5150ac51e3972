"""A grid is one run: several data sets, arms and models, ended early or not; its records are in the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import BackendError, StorageError, UsageError
from mathagent.evals.bench_spec import spec_of
from mathagent.evals.dataset import Dataset
from mathagent.evals.grid import Grid
from mathagent.evals.metrics import arms
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.run_tables import RunInfo
from mathagent.types import Problem


def doubles(name: str, count: int, *, first: int = 0) -> Dataset:
    numbers = range(first, first + count)
    problems = [
        Problem(text=f"What is {n} + {n}?", id=f"{name}/{n}", reference=str(2 * n), metadata={"level": n % 2 + 1})
        for n in numbers
    ]
    return Dataset(name=name, problems=tuple(problems))


def model(folder: Path, name: str, *replies: object) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(list(replies)), encoding="utf-8")
    return f"script:{path}"


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path / "runs.db")


Heard = list[tuple[Record, bool]]


async def measure(
    store: RecordStore,
    datasets: list[Dataset],
    *,
    finish: asyncio.Event | None = None,
    on_record: Callable[[Heard], Any] = lambda heard: None,
    **values: Any,
) -> tuple[RunInfo, list[Record], Heard]:
    heard: Heard = []

    def hear(record: Record, known: bool) -> None:
        heard.append((record, known))
        on_record(heard)

    spec = spec_of(
        {"datasets": ["given"], "cache": False, "concurrency": 1, "strategies": ["cot"], **values}, "test"
    )
    async with Grid(spec, datasets, store) as grid:
        await grid.measure(hear, finish=finish)
        return store.run(grid.run.id), store.run_records(grid.run.id), heard


async def test_a_memory_to_be_read_must_be_there(store: RecordStore, tmp_path: Path) -> None:
    """Else a name with a slip in it would be measured as a memory that holds nothing of use."""
    missing = tmp_path / "memroy.db"
    with pytest.raises(UsageError, match="there is no memory"):
        await measure(store, [doubles("a", 1)], models=[model(tmp_path, "one", "\\boxed{0}")], memory=str(missing))
    assert store.runs() == []
    assert not missing.exists()


async def test_data_sets_by_arms_by_models_are_one_run(store: RecordStore, tmp_path: Path) -> None:
    right = [f"\\boxed{{{2 * n}}}" for n in (0, 1, 5, 6, 7)]
    run, records, heard = await measure(
        store,
        [doubles("a", 2), doubles("b", 3, first=5)],
        arms=[{"strategy": "cot", "settings": {"max_tokens": 64}}],
        models=[
            model(tmp_path, "one", *right[:2], *right[:2], *right[2:], *right[2:]),
            model(tmp_path, "two", *["\\boxed{1}"] * 10),
        ],
    )
    assert (run.status, run.planned, run.counts) == ("finished", 20, {"correct": 10, "incorrect": 10})
    assert [one for one, _ in heard] == records
    assert [(arm.dataset, arm.model.endswith("two.json"), len(arm.records)) for arm in arms(records)] == [
        ("a", False, 2),
        ("a", False, 2),
        ("b", False, 3),
        ("b", False, 3),
        ("a", True, 2),
        ("a", True, 2),
        ("b", True, 3),
        ("b", True, 3),
    ]


async def test_a_second_run_shares_the_records_under_its_own_labels(store: RecordStore, tmp_path: Path) -> None:
    asked = model(tmp_path, "m", "\\boxed{0}", "\\boxed{2}")
    await measure(store, [doubles("a", 2)], models=asked)
    silent = model(tmp_path, "m")
    run, records, heard = await measure(store, [doubles("renamed", 2)], models=silent)
    assert [known for _, known in heard] == [True, True]
    assert [(one.dataset, one.problem_id) for one in records] == [
        ("renamed", "renamed/0"),
        ("renamed", "renamed/1"),
    ]
    assert run.status == "finished"
    assert len(store.runs()) == 2


async def test_finish_ends_with_what_is_in_flight_and_the_run_goes_on_later(
    store: RecordStore, tmp_path: Path
) -> None:
    finish = asyncio.Event()
    whole = [f"\\boxed{{{2 * n}}}" for n in range(6)]
    values: dict[str, Any] = {"name": "mine", "models": model(tmp_path, "m", *whole)}
    run, records, _ = await measure(
        store,
        [doubles("a", 6)],
        finish=finish,
        on_record=lambda heard: finish.set() if len(heard) == 2 else None,
        **values,
    )
    assert (run.status, len(records), run.planned) == ("interrupted", 2, 6)
    model(tmp_path, "m", *whole[2:])
    run, records, heard = await measure(store, [doubles("a", 6)], **values)
    assert (run.status, run.counts) == ("finished", {"correct": 6})
    assert [known for _, known in heard] == [True] * 2 + [False] * 4
    assert [one.problem_id for one in records] == [f"a/{n}" for n in range(6)]


async def test_cancelled_leaves_what_is_in_flight(store: RecordStore, tmp_path: Path) -> None:
    slow = model(tmp_path, "m", "\\boxed{0}", {"text": "\\boxed{2}", "delay_s": 60})
    begun = asyncio.Event()
    task = asyncio.ensure_future(
        measure(store, [doubles("a", 2)], models=slow, name="mine", on_record=lambda heard: begun.set())
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (store.run("mine").status, store.run("mine").counts) == ("interrupted", {"correct": 1})


async def test_a_lost_endpoint_makes_errors_that_the_next_run_tries_again(
    store: RecordStore, tmp_path: Path
) -> None:
    lost = [{"error": "the endpoint is down"}] * 2
    values: dict[str, Any] = {"name": "mine"}
    run, _, _ = await measure(store, [doubles("a", 3)], models=model(tmp_path, "m", "\\boxed{0}", *lost), **values)
    assert (run.status, run.counts) == ("finished", {"correct": 1, "error": 2})
    run, records, heard = await measure(
        store, [doubles("a", 3)], models=model(tmp_path, "m", "\\boxed{2}", "\\boxed{4}"), **values
    )
    assert [known for _, known in heard] == [True, False, False]
    assert run.counts == {"correct": 3}
    assert [one.problem_id for one in records] == ["a/0", "a/1", "a/2"]


async def test_a_refused_key_fails_the_run(store: RecordStore, tmp_path: Path) -> None:
    refused = model(tmp_path, "m", "\\boxed{0}", {"error": "the key was refused", "status": 401})
    with pytest.raises(BackendError, match="key was refused"):
        await measure(store, [doubles("a", 3)], models=refused, name="mine")
    assert (store.run("mine").status, store.run("mine").counts) == ("failed", {"correct": 1})


async def test_a_full_disk_ends_the_run_and_what_was_done_stays(store: RecordStore, tmp_path: Path) -> None:
    asked = model(tmp_path, "m", *[f"{'so ' * 4000}\\boxed{{{2 * n}}}" for n in range(40)])

    def fill(heard: Heard) -> None:
        if len(heard) == 3:  # what SQLite sees of a full disk
            pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
            store._connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StorageError, match="free some disk space; what it holds is kept"):
        await measure(store, [doubles("a", 40)], models=asked, name="mine", on_record=fill)
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.run("mine").counts["correct"] >= 3
    assert len(store.run_records("mine")) == store.run("mine").counts["correct"]


async def test_an_edited_data_set_is_not_the_same_run(store: RecordStore, tmp_path: Path) -> None:
    asked = model(tmp_path, "m", "\\boxed{0}", "\\boxed{2}")
    await measure(store, [doubles("a", 2)], models=asked, name="mine")
    edited = doubles("a", 2)
    changed = edited.problems[1].model_copy(update={"reference": "3"})
    with pytest.raises(UsageError, match="begun with other settings \\(items was"):
        await measure(
            store,
            [edited.model_copy(update={"problems": (edited.problems[0], changed)})],
            models=asked,
            name="mine",
        )


@pytest.mark.parametrize(
    ("datasets", "values", "words"),
    [
        ([doubles("a", 1), doubles("a", 1)], {}, "two data sets are named 'a'"),
        ([doubles("a", 1)], {"models": ["MODEL", "MODEL"]}, "is given twice"),
        ([doubles("a", 1)], {"strategies": ["cot", "nix"]}, "no strategy is named 'nix'"),
        ([doubles("a", 1)], {"subset": ["level=9"]}, "no level in a is named '9'"),
        ([doubles("a", 1).model_copy(update={"task": "judge"})], {}, "judgements of given solutions"),
    ],
)
async def test_what_is_wrong_is_said_before_any_call_and_makes_no_run(
    store: RecordStore, tmp_path: Path, datasets: list[Dataset], values: dict[str, Any], words: str
) -> None:
    asked = model(tmp_path, "m")
    models = [asked for _ in values.get("models", [0])]
    with pytest.raises(UsageError, match=words):
        await measure(store, datasets, **{**values, "models": models})
    assert store.runs() == []


async def test_subset_shuffle_and_limit_are_applied_to_each_data_set(store: RecordStore, tmp_path: Path) -> None:
    asked = model(tmp_path, "m", *["\\boxed{0}"] * 6)
    _, records, _ = await measure(
        store,
        [doubles("a", 20), doubles("b", 20, first=50)],
        models=asked,
        subset="level=2",
        shuffle=True,
        limit=3,
    )
    assert [one.dataset for one in records] == ["a"] * 3 + ["b"] * 3
    assert {one.level for one in records} == {"2"}


async def test_attempts_are_records_of_the_same_item(store: RecordStore, tmp_path: Path) -> None:
    asked = model(tmp_path, "m", "\\boxed{0}", "\\boxed{2}", "\\boxed{1}", "\\boxed{2}")
    _, records, _ = await measure(
        store, [doubles("a", 2)], models=asked, attempts=2, settings={"temperature": 0.7}, seed=1
    )
    assert [(one.problem_id, one.attempt, one.outcome) for one in records] == [
        ("a/0", 0, "correct"),
        ("a/1", 0, "correct"),
        ("a/0", 1, "incorrect"),
        ("a/1", 1, "correct"),
    ]
    assert len({one.item_hash for one in records}) == 2


async def test_a_problem_that_stands_in_two_data_sets_is_solved_once_for_both(
    store: RecordStore, tmp_path: Path
) -> None:
    asked = model(tmp_path, "m", "\\boxed{0}", "\\boxed{2}", "\\boxed{5}")
    run, records, _ = await measure(store, [doubles("a", 2), doubles("b", 3)], models=asked)
    assert [(one.problem_id, one.outcome) for one in records] == [
        ("a/0", "correct"),
        ("a/1", "correct"),
        ("b/0", "correct"),
        ("b/1", "correct"),
        ("b/2", "incorrect"),
    ]
    assert [len(arm.records) for arm in arms(records)] == [2, 3]
    assert run.planned == sum(run.counts.values())


async def test_other_code_or_prompts_are_another_run(
    store: RecordStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = model(tmp_path, "m", "\\boxed{0}")
    await measure(store, [doubles("a", 1)], models=asked, name="mine")
    monkeypatch.setattr("mathagent.evals.grid.code_version", lambda: "other")
    with pytest.raises(UsageError, match=r'other settings \(code was "[0-9a-f]+", is "other"\)'):
        await measure(store, [doubles("a", 1)], models=asked, name="mine")
