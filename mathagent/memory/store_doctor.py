"""What is wrong with a store, and making anew what is derived: full text index, vectors, totals, vector index."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import Literal

from mathagent.errors import StorageError
from mathagent.memory.index_upkeep import LEAST_TAIL, open_index
from mathagent.memory.rows import READ_COLUMNS, experience_of
from mathagent.memory.schema import DIGEST_MODULUS
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.vector_table import last_number
from mathagent.types import Value

FAULTS_SHOWN = 3

_PAGE = f"SELECT {READ_COLUMNS} FROM experiences WHERE number > ? ORDER BY number LIMIT 500"
_ORPHANED = "experience NOT IN (SELECT number FROM experiences)"
_CUT = "embedder = ? AND length(vector) != ?"


class Finding(Value):
    """One part of a store: "ok", "repairable" (``repair`` makes it anew), or "broken" (only a person can help)."""

    part: Literal["file", "experiences", "totals", "full text", "vectors", "vector index"]
    state: Literal["ok", "repairable", "broken"]
    detail: str


async def examine(store: SqliteStore) -> tuple[Finding, ...]:
    """Looks at every part of ``store``; reads all of it. Raises UsageError where it is open for reading only."""
    return await asyncio.to_thread(_examine, store)


async def repair(store: SqliteStore) -> tuple[Finding, ...]:
    """Makes all derived parts anew, whatever their state, and examines the store again.

    Raises StorageError where the file itself is so damaged that this cannot be done, and UsageError as ``examine``.
    """
    await asyncio.to_thread(_rebuild_tables, store)
    await store.reembed()
    await asyncio.to_thread(store.upkeep.wait)
    await asyncio.to_thread(lambda: store.upkeep.bring_up_to_date(rebuild=True))
    return await examine(store)


def _examine(store: SqliteStore) -> tuple[Finding, ...]:
    if not store.path.exists():
        return (Finding(part="file", state="ok", detail="there is none yet: the first write makes it"),)
    try:
        findings = [_file(store)]
        if findings[0].state == "ok":
            findings += [_experiences(store), _totals(store), _full_text(store), _vectors(store), _index(store)]
    except StorageError as error:
        return (Finding(part="file", state="broken", detail=str(error)),)
    return tuple(findings)


def _file(store: SqliteStore) -> Finding:
    with store.file.writing() as connection:
        faults = [text for (text,) in connection.execute(f"PRAGMA integrity_check({FAULTS_SHOWN})")]
    if faults == ["ok"]:
        return Finding(part="file", state="ok", detail="SQLite finds no fault")
    advice = "export what can be read (`mathagent memory export`) and import it into a new file"
    return Finding(part="file", state="broken", detail=f"{'; '.join(faults)}: {advice}")


def _experiences(store: SqliteStore) -> Finding:
    faults, count, after = [], 0, 0
    while True:
        with store.file.reading() as connection:
            rows = connection.execute(_PAGE, (after,)).fetchall() if connection else []
        if not rows:
            break
        count, after = count + len(rows), rows[-1][0]
        for row in rows:
            try:
                if experience_of(row).id != row[1]:
                    raise StorageError(f"the experience {row[1]} is not what its id says")
            except StorageError as error:
                faults.append(str(error))
    if not faults:
        return Finding(part="experiences", state="ok", detail=f"{count} can be read")
    shown = "; ".join(faults[:FAULTS_SHOWN])
    return Finding(part="experiences", state="broken", detail=f"{len(faults)} of {count} are faulty: {shown}")


def _totals(store: SqliteStore) -> Finding:
    with store.file.writing() as connection:  # the latest state, with no writer in between
        kept = {name: value for name, value in _kept_totals(connection) if value}
        true = {name: value for name, value in _true_totals(connection) if value}
    wrong = sorted(name for name in {*kept, *true} if kept.get(name) != true.get(name))
    if not wrong:
        return Finding(part="totals", state="ok", detail=f"{true.get('experiences', 0)} experiences")
    return Finding(part="totals", state="repairable", detail=f"wrong: {', '.join(wrong)}")


def _full_text(store: SqliteStore) -> Finding:
    try:
        with store.file.writing() as connection:
            connection.execute("INSERT INTO texts (texts, rank) VALUES ('integrity-check', 1)")
    except StorageError as error:
        if "malformed" not in str(error.__cause__):
            raise
        return Finding(part="full text", state="repairable", detail="it does not agree with the experiences")
    return Finding(part="full text", state="ok", detail="it agrees with the experiences")


def _vectors(store: SqliteStore) -> Finding:
    size = 2 * store.embedder.dimensions
    name = store.embedder.name
    with store.file.writing() as connection:
        (orphaned,) = connection.execute(f"SELECT count(*) FROM vectors WHERE {_ORPHANED}").fetchone()
        (cut,) = connection.execute(f"SELECT count(*) FROM vectors WHERE {_CUT}", (name, size)).fetchone()
        (lacking,) = connection.execute(
            "SELECT count(*) FROM experiences WHERE NOT EXISTS"
            " (SELECT 1 FROM vectors WHERE experience = experiences.number AND embedder = ?)",
            (name,),
        ).fetchone()
    faults = {"without an experience": orphaned, f"not of {size} bytes": cut, f"missing of {name}": lacking}
    detail = ", ".join(f"{count} {what}" for what, count in faults.items() if count)
    state: Literal["ok", "repairable"] = "repairable" if detail else "ok"
    return Finding(part="vectors", state=state, detail=detail or f"every experience has one of {name}")


def _index(store: SqliteStore) -> Finding:
    with store.file.writing() as connection:
        index = open_index(store.path, connection, store.vectors)
        ahead = last_number(connection) - index.covered
        covered = len(index)
    if store.upkeep.error is not None:
        return Finding(part="vector index", state="repairable", detail=str(store.upkeep.error))
    if ahead < 0:
        return Finding(part="vector index", state="repairable", detail="it is newer than the database beside it")
    if ahead > max(2 * LEAST_TAIL, covered // 10):
        detail = f"it lacks the newest {ahead} vectors: searches are right, but slower"
        return Finding(part="vector index", state="repairable", detail=detail)
    return Finding(
        part="vector index", state="ok", detail=f"{covered} vectors, {ahead} newer ones searched exactly"
    )


def _rebuild_tables(store: SqliteStore) -> None:
    with store.file.writing() as connection:
        connection.execute("INSERT INTO texts (texts) VALUES ('rebuild')")
        connection.execute(f"DELETE FROM vectors WHERE {_ORPHANED}")
        connection.execute(
            f"DELETE FROM vectors WHERE {_CUT}", (store.embedder.name, 2 * store.embedder.dimensions)
        )
        connection.execute("DELETE FROM meta WHERE name LIKE 'vectors of %' OR name IN ('experiences', 'digest')")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", list(_true_totals(connection)))


def _kept_totals(connection: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    yield from connection.execute(
        "SELECT name, value FROM meta WHERE name LIKE 'vectors of %' OR name IN ('experiences', 'digest')"
    )


def _true_totals(connection: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    digests = [digest for (digest,) in connection.execute("SELECT digest FROM experiences")]
    yield "experiences", len(digests)
    yield "digest", sum(digests) % DIGEST_MODULUS  # beyond what SQLite's sum holds
    yield from connection.execute("SELECT 'vectors of ' || embedder, count(*) FROM vectors GROUP BY embedder")
