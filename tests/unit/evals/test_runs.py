"""Which run is meant."""

from __future__ import annotations

from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest

from mathagent.config import settings
from mathagent.errors import UnknownName, UsageError
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.runs import find_run, load_records


def record(key: str) -> Record:
    return Record(
        key=key,
        dataset="d",
        problem_id=key,
        strategy="cot",
        config={},
        model="script:x",
        reference="1",
        answer="1",
        outcome="correct",
        reason="",
    )


@pytest.fixture
def store() -> RecordStore:
    """Two runs, with one record each and one that both have."""
    store = RecordStore(settings().runs_path)
    for name in ("first-a", "first-b"):
        run = store.start_run({"datasets": ["d"]}, name, planned=2)
        store.put(record(name), run.id, place=0)
        store.put(record("shared"), run.id, place=1)
        store.finish_run(run.id, "finished")
    return store


def keys(spec: str) -> list[str]:
    return [one.key for one in load_records(spec)]


def test_an_id_its_beginning_and_last_mean_a_run(store: RecordStore) -> None:
    assert keys("first-a") == ["first-a", "shared"]
    assert keys("last") == ["first-b", "shared"]
    store.start_run({}, "second")
    assert find_run(store, "sec").id == "second"


def test_last_is_the_run_that_was_written_to_last(store: RecordStore) -> None:
    store.put(record("late"), "first-a", place=2)
    assert find_run(store, "last").id == "first-a"


def test_a_clock_that_is_set_back_does_not_change_which_is_last(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2020, 1, 1, tzinfo=tz)

    monkeypatch.setattr("mathagent.evals.run_tables.datetime", Clock)
    store.put(record("late"), "first-a", place=2)
    assert find_run(store, "last").id == "first-a"


def test_a_beginning_of_several_ids_is_refused_with_their_names(store: RecordStore) -> None:
    with pytest.raises(UsageError, match=r"may be 2 runs \(first-a, first-b\)"):
        load_records("first")


def test_an_exact_id_wins_over_the_ids_that_begin_so(store: RecordStore) -> None:
    store.start_run({}, "first")
    assert find_run(store, "first").id == "first"


def test_a_name_of_no_run_gets_the_nearest(store: RecordStore) -> None:
    with pytest.raises(UnknownName, match="did you mean first-a"):
        load_records("frist-a")
    with pytest.raises(UsageError):
        load_records("")


def test_a_file_of_records_is_read(tmp_path: Path, store: RecordStore) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(record("k").model_dump_json() + "\n")
    assert keys(str(path)) == ["k"]


def test_without_any_run_the_error_says_how_to_make_one() -> None:
    with pytest.raises(UsageError, match="mathagent bench"):
        load_records("last")


def test_a_run_without_records_is_an_error(store: RecordStore) -> None:
    store.start_run({}, "empty")
    with pytest.raises(UsageError, match="'empty' holds no records"):
        load_records("empty")
