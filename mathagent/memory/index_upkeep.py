"""Keeps the vector index of a store near its newest vectors, in a thread, whoever gets its lock.

The index is derived: a search finds what it lacks by exact search over the tail, and only its speed depends on it.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mathagent.errors import StorageError
from mathagent.memory.schema import open_reader
from mathagent.memory.vector_table import VectorTable, last_number

if TYPE_CHECKING:
    from mathagent.memory.vector_index import VectorIndex

LEAST_TAIL = 4096
TAIL_SHARE = 1 / 50
"""An index is extended when this share of it (and LEAST_TAIL) is new: exact search over that many costs about as much
as the index itself, and the file is written anew a bounded number of times while a store grows."""
DEAD_SHARE = 0.3
"""Of the index: when so much of it is of deleted experiences, it is built anew."""


def index_path(store: Path) -> Path:
    """The file of the vector index beside the store at ``store``."""
    return store.with_name(f"{store.name}.vectors")


def index_tag(connection: sqlite3.Connection, embedder: str) -> str:
    """What the index file must say it was made of: this embedder, this store, since its numbers last started anew."""
    (epoch,) = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    return f"{embedder} {epoch}"


def vector_count(connection: sqlite3.Connection, embedder: str) -> int:
    """How many experiences have a vector of ``embedder``, without looking at them."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (f"vectors of {embedder}",)).fetchone()
    return int(row[0]) if row else 0


class IndexUpkeep:
    """Extends or rebuilds the index in one thread at a time. ``error`` is why the last attempt failed, None: it did
    not; it is made again when the tail has grown as much once more."""

    def __init__(self, store: Path, table: VectorTable) -> None:
        self._store, self._embedder, self._dimensions = store, table.embedder, table.dimensions
        self._thread: threading.Thread | None = None
        self._nothing_up_to = 0
        self.error: StorageError | None = None

    def due(self, connection: sqlite3.Connection, index: VectorIndex) -> bool:
        """Whether the tail is long enough, or so much of the index dead, that ``start`` is worth while."""
        last, covered = last_number(connection), index.covered
        if last - max(covered, self._nothing_up_to) >= max(LEAST_TAIL, len(index) * TAIL_SHARE):
            return True
        return self._dead(connection, index)

    def start(self) -> None:
        """Begins in the background, where it is not at work already."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="mathagent-memory-index", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Returns when what was begun is done."""
        if self._thread is not None:
            self._thread.join()

    def bring_up_to_date(self, *, rebuild: bool = False) -> bool:
        """Extends the index by all that is new, or makes it anew; False where another process is doing so.

        Raises StorageError where the store cannot be read or the index not written.
        """
        connection = open_reader(self._store)
        if connection is None:
            return True
        try:
            # A table of its own: the other one's tail belongs to the searching thread.
            table = VectorTable(self._embedder, self._dimensions)
            index = open_index(self._store, connection, table)
            # Noted before the work: where it fails, only many more vectors make another attempt worth while.
            before, self._nothing_up_to = self._nothing_up_to, last_number(connection)
            if rebuild or not index.covered or self._dead(connection, index):
                done = index.build(table.batches(connection))
            else:
                done = index.extend(table.batches(connection, index.covered))
            if done:
                self.error = None
            else:
                self._nothing_up_to = before
            return done
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"the vector index of {self._store} cannot be written: {error}") from error
        finally:
            connection.close()

    def _dead(self, connection: sqlite3.Connection, index: VectorIndex) -> bool:
        # The tail counts as alive: with many new ones the index is extended first, and looked at again then.
        dead = len(index) - vector_count(connection, self._embedder)
        return dead > max(LEAST_TAIL, DEAD_SHARE * len(index))

    def _work(self) -> None:
        try:
            self.bring_up_to_date()
        except StorageError as error:
            self.error = error


def open_index(store: Path, connection: sqlite3.Connection, table: VectorTable) -> VectorIndex:
    """The index beside ``store`` as it is now, for the vectors of ``table``."""
    from mathagent.memory.vector_index import VectorIndex

    tag = index_tag(connection, table.embedder)
    return VectorIndex(index_path(store), embedder=tag, dimensions=table.dimensions)
