"""One search: BM25 and vectors, fused by reciprocal rank, then diversity.

BM25 is SQLite's (FTS5); reciprocal rank fusion Cormack, Clarke and Büttcher, SIGIR 2009; maximal marginal relevance
Carbonell and Goldstein, SIGIR 1998.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mathagent.memory.base import Hit, Query
from mathagent.memory.candidates import DenseSearch, Sieve, lexical_ranking
from mathagent.memory.fusion import maximal_marginal_relevance, reciprocal_rank_fusion
from mathagent.memory.lexical import match_query
from mathagent.memory.rows import READ_COLUMNS, experience_of, whole_text
from mathagent.memory.store_writes import count_experiences
from mathagent.memory.vector_table import VectorTable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mathagent.memory.vector_index import VectorIndex

MOST_CHARACTERS = 8000
"""Of a text that are embedded or searched for: longer ones are documents, not problems."""
LEAST_DEPTH = 40
"""Of each ranking before fusion."""
POOL = 4
"""Candidates for each hit, from which diversity chooses."""
COMMON = 500
STALE_SHARE = 0.1
"""Growth or shrinkage from which word counts are looked up anew: they only choose which words to look for."""


def embeddable(text: str) -> str:
    """What an embedder is given of ``text``, for what is stored and for what is looked for."""
    return whole_text(text[:MOST_CHARACTERS])


class WordCounts:
    """In how many experiences a word occurs. Counting walks the word's part of the index, so that what was found for
    common words is kept until the store has changed its size; rare ones are counted each time, and so are never old."""

    def __init__(self) -> None:
        self._common: dict[str, int] = {}
        self._experiences = 0

    def look_up(self, connection: sqlite3.Connection, experiences: int, words: Sequence[str]) -> dict[str, int]:
        """The count of each word that occurs."""
        if abs(experiences - self._experiences) > STALE_SHARE * self._experiences:
            self._common.clear()
            self._experiences = experiences
        counts = {word: self._common[word] for word in words if word in self._common}
        rows = connection.execute(
            "SELECT term, doc FROM json_each(?) CROSS JOIN vocabulary ON term = json_each.value",
            (json.dumps([word for word in words if word not in counts]),),
        ).fetchall()
        self._common.update((word, count) for word, count in rows if count >= COMMON)
        return counts | dict(rows)


class HybridSearch:
    """Searches a store through connections that the caller lends, one at a time (it keeps counts and the tail)."""

    def __init__(self, table: VectorTable, chance_similarity: float) -> None:
        self._table, self._chance = table, chance_similarity
        self._words = WordCounts()

    def search(
        self, connection: sqlite3.Connection, index: VectorIndex, query: Query, vector: NDArray[np.float32]
    ) -> list[Hit]:
        """The best hits for ``query``, whose text has that ``vector``, best first."""
        sieve = Sieve(connection, query)
        depth = max(LEAST_DEPTH, POOL * query.limit)
        experiences = count_experiences(connection)
        expression = match_query(
            whole_text(query.text[:MOST_CHARACTERS]),
            lambda words: self._words.look_up(connection, experiences, words),
            experiences,
        )
        lexical = lexical_ranking(connection, expression, sieve, depth)
        dense: list[tuple[int, float]] = []
        if vector.any():  # a text of unknown words may have no direction at all
            search = DenseSearch(self._table, index)
            dense = search.ranking(connection, vector, sieve, least=query.limit, depth=depth)
        rankings = [lexical, [number for number, _ in dense]]
        return self._hits(connection, query, rankings, vector)

    def _hits(
        self,
        connection: sqlite3.Connection,
        query: Query,
        rankings: Sequence[Sequence[int]],
        vector: NDArray[np.float32],
    ) -> list[Hit]:
        scores = reciprocal_rank_fusion(rankings)
        pool = sorted(scores, key=lambda number: (-scores[number], number))
        pool = pool[: POOL * query.limit if query.diversity else query.limit]
        vectors = self._table.of(connection, pool)
        chosen = maximal_marginal_relevance(pool, scores, vectors, limit=query.limit, diversity=query.diversity)
        rows = connection.execute(
            f"SELECT {READ_COLUMNS} FROM experiences WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps(chosen),),
        )
        experiences = {row[0]: experience_of(row) for row in rows}
        lexical, dense = ({number: place for place, number in enumerate(one, start=1)} for one in rankings)
        cosines = {
            number: float(vectors[number] @ vector) for number in chosen if number in vectors and vector.any()
        }
        return [
            Hit(
                experience=experiences[number],
                score=scores[number],
                lexical_rank=lexical.get(number),
                dense_rank=dense.get(number),
                similarity=cosines.get(number),
                alike=cosines.get(number, 1.0) > self._chance,
            )
            for number in chosen
        ]
