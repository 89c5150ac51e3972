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

from pydantic import ValidationError

from mathagent.errors import StorageError
from mathagent.models.base import ChatRequest
from mathagent.storage import open_database, storage_advice
from mathagent.types import Completion

_ADDED_LATER = ("regex", "lora")
"""Fields that requests did not always have: one that is not set leaves the key what it was. So do messages without
images, which messages did not always have."""


class CompletionCache:
    """Completions by request. Many processes may use one file at once; every store is one transaction.

    Raises StorageError where the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection = open_database(path)
        self._write(
            "CREATE TABLE IF NOT EXISTS completions (key TEXT PRIMARY KEY, completion TEXT NOT NULL,"
            " created TEXT DEFAULT CURRENT_TIMESTAMP) WITHOUT ROWID"
        )

    def lookup(self, keys: Sequence[str]) -> list[Completion | None]:
        """The cached completion of each sample by its key (``sample_keys``), None where there is none."""
        return [self._read(key) for key in keys]

    def store(self, keys: Sequence[str], completions: Sequence[Completion]) -> list[Completion]:
        """Keeps samples by their ``keys``; returns what the cache holds for them now.

        A sample that is there already, from another solve at the same time, stays and is returned instead of the
        new one: every later run sees that one.
        """
        kept = list(completions)
        rows = zip(keys, completions, strict=True)
        statement = "INSERT OR IGNORE INTO completions (key, completion) VALUES (?, ?)"
        late = []
        try:
            with self._lock, self._connection:
                for index, (key, completion) in enumerate(rows):
                    if self._connection.execute(statement, (key, completion.model_dump_json())).rowcount == 0:
                        late.append((index, key))
        except sqlite3.Error as error:
            raise self._failure(error) from error
        for index, key in late:
            kept[index] = self._read(key) or kept[index]
        return kept

    def close(self) -> None:
        """Closes the file; safe to call twice."""
        with self._lock:
            self._connection.close()

    def _read(self, key: str) -> Completion | None:
        try:
            with self._lock:
                row = self._connection.execute(
                    "SELECT completion FROM completions WHERE key = ?", (key,)
                ).fetchone()
        except sqlite3.Error as error:
            raise self._failure(error) from error
        if row is None:
            return None
        try:
            completion = Completion.model_validate_json(row[0])
        except ValidationError:  # written by another version of mathagent: as good as missing, and replaced
            self._write("DELETE FROM completions WHERE key = ?", (key,))
            return None
        return completion.model_copy(update={"cached": True})

    def _write(self, statement: str, values: tuple[str, ...] = ()) -> None:
        try:
            with self._lock, self._connection:
                self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> StorageError:
        advice = f"{storage_advice(error, self.path)}, or use --no-cache"
        return StorageError(f"the completion cache {self.path} failed: {error}; {advice}")


def sample_keys(backend: str, request: ChatRequest) -> list[str]:
    """The cache key (hex SHA-256) of each sample of ``request``."""
    body = request.model_dump(mode="json", exclude={"role": True, "first_sample": True, "params": {"n"}})
    for added in _ADDED_LATER:
        if body[added] is None:
            del body[added]
    for message in body["messages"]:
        if not message["images"]:
            del message["images"]
    shared = json.dumps([backend, body], sort_keys=True)
    prefix = hashlib.sha256(shared.encode("utf-8", "surrogatepass"))
    keys = []
    for index in range(request.first_sample, request.first_sample + request.params.n):
        sample = prefix.copy()
        sample.update(f"#{index}".encode())
        keys.append(sample.hexdigest())
    return keys
