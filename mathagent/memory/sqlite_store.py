"""The experience store in one SQLite file, with a vector index beside it that can be made again at any time."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mathagent.memory.base import Added, Embedder, Hit, Query, StoreStatistics
from mathagent.memory.experience import EXPERIENCE_KINDS, Experience, ExperienceKind
from mathagent.memory.hybrid_search import HybridSearch, embeddable
from mathagent.memory.index_upkeep import IndexUpkeep, index_tag, open_index
from mathagent.memory.rows import READ_COLUMNS, Row, experience_of, storable
from mathagent.memory.schema import renew_epoch
from mathagent.memory.store_counts import empty_statistics, fingerprint_of, statistics_of
from mathagent.memory.store_file import StoreFile
from mathagent.memory.store_writes import (
    add_all,
    count_experiences,
    drop_least_useful,
    forget_all,
    lacking_vectors,
    note_uses,
    replace_vectors,
)
from mathagent.memory.vector_table import VectorTable, last_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mathagent.memory.vector_index import VectorIndex

T = TypeVar("T")

MAX_EXPERIENCES = 200_000
ROOM = 0.05
"""Share of the bound that is made free when it is reached, so that not every write has to choose what to drop."""
PAGE_ROWS = 500


class SqliteStore:
    """Experiences in the file at ``path``; what ``memory/base.py`` promises of a store, and its upkeep.

    Many processes may use one file; a process killed at any moment leaves it whole. A store that is not there is an
    empty one, and the first write makes it. More than ``max_experiences`` (None: no bound) drop those of least utility
    (memory/utility.py). ``read_only``: writes raise UsageError, and file and index stay as they are (SQLite keeps two
    files beside one that is read, in which processes tell each other of it).
    """

    name = "sqlite"

    def __init__(
        self,
        path: Path,
        embedder: Embedder,
        *,
        read_only: bool = False,
        max_experiences: int | None = MAX_EXPERIENCES,
    ) -> None:
        self.path, self.embedder, self.max_experiences = path, embedder, max_experiences
        self.file = StoreFile(path, read_only=read_only)
        self.vectors = VectorTable(embedder.name, embedder.dimensions)
        self.upkeep = IndexUpkeep(path, self.vectors)
        self._search = HybridSearch(self.vectors, embedder.chance_similarity)
        self._index: VectorIndex | None = None
        self._index_lock = threading.Lock()

    async def add(
        self, experiences: Sequence[Experience], *, used: Sequence[str] = (), success: bool | None = None
    ) -> Added:
        """Stores ``experiences``, merging what is there already, and notes the use of ``used``: one transaction."""
        return await asyncio.to_thread(self._add, experiences, used, success)

    async def get(self, ids: Sequence[str]) -> list[Experience]:
        """The experiences of ``ids``, in order; unknown ones are left out."""
        rows = await self._read(
            f"SELECT {READ_COLUMNS} FROM experiences WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(ids)),),
        )
        found = {experience.id: experience for experience in map(experience_of, rows)}
        return [found[identity] for identity in ids if identity in found]

    async def ids_beginning(self, start: str, limit: int = 3) -> list[str]:
        """Ids that begin with ``start`` (hex digits), in order."""
        statement = "SELECT id FROM experiences WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
        return [str(row[0]) for row in await self._read(statement, (start, f"{start}g", limit))]

    async def search(self, query: Query) -> list[Hit]:
        """The best hits for ``query``, best first; none for a text without letters or digits."""
        return await asyncio.to_thread(self._find, query)

    async def scan(
        self, kinds: Sequence[ExperienceKind] = EXPERIENCE_KINDS, *, newest_first: bool = False
    ) -> AsyncIterator[Experience]:
        """All experiences of ``kinds``, in the order in which they came, or the other way round. What is added
        meanwhile may be among them, where the newest come last."""
        after = 2**63 - 1 if newest_first else 0
        beyond, order = ("number < ?", "DESC") if newest_first else ("number > ?", "ASC")
        chosen = json.dumps(list(kinds))
        while True:
            rows = await self._read(
                f"SELECT {READ_COLUMNS} FROM experiences WHERE {beyond}"
                f" AND +kind IN (SELECT value FROM json_each(?)) ORDER BY number {order} LIMIT ?",
                (after, chosen, PAGE_ROWS),
            )
            for row in rows:
                yield experience_of(row)
            if len(rows) < PAGE_ROWS:
                return
            after = rows[-1][0]

    async def forget(self, ids: Sequence[str]) -> int:
        """Deletes ``ids``; returns how many there were."""
        return await self._write(lambda connection: forget_all(connection, ids))

    async def compact(self, max_experiences: int | None = None) -> int:
        """Drops what is of least use beyond ``max_experiences`` (None: the store's own bound), embeds what lacks a
        vector, and makes files and index small and new. Returns how many were dropped."""
        return await asyncio.to_thread(self._compact, max_experiences)

    async def reembed(self) -> int:
        """Gives a vector to each experience that has none of this embedder; returns how many those were."""
        return await asyncio.to_thread(self._reembed)

    async def fingerprint(self) -> str:
        """Changes with any change of what could be found; the same for the same experiences in another file. Cheap."""
        return await asyncio.to_thread(self._fingerprint)

    async def statistics(self) -> StoreStatistics:
        """The store in numbers."""
        return await asyncio.to_thread(self._statistics)

    async def aclose(self) -> None:
        """Closes files, once what was begun on the index is done; safe to call twice."""
        await asyncio.to_thread(self.upkeep.wait)
        await asyncio.to_thread(self.file.close)

    def index(self, connection: sqlite3.Connection) -> VectorIndex:
        """The vector index as it is now."""
        with self._index_lock:
            if self._index is None or self._index.embedder != index_tag(connection, self.embedder.name):
                self._index = open_index(self.path, connection, self.vectors)
            return self._index

    async def _read(self, statement: str, values: Sequence[object]) -> list[Row]:
        def work() -> list[Row]:
            with self.file.reading() as connection:
                return connection.execute(statement, values).fetchall() if connection else []

        return await asyncio.to_thread(work)

    async def _write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        def work() -> T:
            with self.file.writing() as connection:
                return step(connection)

        return await asyncio.to_thread(work)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self.embedder.embed([embeddable(text) for text in texts])

    def _add(self, experiences: Sequence[Experience], used: Sequence[str], success: bool | None) -> Added:
        cleaned = [storable(experience) for experience in experiences]
        vectors = self._embed([experience.key_text for experience in cleaned])
        now = time.time()
        with self.file.writing() as connection:
            index = self.index(connection)
            if index.covered > last_number(connection):  # the database is an older copy than the index beside it
                renew_epoch(connection)
            if success is not None:  # first: what was shown may be merged into what came of it
                note_uses(connection, used, success=success, now=now)
            added = add_all(connection, self.vectors, cleaned, vectors, now)
            if self.max_experiences is not None and count_experiences(connection) > self.max_experiences:
                drop_least_useful(connection, int(self.max_experiences * (1 - ROOM)), now)
            due = self.upkeep.due(connection, self.index(connection))
        if due:
            self.upkeep.start()
        return added

    def _find(self, query: Query) -> list[Hit]:
        if not any(map(str.isalnum, query.text)):
            return []
        (vector,) = self._embed([query.text])
        with self.file.reading() as connection:
            if connection is None:
                return []
            return self._search.search(connection, self.index(connection), query, vector)

    def _compact(self, max_experiences: int | None) -> int:
        bound = self.max_experiences if max_experiences is None else max_experiences
        dropped = 0
        if bound is not None:
            with self.file.writing() as connection:
                dropped = drop_least_useful(connection, bound, time.time())
        self._reembed()
        self.upkeep.wait()

        def tidy(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO texts (texts) VALUES ('optimize')")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        self.file.outside_transactions(tidy)
        self.upkeep.bring_up_to_date(rebuild=dropped > 0)
        return dropped

    def _reembed(self) -> int:
        after = done = 0
        while True:
            with self.file.reading() as reader:
                rows = lacking_vectors(reader, self.vectors, after=after, limit=PAGE_ROWS) if reader else []
            if not rows:
                return done
            vectors = self._embed([text for _, text in rows])
            with self.file.writing() as connection:
                replace_vectors(connection, self.vectors, rows, vectors)
            after, done = rows[-1][0], done + len(rows)

    def _fingerprint(self) -> str:
        with self.file.reading() as connection:
            return fingerprint_of(connection, self.embedder.name) if connection else ""

    def _statistics(self) -> StoreStatistics:
        with self.file.reading() as connection:
            if connection is None:
                return empty_statistics(self.embedder.name)
            indexed = len(self.index(connection))
            return statistics_of(connection, self.path, embedder=self.embedder.name, indexed=indexed)
