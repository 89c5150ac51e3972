"""The vectors of a store: float16 rows in its database, and exact search over those that no index covers yet."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]
    Vectors = NDArray[np.float32]

BATCH_ROWS = 4096
CACHED_ROWS = 65_536
"""Rows of the tail that stay in memory (100 MB at 384 dimensions); what lies beyond is read anew for each search."""


def packed(vector: NDArray[np.float32]) -> bytes:
    """One vector as the table holds it: float16, two bytes a dimension."""
    return vector.astype("<f2").tobytes()


def unpacked(blobs: Sequence[bytes], dimensions: int) -> Vectors:
    """Vectors out of the table, float32 of shape (len(blobs), dimensions)."""
    import numpy as np

    flat = np.frombuffer(b"".join(blobs), dtype="<f2").astype(np.float32)
    return flat.reshape(len(blobs), dimensions)


def last_number(connection: sqlite3.Connection) -> int:
    """The highest number that a vector ever had, whosesoever and even if it is gone; 0: none yet."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'vectors'").fetchone()
    return int(row[0]) if row else 0


class VectorTable:
    """The vectors of one embedder. Not safe for threads: the caller holds its connection's lock."""

    def __init__(self, embedder: str, dimensions: int) -> None:
        import numpy as np

        self.embedder, self.dimensions = embedder, dimensions
        self._numbers: Numbers = np.zeros(0, np.int64)
        self._tail: Vectors = np.zeros((0, dimensions), np.float32)
        self._covered = self._read_up_to = 0

    def insert(self, connection: sqlite3.Connection, experience: int, vector: NDArray[np.float32]) -> None:
        """Adds the vector of the experience of that number, in the caller's transaction."""
        connection.execute(
            "INSERT INTO vectors (experience, embedder, vector) VALUES (?, ?, ?)",
            (experience, self.embedder, packed(vector)),
        )

    def batches(self, connection: sqlite3.Connection, after: int = 0) -> Iterator[tuple[Numbers, Vectors]]:
        """All vectors with numbers above ``after``, in order of number; a read is over before a batch is given."""
        import numpy as np

        while True:
            rows = connection.execute(
                "SELECT number, vector FROM vectors WHERE number > ? AND embedder = ? ORDER BY number LIMIT ?",
                (after, self.embedder, BATCH_ROWS),
            ).fetchall()
            if not rows:
                return
            yield np.array([row[0] for row in rows], np.int64), unpacked([row[1] for row in rows], self.dimensions)
            after = rows[-1][0]

    def of(self, connection: sqlite3.Connection, experiences: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """The vectors of the experiences of those numbers; those that have none are left out."""
        rows = connection.execute(
            "SELECT experience, vector FROM json_each(?) CROSS JOIN vectors ON experience = value AND embedder = ?",
            (json.dumps(list(experiences)), self.embedder),
        ).fetchall()
        vectors = unpacked([row[1] for row in rows], self.dimensions)
        return {row[0]: vector for row, vector in zip(rows, vectors, strict=True)}

    def search_tail(
        self, connection: sqlite3.Connection, covered: int, vector: NDArray[np.float32], limit: int
    ) -> list[tuple[int, float]]:
        """The ``limit`` nearest of the vectors numbered above ``covered``: (number, cosine), best first. Exact."""
        self._follow(connection, covered)
        best = _nearest(self._numbers, self._tail, vector, limit)
        if len(self._numbers) >= CACHED_ROWS:
            for numbers, vectors in self.batches(connection, self._read_up_to):
                best += _nearest(numbers, vectors, vector, limit)
            best = sorted(best, key=lambda found: -found[1])[:limit]
        return best

    def exact_ranking(
        self, connection: sqlite3.Connection, condition: str, values: Sequence[Any], vector: NDArray[np.float32]
    ) -> Iterator[tuple[int, float]]:
        """Every experience that meets the SQL ``condition`` over ``experiences``: (its number, cosine), best first.

        Reads all their vectors: for the few that a narrow filter leaves.
        """
        import numpy as np

        cursor = connection.execute(
            "SELECT experiences.number, vector FROM experiences CROSS JOIN vectors"
            f" ON experience = experiences.number AND embedder = ? WHERE {condition}",
            (self.embedder, *values),
        )
        numbers: list[int] = []
        parts = [np.zeros(0, np.float32)]
        while rows := cursor.fetchmany(BATCH_ROWS):
            numbers += [row[0] for row in rows]
            parts.append(unpacked([row[1] for row in rows], self.dimensions) @ vector)
        similarities = np.concatenate(parts)
        for place in np.argsort(-similarities, kind="stable"):
            yield numbers[place], float(similarities[place])

    def _follow(self, connection: sqlite3.Connection, covered: int) -> None:
        """Brings the tail in memory to what lies above ``covered`` now. Rows only come (with higher numbers) or go."""
        import numpy as np

        if covered < self._covered:  # the index was lost, or another one took its place
            self._numbers, self._tail, self._read_up_to = self._numbers[:0], self._tail[:0], covered
        elif covered > self._covered:
            first = int(np.searchsorted(self._numbers, covered, side="right"))
            self._numbers, self._tail = self._numbers[first:], self._tail[first:].copy()
            self._read_up_to = max(self._read_up_to, covered)
        self._covered = covered
        last = last_number(connection)
        if last < self._read_up_to:  # an older copy of the database took its place
            self._numbers, self._tail, self._read_up_to = self._numbers[:0], self._tail[:0], covered
        if last == self._read_up_to or len(self._numbers) >= CACHED_ROWS:
            return
        new_numbers, new_vectors = [self._numbers], [self._tail]
        rows = len(self._numbers)
        for numbers, vectors in self.batches(connection, self._read_up_to):
            new_numbers.append(numbers)
            new_vectors.append(vectors)
            rows += len(numbers)
            self._read_up_to = int(numbers[-1])
            if rows >= CACHED_ROWS:
                break
        else:
            self._read_up_to = last
        self._numbers, self._tail = np.concatenate(new_numbers), np.concatenate(new_vectors)


def _nearest(
    numbers: Numbers, vectors: Vectors, vector: NDArray[np.float32], limit: int
) -> list[tuple[int, float]]:
    import numpy as np

    if not len(numbers):
        return []
    similarities = vectors @ vector
    best = np.argpartition(-similarities, limit - 1)[:limit] if limit < len(numbers) else np.arange(len(numbers))
    best = best[np.argsort(-similarities[best], kind="stable")]
    return [(int(numbers[place]), float(similarities[place])) for place in best]
