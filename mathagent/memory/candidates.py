"""What a search may show, and the two rankings (by words, by vectors) of what it finds.

A filter or a guard must not empty a result silently: each ranking goes on until enough of it passes, or it ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from mathagent.memory.base import Query
from mathagent.memory.experience import EXPERIENCE_KINDS, TRUST_ORDER
from mathagent.memory.leak_guard import LeakGuard
from mathagent.memory.vector_table import VectorTable, unpacked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mathagent.memory.vector_index import VectorIndex

LEXICAL_BATCH = 64
MOST_NEIGHBOURS = 4096
"""Neighbours asked of the index at most; a filter that leaves too few of them is narrow enough to search exactly."""


class Sieve:
    """Which experiences ``query`` allows: its filters in SQL (``condition``, ``values``), its guard in Python."""

    def __init__(self, connection: sqlite3.Connection, query: Query) -> None:
        self._connection = connection
        self._guard = LeakGuard(query.guard) if query.guard is not None else None
        self._judged: dict[int, bool] = {}
        conditions: list[str] = []
        self.values: list[Any] = []
        if set(query.kinds) != set(EXPERIENCE_KINDS):
            conditions.append(f"kind IN ({', '.join('?' * len(query.kinds))})")
            self.values += query.kinds
        for column in ("subject", "strategy", "model"):
            if wanted := getattr(query, column):
                conditions.append(f"experiences.{column} = ? COLLATE NOCASE")
                self.values.append(wanted)
        if query.least_trust != TRUST_ORDER[0]:
            conditions.append("trust >= ?")
            self.values.append(TRUST_ORDER.index(query.least_trust))
        self.condition = " AND ".join(conditions) or "TRUE"

    @property
    def open(self) -> bool:
        """Whether it lets everything through."""
        return self.condition == "TRUE" and self._guard is None

    def passing(self, numbers: Sequence[int]) -> list[int]:
        """Those of ``numbers`` that exist and are allowed, in order."""
        # The texts are read only where the guard looks at them: they may be long.
        columns = "key_text, json_extract(content, '$.problem')" if self._guard else "NULL, NULL"
        rows = self._connection.execute(
            f"SELECT number, {columns} FROM json_each(?) CROSS JOIN experiences ON number = json_each.value"
            f" WHERE {self.condition}",
            (json.dumps(list(numbers)), *self.values),
        )
        allowed = {number for number, *texts in rows if not self._forbidden(number, texts)}
        return [number for number in numbers if number in allowed]

    def _forbidden(self, number: int, texts: Sequence[str | None]) -> bool:
        """Whether the guard forbids what is found by the first of ``texts``, and is of the problem that is the other:
        a type of problem before it, or choices behind it, would hide a short one."""
        if self._guard is None:
            return False
        if number not in self._judged:
            self._judged[number] = any(self._guard.forbids(text) for text in set(texts) if text is not None)
        return self._judged[number]


def lexical_ranking(connection: sqlite3.Connection, expression: str, sieve: Sieve, depth: int) -> list[int]:
    """The numbers of the ``depth`` best experiences by BM25 for the FTS5 ``expression`` that pass, best first."""
    if not expression:
        return []
    cursor = connection.execute("SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank", (expression,))
    ranking: list[int] = []
    while len(ranking) < depth and (rows := cursor.fetchmany(max(depth, LEXICAL_BATCH))):
        ranking += sieve.passing([row[0] for row in rows])
    cursor.close()
    return ranking[:depth]


class DenseSearch:
    """Neighbours of a vector: the index for what it covers, exact search for what is newer."""

    def __init__(self, table: VectorTable, index: VectorIndex) -> None:
        self.table, self.index = table, index

    def ranking(
        self, connection: sqlite3.Connection, vector: NDArray[np.float32], sieve: Sieve, *, least: int, depth: int
    ) -> list[tuple[int, float]]:
        """The nearest experiences that pass, best first: (number, cosine). About ``depth`` of them (at least half),
        or at least ``least`` where the filter is narrow, or all that there are."""
        asked = depth if sieve.open else 2 * depth
        enough = depth if sieve.open else max(least, depth // 2)
        while True:
            found, all_reached = self._nearest(connection, vector, asked)
            ranking = _passing(self._experiences(connection, found, vector), sieve)
            if len(ranking) >= enough or (len(found) < asked and all_reached):
                return ranking[:depth]
            if len(found) < asked or asked >= MOST_NEIGHBOURS:
                break
            asked *= 4
        if len(ranking) >= least and all_reached:
            return ranking[:depth]
        exact = self.table.exact_ranking(connection, sieve.condition, sieve.values, vector)
        return list(islice(_sifted(exact, sieve), depth))

    def _nearest(
        self, connection: sqlite3.Connection, vector: NDArray[np.float32], limit: int
    ) -> tuple[list[tuple[int, float]], bool]:
        """The ``limit`` nearest vectors, best first: (number, cosine); and whether the index found as many as it holds
        or was asked for. A graph of many near duplicates has parts that no search reaches."""
        covered, all_reached = self.index.covered, True
        found = self.table.search_tail(connection, covered, vector, limit)
        if covered:
            numbers, similarities = self.index.search(vector, limit)
            all_reached = len(numbers) >= min(limit, len(self.index))
            found += zip(numbers.tolist(), similarities.tolist(), strict=True)
        return sorted(found, key=lambda one: -one[1])[:limit], all_reached

    def _experiences(
        self, connection: sqlite3.Connection, found: Sequence[tuple[int, float]], vector: NDArray[np.float32]
    ) -> list[tuple[int, float]]:
        """``found`` with numbers of experiences in place of vectors' and exact cosines in place of the index's, best
        first; those of vectors that are gone are dropped."""
        rows = connection.execute(
            "SELECT experience, vector FROM json_each(?) CROSS JOIN vectors ON number = json_each.value"
            " WHERE embedder = ?",
            (json.dumps([number for number, _ in found]), self.table.embedder),
        ).fetchall()
        cosines = unpacked([row[1] for row in rows], self.table.dimensions) @ vector
        exact = [(row[0], float(cosine)) for row, cosine in zip(rows, cosines, strict=True)]
        return sorted(exact, key=lambda one: -one[1])


def _passing(ranking: Sequence[tuple[int, float]], sieve: Sieve) -> list[tuple[int, float]]:
    allowed = set(sieve.passing([number for number, _ in ranking]))
    return [(number, similarity) for number, similarity in ranking if number in allowed]


def _sifted(ranking: Iterator[tuple[int, float]], sieve: Sieve) -> Iterator[tuple[int, float]]:
    while part := list(islice(ranking, LEXICAL_BATCH)):
        yield from _passing(part, sieve)
