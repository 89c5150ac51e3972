"""What is written to an experience store, as steps of a transaction that the caller holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mathagent.memory.base import Added
from mathagent.memory.experience import Experience
from mathagent.memory.merging import is_same_thing, merged
from mathagent.memory.rows import READ_COLUMNS, WRITTEN_COLUMNS, Row, experience_of, row_of
from mathagent.memory.utility import Standing, least_useful
from mathagent.memory.vector_table import VectorTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COLUMNS = WRITTEN_COLUMNS.split(", ")
_ID, _CLAIM = _COLUMNS.index("id"), _COLUMNS.index("claim")
_INSERT = f"INSERT INTO experiences ({WRITTEN_COLUMNS}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_UPDATED = (
    "trust",
    "subject",
    "strategy",
    "model",
    "dataset",
    "created",
    "score",
    "uses",
    "successes",
    "digest",
    "provenance",
    "evidence",
)
_UPDATE = f"UPDATE experiences SET {', '.join(f'{column} = ?' for column in _UPDATED)} WHERE number = ?"
_PLACES = [_COLUMNS.index(column) for column in _UPDATED]


def add_all(
    connection: sqlite3.Connection,
    table: VectorTable,
    experiences: Sequence[Experience],
    vectors: Iterable[NDArray[np.float32]],
    now: float,
) -> Added:
    """Stores ``experiences`` with their ``vectors``, or merges them into what is there (memory/merging.py)."""
    new, ids = 0, []
    for experience, vector in zip(experiences, vectors, strict=True):
        row = row_of(experience, now)
        found = _same_thing(connection, experience, row)
        if found is None:
            _insert(connection, table, row, vector)
            new += 1
            ids.append(row[_ID])
            continue
        number, kept = found
        both = merged(kept, experience)
        if both != kept:
            row = row_of(both, now)
            if row[_ID] == kept.id:
                connection.execute(_UPDATE, (*(row[place] for place in _PLACES), number))
            else:
                connection.execute("DELETE FROM experiences WHERE number = ?", (number,))
                _insert(connection, table, row, vector)
        ids.append(both.id)
    return Added(new=new, merged=len(ids) - new, ids=tuple(ids))


def note_uses(connection: sqlite3.Connection, ids: Sequence[str], *, success: bool, now: float) -> None:
    """Counts one use, now, of each of ``ids`` (unknown ones are passed over)."""
    connection.executemany(
        "UPDATE experiences SET uses = uses + 1, successes = successes + ?, last_used = ? WHERE id = ?",
        [(int(success), now, identity) for identity in dict.fromkeys(ids)],
    )


def forget_all(connection: sqlite3.Connection, ids: Sequence[str]) -> int:
    """Deletes ``ids``; returns how many there were."""
    statement = "DELETE FROM experiences WHERE id IN (SELECT value FROM json_each(?))"
    return connection.execute(statement, (json.dumps(list(ids)),)).rowcount


def count_experiences(connection: sqlite3.Connection) -> int:
    """How many there are, without looking at them."""
    return int(connection.execute("SELECT value FROM meta WHERE name = 'experiences'").fetchone()[0])


def drop_least_useful(connection: sqlite3.Connection, keep: int, now: float) -> int:
    """Deletes the experiences of least utility until ``keep`` are left; returns how many that were."""
    surplus = count_experiences(connection) - keep
    if surplus <= 0:
        return 0
    rows = connection.execute(
        "SELECT number, trust, uses, successes, max(created, last_used), shape FROM experiences"
    )
    dropped = least_useful(map(Standing._make, rows), surplus, now=now)
    connection.executemany("DELETE FROM experiences WHERE number = ?", [(number,) for number in dropped])
    return len(dropped)


def lacking_vectors(
    connection: sqlite3.Connection, table: VectorTable, *, after: int, limit: int
) -> list[tuple[int, str]]:
    """The next experiences, numbered above ``after``, without a vector of the table's embedder: (number, key text)."""
    return connection.execute(
        "SELECT number, key_text FROM experiences WHERE number > ? AND NOT EXISTS"
        " (SELECT 1 FROM vectors WHERE experience = experiences.number AND embedder = ?) ORDER BY number LIMIT ?",
        (after, table.embedder, limit),
    ).fetchall()


def replace_vectors(
    connection: sqlite3.Connection,
    table: VectorTable,
    rows: Sequence[tuple[int, str]],
    vectors: Iterable[NDArray[np.float32]],
) -> None:
    """Gives experiences (number, key text) vectors of the table's embedder in the place of all others.

    One that was deleted or changed since it was read is passed over.
    """
    for (number, key_text), vector in zip(rows, vectors, strict=True):
        same = "SELECT 1 FROM experiences WHERE number = ? AND key_text = ?"
        if connection.execute(same, (number, key_text)).fetchone():
            connection.execute("DELETE FROM vectors WHERE experience = ?", (number,))
            table.insert(connection, number, vector)


def _same_thing(connection: sqlite3.Connection, experience: Experience, row: Row) -> tuple[int, Experience] | None:
    """What is stored already and makes ``experience`` (its row: ``row``) superfluous: number and content."""
    select = f"SELECT {READ_COLUMNS} FROM experiences WHERE"
    same: Row | None = connection.execute(f"{select} id = ?", (row[_ID],)).fetchone()
    if same is not None:
        return same[0], experience_of(same)
    if row[_CLAIM] is None:
        return None
    for like in connection.execute(f"{select} claim = ? ORDER BY number", (row[_CLAIM],)):
        kept = experience_of(like)
        if is_same_thing(kept, experience):  # more than the hash of it
            return like[0], kept
    return None


def _insert(connection: sqlite3.Connection, table: VectorTable, row: Row, vector: NDArray[np.float32]) -> None:
    number = connection.execute(_INSERT, row).lastrowid
    assert number is not None  # sqlite3 says so after every INSERT
    table.insert(connection, number, vector)
