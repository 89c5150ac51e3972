"""Runs in runs.db: what a run has, what it keeps, how it is gone on with, an old file, many processes, a full disk."""

from __future__ import annotations

import multiprocessing
import os
import platform
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mathagent.errors import StorageError, UnknownName, UsageError
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.run_owner import is_gone, started, this_process


def record(key: str, **changes: object) -> Record:
    values: dict[str, object] = {
        "key": key,
        "dataset": "doubles",
        "problem_id": f"p-{key}",
        "strategy": "cot",
        "config": {},
        "model": "script:test",
        "reference": "4",
        "answer": "4",
        "outcome": "correct",
        "reason": "equal",
    }
    return Record.model_validate({**values, **changes})


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    return RecordStore(tmp_path / "runs.db")


def test_a_run_has_its_records_in_the_order_of_its_data_sets(store: RecordStore) -> None:
    spec = {"datasets": ["doubles"], "limit": None}
    run = store.start_run(spec, planned=3)
    assert (run.status, run.planned, run.counts, run.spec) == ("running", 3, {}, spec)
    for key, place in (("b", 1), ("a", 0), ("c", 2)):
        store.put(record(key, outcome="incorrect" if key == "b" else "correct"), run.id, place=place)
    assert [one.key for one in store.run_records(run.id)] == ["a", "b", "c"]
    store.finish_run(run.id, "finished")
    (listed,) = store.runs()
    assert listed == store.run(run.id)
    assert (listed.status, listed.counts) == ("finished", {"correct": 2, "incorrect": 1})


def test_ids_of_unnamed_runs_differ_and_unknown_ones_offer_the_nearest(store: RecordStore) -> None:
    made = [store.start_run({}).id for _ in range(40)]
    assert len(set(made)) == 40
    store.start_run({}, "pal-vs-cot")
    with pytest.raises(UnknownName, match="did you mean pal-vs-cot"):
        store.run_records("pal-vs-cut")


def test_a_named_run_is_gone_on_with_only_as_it_was_begun(store: RecordStore) -> None:
    begun = store.start_run({"limit": 60}, "mine")
    store.put(record("a"), "mine")
    again = store.start_run({"limit": 60}, "mine")
    assert (again.id, again.created, again.counts) == ("mine", begun.created, {"correct": 1})
    with pytest.raises(UsageError, match=r"other settings \(limit was 60, is 100\); give another --name"):
        store.start_run({"limit": 100}, "mine")
    with pytest.raises(UsageError, match="must not be empty"):
        store.start_run({}, " ")


def test_a_run_keeps_what_it_had_when_the_record_is_solved_again(store: RecordStore) -> None:
    first, second, third = (store.start_run({}).id for _ in range(3))
    store.put(record("a", answer=None, outcome="error", reason="the solve failed", error="down"), first)
    store.put(record("a", answer="4"), second)
    store.put(record("a", answer="5", outcome="incorrect"), third)
    assert [store.run_records(run)[0].outcome for run in (first, second, third)] == [
        "error",
        "correct",
        "incorrect",
    ]
    assert [run.counts for run in store.runs()] == [{"error": 1}, {"correct": 1}, {"incorrect": 1}]
    assert store.get(["a"])["a"].answer == "5"


def test_within_one_run_the_newer_record_counts(store: RecordStore) -> None:
    run = store.start_run({}).id
    store.put(record("a", answer=None, outcome="error", error="down"), run)
    store.put(record("a"), run)
    assert [one.outcome for one in store.run_records(run)] == ["correct"]


def test_the_same_problem_in_another_data_set_is_shown_under_its_labels(store: RecordStore) -> None:
    first, second = store.start_run({}).id, store.start_run({}).id
    store.put(record("a", subject="algebra"), first)
    shown = record("a", dataset="other", problem_id="x7", subject="", level="3")
    named = store.add_to_run(second, "a", shown=shown)
    (had,) = store.run_records(second)
    assert had == named
    assert (had.dataset, had.problem_id, had.subject, had.level) == ("other", "x7", "algebra", "3")
    assert store.run_records(first)[0].dataset == "doubles"
    store.add_to_run(second, "a", shown=record("a", problem_id="the same, twice"))
    assert len(store.run_records(second)) == 2
    with pytest.raises(UsageError, match="there is no record b"):
        store.add_to_run(second, "b")


def test_removing_a_run_leaves_what_another_has(store: RecordStore) -> None:
    first, second = store.start_run({}).id, store.start_run({}).id
    store.put(record("a"), first)
    store.put(record("b"), first)
    store.add_to_run(second, "b")
    assert store.remove_run(first) == 1
    assert sorted(store.get(["a", "b"])) == ["b"]
    with pytest.raises(UnknownName):
        store.run(first)
    assert [one.key for one in store.run_records(second)] == ["b"]


