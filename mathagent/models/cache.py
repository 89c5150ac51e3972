"""The completion cache: one SQLite file, one row a sample.

A row's key is the hash of the backend's identity, the messages, every parameter that shapes the reply, and the
sample's index. Not part of the key: n and the role tag, so that 4 samples and then 4 more share their rows with 8.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from mathagent.errors import StorageError
from mathagent.models.base import ChatRequest
from mathagent.storage import open_database
from mathagent.types import Completion


class CompletionCache:
    """Completions by request. Many processes may use one file at once; every store is one transaction.

    Raises StorageError where the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection = open_database(path)
        self._execute(
            "CREATE TABLE IF NOT EXISTS completions (key TEXT PRIMARY KEY, completion TEXT NOT NULL,"
            " created TEXT DEFAULT CURRENT_TIMESTAMP) WITHOUT ROWID"
        )

    def lookup(self, backend: str, request: ChatRequest) -> list[Completion | None]:
        """The cached completion of each of the request's samples, None where there is none."""
        found: list[Completion | None] = []
        for key in sample_keys(backend, request):
            row = self._execute("SELECT completion FROM completions WHERE key = ?", (key,)).fetchone()
            found.append(
                None if row is None else Completion.model_validate_json(row[0]).model_copy(update={"cached": True})
            )
        return found

    def store(self, backend: str, request: ChatRequest, completions: Sequence[Completion]) -> None:
        """Keeps the samples of ``request``; a sample that is there already stays as it is."""
        rows = [
            (key, completion.model_dump_json())
            for key, completion in zip(sample_keys(backend, request), completions, strict=True)
        ]
        try:
            with self._lock, self._connection:
                self._connection.executemany(
                    "INSERT OR IGNORE INTO completions (key, completion) VALUES (?, ?)", rows
                )
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Closes the file; safe to call twice."""
        self._connection.close()

    def _execute(self, statement: str, values: tuple[str, ...] = ()) -> sqlite3.Cursor:
        try:
            with self._lock:
                return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> StorageError:
        return StorageError(
            f"the completion cache {self.path} failed: {error}; use --no-cache or set MATHAGENT_HOME"
        )


def sample_keys(backend: str, request: ChatRequest) -> list[str]:
    """The cache key (hex SHA-256) of each sample of ``request``."""
    body = request.model_dump(mode="json", exclude={"role": True, "first_sample": True, "params": {"n"}})
    shared = json.dumps([backend, body], sort_keys=True)
    prefix = hashlib.sha256(shared.encode("utf-8", "surrogatepass"))
    keys = []
    for index in range(request.first_sample, request.first_sample + request.params.n):
        sample = prefix.copy()
        sample.update(f"#{index}".encode())
        keys.append(sample.hexdigest())
    return keys
