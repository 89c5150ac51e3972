"""SolutionStore: the solves that a server was asked for, by whom, and what came of them; and what each key has used.

One SQLite file. A solution is shown to the key that asked for it, and to no other.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from mathagent.errors import StorageError
from mathagent.storage import open_database, storage_advice
from mathagent.types import Solution, Value

T = TypeVar("T")
Status = Literal["running", "finished", "resumable", "failed", "cancelled"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS solves (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL, status TEXT NOT NULL,
    strategy TEXT NOT NULL, model TEXT NOT NULL, problem TEXT NOT NULL, answer TEXT, error TEXT, solution TEXT
);
CREATE INDEX IF NOT EXISTS solves_of_owner ON solves (owner, created DESC);
CREATE TABLE IF NOT EXISTS use (
    owner TEXT NOT NULL, day TEXT NOT NULL, solves INTEGER NOT NULL DEFAULT 0, tokens INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (owner, day)
);
"""
_COLUMNS = "id, created, updated, status, strategy, model, problem, answer, error"


class StoredSolve(Value):
    """A solve as it is listed. Times are seconds since 1970; ``model`` is the name that clients know it by."""

    id: str
    created: float
    updated: float
    status: Status
    strategy: str
    model: str
    problem: str
    answer: str | None = None
    error: str | None = None


class SolutionStore:
    """The file at ``path``. Work is done in threads, one at a time; methods raise StorageError."""

    def __init__(self, path: Path, *, kept: int, kept_days: float) -> None:
        self._path, self._kept, self._kept_days = path, kept, kept_days
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    async def begin(self, solve: StoredSolve, owner: str) -> None:
        """Notes a solve that has begun, or goes on; clears away what is too old or too much."""
        row = {**solve.model_dump(), "owner": owner}
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"INSERT INTO solves ({names}) VALUES ({values})"
                " ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated = excluded.updated",
                row,
            )
            connection.execute("DELETE FROM solves WHERE updated < ?", (time.time() - self._kept_days * 86400,))
            connection.execute(
                "DELETE FROM solves WHERE status <> 'running' AND id IN (SELECT id FROM (SELECT id, row_number()"
                " OVER (PARTITION BY owner ORDER BY updated DESC) AS place FROM solves) WHERE place > ?)",
                (self._kept,),
            )

        await self._do(write)

    async def end(
        self, solve_id: str, status: Status, *, solution: Solution | None = None, error: str | None = None
    ) -> None:
        """Notes how a solve ended."""
        values = (
            status,
            time.time(),
            error,
            None if solution is None else solution.answer,
            None if solution is None else solution.model_dump_json(),
            solve_id,
        )
        await self._do(
            lambda connection: connection.execute(
                "UPDATE solves SET status = ?, updated = ?, error = ?, answer = ?, solution = ? WHERE id = ?",
                values,
            )
        )

    async def solve(self, solve_id: str, owner: str) -> tuple[StoredSolve, Solution | None] | None:
        """The solve of that id, with its solution where it has one; None where ``owner`` has none of that id."""
        rows = await self._rows(
            f"SELECT {_COLUMNS}, solution FROM solves WHERE id = ? AND owner = ?", solve_id, owner
        )
        if not rows:
            return None
        *values, solution = rows[0]
        found = None if solution is None else Solution.model_validate_json(solution)
        return _stored(values), found

    async def solves(self, owner: str, *, limit: int, before: float | None = None) -> list[StoredSolve]:
        """Those of ``owner``, the latest first; ``before`` leaves out what was begun then or later."""
        rows = await self._rows(
            f"SELECT {_COLUMNS} FROM solves WHERE owner = ? AND created < ? ORDER BY created DESC LIMIT ?",
            owner,
            time.time() + 86400 if before is None else before,
            limit,
        )
        return [_stored(row) for row in rows]

    async def delete(self, solve_id: str, owner: str) -> bool:
        """Whether there was one."""
        return await self._do(
            lambda connection: (
                connection.execute("DELETE FROM solves WHERE id = ? AND owner = ?", (solve_id, owner)).rowcount > 0
            )
        )

    async def used(self, owner: str, day: str) -> tuple[int, int]:
        """Solves and completion tokens of ``owner`` on ``day``."""
        rows = await self._rows("SELECT solves, tokens FROM use WHERE owner = ? AND day = ?", owner, day)
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)

    async def use(self, owner: str, day: str, *, solves: int = 0, tokens: int = 0) -> None:
        """Adds to what ``owner`` has used on ``day``."""
        await self._do(
            lambda connection: connection.execute(
                "INSERT INTO use (owner, day, solves, tokens) VALUES (?, ?, ?, ?) ON CONFLICT (owner, day) DO UPDATE"
                " SET solves = solves + excluded.solves, tokens = tokens + excluded.tokens",
                (owner, day, solves, tokens),
            )
        )

    async def aclose(self) -> None:
        """Closes the file; safe to call twice."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    async def _rows(self, query: str, *values: object) -> list[Any]:
        return await self._do(lambda connection: connection.execute(query, values).fetchall())

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._locked, work)

    def _locked(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._opened()
                with self._connection:
                    return work(self._connection)
            except sqlite3.Error as error:
                raise StorageError(f"{self._path}: {error}; {storage_advice(error, self._path)}") from error

    def _opened(self) -> sqlite3.Connection:
        connection = open_database(self._path)
        try:
            self._path.chmod(0o600)  # it holds what people asked
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection


def _stored(values: Any) -> StoredSolve:
    return StoredSolve.model_validate(dict(zip(StoredSolve.model_fields, values, strict=True)))