def test_a_file_of_before_there_were_runs_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    old = sqlite3.connect(path)
    old.execute(
        "CREATE TABLE records (key TEXT PRIMARY KEY, dataset TEXT, strategy TEXT, model TEXT, outcome TEXT,"
        " record TEXT NOT NULL, created TEXT DEFAULT CURRENT_TIMESTAMP)"
    )
    text = record("a").model_dump_json(exclude={"item_hash", "attempt", "subject", "family", "dollars"})
    old.execute("INSERT INTO records VALUES ('a', 'doubles', 'cot', 'm', 'correct', ?, '2026-11-01')", (text,))
    old.commit()
    old.close()
    store = RecordStore(path)
    run = store.start_run({}).id
    store.add_to_run(run, "a", shown=record("a", item_hash="1f"))
    assert store.run_records(run)[0].item_hash == "1f"


def test_a_run_whose_process_is_gone_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mathagent.evals.records import RecordStore;"
        "print(RecordStore(Path(sys.argv[1])).start_run({}, 'mine').status)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "runs.db"], capture_output=True, text=True)
    assert done.stdout == "running\n", done.stderr
    store = RecordStore(tmp_path / "runs.db")
    assert store.run("mine").status == "killed"
    assert store.start_run({}, "mine").status == "running"


def test_a_run_that_another_process_is_at_is_refused(store: RecordStore) -> None:
    store.start_run({}, "mine")
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE runs SET owner = ?", (f"{platform.node()}:{os.getppid()}",))
    with pytest.raises(UsageError, match="is still running"):
        store.start_run({}, "mine")


def test_a_number_that_another_process_has_now_is_not_the_one_that_was_killed(store: RecordStore) -> None:
    run = store.start_run({}, "mine")
    host, pid, start = this_process().rsplit(":", 2)
    assert (host, pid) == (platform.node(), str(os.getpid()))
    assert store.run(run.id).status == "running"
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE runs SET owner = ?", (f"{host}:{pid}:{start}1",))  # it began at another time
    assert store.run(run.id).status == "killed"
    assert store.start_run({}, "mine").status == "running"  # it is gone on with
    assert store.remove_run("mine") == 0


def test_a_killed_process_that_nobody_has_waited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        owner = f"{platform.node()}:{process.pid}:{started(process.pid)}"
        assert not is_gone(owner)
        assert not is_gone(f"{platform.node()}:{process.pid}")  # as older versions noted it
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert started(process.pid) == ""
        assert is_gone(owner)
        assert is_gone(f"{platform.node()}:{process.pid}")
        assert not is_gone(f"elsewhere:{process.pid}:1")
    finally:
        process.communicate()
    assert is_gone(owner)


def test_where_a_data_set_lies_is_no_matter_to_a_run_that_says_what_it_holds(store: RecordStore) -> None:
    asked = {"datasets": ["/old/a.jsonl"], "data": "/old", "items": {"a": "3 problems, abc"}, "seed": 1}
    store.start_run(asked, "mine")
    store.finish_run("mine", "interrupted")
    moved = {**asked, "datasets": ["/new/a.jsonl"], "data": None}
    assert store.start_run(moved, "mine").spec == moved
    with pytest.raises(UsageError, match="items was"):
        store.start_run({**moved, "items": {"a": "3 problems, xyz"}}, "mine")
    with pytest.raises(UsageError, match="seed was 1, is 2"):
        store.start_run({**moved, "seed": 2}, "mine")


def _write_many(path: Path, writer: int) -> None:
    store = RecordStore(path)
    run = store.start_run({"writer": writer}, f"w{writer}")
    for number in range(40):
        store.put(record(f"{writer}-{number}"), run.id, place=number)
        store.put(record(f"shared-{number}", answer=str(writer)), run.id, place=100 + number)
    store.finish_run(run.id, "finished")


def test_many_processes_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    store = RecordStore(path)
    for number in range(4):
        records = store.run_records(f"w{number}")
        assert [one.key for one in records] == [f"{number}-{n}" for n in range(40)] + [
            f"shared-{n}" for n in range(40)
        ]
        assert {one.answer for one in records[40:]} == {str(number)}


def test_a_full_disk_is_a_clear_error_and_what_was_stored_stays(store: RecordStore) -> None:
    run = store.start_run({}).id
    store.put(record("a"), run)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")  # what SQLite sees of a full disk

    def fill() -> None:
        for number in range(200):
            store.put(record(f"b{number}", reason="x" * 2000), run)

    with pytest.raises(StorageError, match="free some disk space; what it holds is kept"):
        fill()
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.run_records(run)[0] == record("a")
    assert len(store.run_records(run)) == sum(store.run(run).counts.values())
