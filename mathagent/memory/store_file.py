"""The open database of a store: one connection to read and one to write, transactions, clear errors."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mathagent.errors import StorageError, UsageError
from mathagent.memory.schema import open_reader, open_writer
from mathagent.storage import storage_advice


class StoreFile:
    """The database at ``path``, opened when first used, from any thread.

    Two connections, so that a long write keeps no reader of this process waiting; other processes have their own.
    Every use is one transaction and may raise StorageError. Nothing is made before something is written: until then
    a store that is not there is an empty one.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path, self.read_only = path, read_only
        self._read_lock, self._write_lock = threading.Lock(), threading.Lock()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection that sees one state of the store throughout; None where there is no store yet."""
        with self._read_lock, self._clear_errors("read"):
            connection = self._open_reader()
            if connection is None:
                yield None
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection within a transaction that is committed at the end, or undone where anything is raised.

        Raises UsageError where the store is read-only.
        """
        with self._write_lock, self._clear_errors("written"):
            connection = self._open_writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has undone it already
                    connection.execute("ROLLBACK")
                raise

    def outside_transactions(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Calls ``work`` with the connection to write, for what SQLite does in no transaction."""
        with self._write_lock, self._clear_errors("written"):
            work(self._open_writer())

    def close(self) -> None:
        """Closes both connections; safe to call twice."""
        self._closed = True
        with self._read_lock:
            if self._reader is not None:
                self._reader.close()
            self._reader = None
        with self._write_lock:
            if self._writer is not None:
                self._writer.close()
            self._writer = None

    def _open_reader(self) -> sqlite3.Connection | None:
        self._check_open()
        if self._reader is None:
            if self._writer is None and not self.read_only and self.path.exists():
                with self._write_lock:  # makes tables of an older version new
                    self._open_writer()
            self._reader = open_reader(self.path)
        return self._reader

    def _open_writer(self) -> sqlite3.Connection:
        self._check_open()
        if self.read_only:
            raise UsageError(f"the memory {self.path} is open for reading only; use --memory-mode learn to write")
        if self._writer is None:
            self._writer = open_writer(self.path)
        return self._writer

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError(f"the memory {self.path} is closed; open it again")

    @contextmanager
    def _clear_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            advice = storage_advice(error, self.path)
            if "malformed" in str(error):
                advice = f"`mathagent memory doctor` says what can be rebuilt; if that fails, {advice}"
            raise StorageError(f"the memory {self.path} cannot be {done}: {error}; {advice}") from error
