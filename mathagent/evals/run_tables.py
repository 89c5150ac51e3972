"""The tables of runs: which invocation of ``bench`` has which records. SQL over the open runs.db, for RecordStore.

``runs`` holds one row a run, ``run_records`` one row for each of its attempts, in the order of its data sets.
``earlier_records`` keeps what a run has seen under a key that was solved again since: a finished run never changes.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import Field, JsonValue

from mathagent.errors import UsageError
from mathagent.evals.run_owner import is_gone, owner_words, this_process
from mathagent.types import Value

RunStatus = Literal["running", "finished", "interrupted", "failed", "killed"]

TABLES = (
    "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, dataset TEXT, strategy TEXT, model TEXT,"
    " outcome TEXT, record TEXT NOT NULL, created TEXT DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE IF NOT EXISTS earlier_records (id INTEGER PRIMARY KEY, outcome TEXT, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, created TEXT NOT NULL, updated TEXT NOT NULL,"
    " spec TEXT NOT NULL, status TEXT NOT NULL, planned INTEGER NOT NULL, owner TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS run_records (run_id TEXT NOT NULL, key TEXT NOT NULL, dataset TEXT NOT NULL,"
    " problem_id TEXT NOT NULL, place INTEGER NOT NULL, labels TEXT, earlier INTEGER,"
    " PRIMARY KEY (run_id, key, dataset, problem_id))",
    "CREATE INDEX IF NOT EXISTS run_records_by_key ON run_records (key)",
)


class RunInfo(Value):
    """One run: its id, when it was begun and last written (ISO 8601, UTC), what was asked for, and how it stands.

    ``status`` "killed": it says "running", and its process is gone. ``planned`` counts its attempts, ``counts`` those
    that are recorded, by outcome.
    """

    id: str
    created: str
    updated: str
    spec: dict[str, JsonValue]
    status: RunStatus
    planned: int = 0
    counts: dict[str, int] = Field(default_factory=dict)


def keep_earlier(connection: sqlite3.Connection, key: str, run_id: str | None) -> None:
    """Keeps the record of ``key``, which is about to be replaced, for the runs other than ``run_id`` that have it."""
    rows = "key = ? AND earlier IS NULL AND run_id IS NOT ?"
    if connection.execute(f"SELECT 1 FROM run_records WHERE {rows} LIMIT 1", (key, run_id)).fetchone() is None:
        return
    kept = connection.execute(
        "INSERT INTO earlier_records (outcome, record) SELECT outcome, record FROM records WHERE key = ?", (key,)
    )
    connection.execute(f"UPDATE run_records SET earlier = ? WHERE {rows}", (kept.lastrowid, key, run_id))


def add_row(
    connection: sqlite3.Connection, run_id: str, key: str, item: tuple[str, str], place: int, labels: str | None
) -> None:
    """Notes that a run has the record of ``key``, for ``item`` (data set, problem), at ``place``."""
    connection.execute(
        "INSERT OR REPLACE INTO run_records (run_id, key, dataset, problem_id, place, labels)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (run_id, key, *item, place, labels),
    )
    connection.execute("UPDATE runs SET updated = ? WHERE id = ?", (_next_moment(connection), run_id))


def begin_run(
    connection: sqlite3.Connection, spec: Mapping[str, JsonValue], name: str | None, planned: int
) -> str:
    """Begins a run, or goes on with the one named so; returns its id. Raises UsageError where that cannot be."""
    if name is None:
        name = _new_id(connection)
    elif (before := read_runs(connection, name)) and name.strip():
        owner = connection.execute("SELECT owner FROM runs WHERE id = ?", (name,)).fetchone()[0]
        _check_resumed(before[0], json.loads(json.dumps(spec)), owner)
    elif not name.strip():
        raise UsageError("a run's name must not be empty")
    elif name == "last":
        raise UsageError("'last' means the latest run; give another --name")
    connection.execute(
        "INSERT INTO runs (id, created, updated, spec, status, planned, owner) VALUES (?, ?, ?, ?, 'running', ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET updated = excluded.updated, status = 'running',"
        " spec = excluded.spec, planned = excluded.planned, owner = excluded.owner",
        (name, *[_next_moment(connection)] * 2, json.dumps(spec, ensure_ascii=False), planned, this_process()),
    )
    return name


def end_run(connection: sqlite3.Connection, run_id: str, status: RunStatus) -> None:
    """Notes how a run ended."""
    connection.execute(
        "UPDATE runs SET status = ?, updated = ? WHERE id = ?", (status, _next_moment(connection), run_id)
    )


def read_runs(connection: sqlite3.Connection, run_id: str | None = None) -> list[RunInfo]:
    """One run (none, if there is no such), or all, oldest first."""
    which, values = ("", ()) if run_id is None else (" WHERE id = ?", (run_id,))
    rows = connection.execute(
        f"SELECT id, created, updated, spec, status, planned, owner FROM runs{which} ORDER BY created, rowid",
        values,
    ).fetchall()
    counts: dict[str, dict[str, int]] = {}
    for name, outcome, count in connection.execute(
        "SELECT x.run_id, coalesce(e.outcome, r.outcome), count(*) FROM run_records x"
        " LEFT JOIN records r ON r.key = x.key LEFT JOIN earlier_records e ON e.id = x.earlier"
        f"{which.replace('id', 'x.run_id')} GROUP BY 1, 2",
        values,
    ):
        if outcome is not None:
            counts.setdefault(name, {})[outcome] = count
    return [_info(row, counts.get(row[0], {})) for row in rows]


def read_run_records(connection: sqlite3.Connection, run_id: str) -> list[tuple[str, str | None]]:
    """The records of a run as JSON, in its order, each with the labels it has there in place of its own (JSON)."""
    return connection.execute(
        "SELECT coalesce(e.record, r.record), x.labels FROM run_records x LEFT JOIN records r ON r.key = x.key"
        " LEFT JOIN earlier_records e ON e.id = x.earlier"
        " WHERE x.run_id = ? AND coalesce(e.record, r.record) IS NOT NULL ORDER BY x.place, x.rowid",
        (run_id,),
    ).fetchall()


def delete_run(connection: sqlite3.Connection, run_id: str) -> int:
    """Deletes a run and the records that no other run has; returns how many records.

    Raises UsageError while another process runs it.
    """
    owners = connection.execute("SELECT owner FROM runs WHERE id = ?", (run_id,)).fetchall()
    for run, (owner,) in zip(read_runs(connection, run_id), owners, strict=True):
        if run.status == "running" and owner != this_process():
            raise UsageError(f"run '{run_id}' is still running; end it first (Ctrl-C, or let it finish)")
    keys = connection.execute("SELECT DISTINCT key FROM run_records WHERE run_id = ?", (run_id,)).fetchall()
    connection.execute("DELETE FROM run_records WHERE run_id = ?", (run_id,))
    connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))
    unused = "DELETE FROM records WHERE key = ? AND NOT EXISTS (SELECT 1 FROM run_records WHERE key = ?)"
    removed = sum(connection.execute(unused, (key, key)).rowcount for (key,) in keys)
    connection.execute(
        "DELETE FROM earlier_records WHERE id NOT IN (SELECT earlier FROM run_records WHERE earlier IS NOT NULL)"
    )
    return removed


def _info(row: Sequence[Any], counts: dict[str, int]) -> RunInfo:
    run_id, created, updated, spec, status, planned, owner = row
    status = "killed" if status == "running" and is_gone(owner) else status
    return RunInfo(
        id=run_id,
        created=created,
        updated=updated,
        spec=json.loads(spec),
        status=status,
        planned=planned,
        counts=counts,
    )


def _check_resumed(before: RunInfo, spec: Mapping[str, JsonValue], owner: str) -> None:
    if before.status == "running" and owner != this_process():
        raise UsageError(
            f"run '{before.id}' is still running ({owner_words(owner)}); wait for it, or give another --name"
        )
    # Where a data set lies is no matter where the run says what it holds.
    places = {"data", "datasets"} if "items" in before.spec and "items" in spec else set()
    differing = sorted(key for key in {*before.spec, *spec} - places if before.spec.get(key) != spec.get(key))
    if differing:
        shown = "; ".join(
            f"{key} was {json.dumps(before.spec.get(key))}, is {json.dumps(spec.get(key))}" for key in differing
        )
        raise UsageError(
            f"run '{before.id}' was begun with other settings ({shown}); give another --name, or delete it with"
            f" `mathagent runs rm {before.id}`"
        )


def _new_id(connection: sqlite3.Connection) -> str:
    taken = {row[0] for row in connection.execute("SELECT id FROM runs")}
    while True:
        fresh = f"r-{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(2)}"
        if fresh not in taken:
            return fresh


def _next_moment(connection: sqlite3.Connection) -> str:
    """Now, or just after the latest write to a run: a clock may stand still between two, or be set back."""
    now = datetime.now(UTC)
    (latest,) = connection.execute("SELECT max(updated) FROM runs").fetchone()
    if latest is not None:
        now = max(now, datetime.fromisoformat(latest) + timedelta(microseconds=1))
    return now.isoformat(timespec="microseconds")
