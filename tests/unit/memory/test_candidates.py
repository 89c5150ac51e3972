"""The two rankings go on until enough passes, through the index and past it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from mathagent.memory import candidates
from mathagent.memory.base import Query
from mathagent.memory.candidates import DenseSearch, Sieve, lexical_ranking
from mathagent.memory.experience import Exemplar, Experience
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.vector_index import VectorIndex
from tests.unit.memory.word_embedder import WordEmbedder

COUNT = 300
PLACES = {"rare": {7, 77, 177, 277}, "common": set(range(0, COUNT, 2))}


class DirectionEmbedder(WordEmbedder):
    """Texts are numbers; near numbers, near directions."""

    def embed(self, texts: object) -> np.ndarray:
        angles = np.array([int(text.split()[-1]) / 400 for text in texts])  # type: ignore[attr-defined]
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def exemplar(number: int) -> Experience:
    subject = "rare" if number in PLACES["rare"] else "common" if number in PLACES["common"] else ""
    return Experience(content=Exemplar(problem=f"apples number {number}", answer="1"), subject=subject)


@pytest.fixture(params=["all in the index", "half of it in the tail", "no index"])
async def store(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "memory.db", DirectionEmbedder(dimensions=2))
    await store.add([exemplar(number) for number in range(COUNT // 2)])
    if request.param.startswith("half"):
        store.upkeep.bring_up_to_date()
    await store.add([exemplar(number) for number in range(COUNT // 2, COUNT)])
    if request.param.startswith("all"):
        store.upkeep.bring_up_to_date()
    yield store
    await store.aclose()


def dense(store: SqliteStore, number: int, *, depth: int = 8, **fields: object) -> list[int]:
    """The numbers of the experiences found near ``number``."""
    query = Query.model_validate({"text": "x", **fields})
    (vector,) = store.embedder.embed([str(number)])
    with store.file.reading() as connection:
        assert connection is not None
        search = DenseSearch(store.vectors, store.index(connection))
        found = search.ranking(connection, vector, Sieve(connection, query), least=query.limit, depth=depth)
        assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)
        return [row - 1 for row, _ in found]


@pytest.mark.parametrize("neighbours", [16, 100, 10**6])
def test_what_passes_is_found_however_far_it_is(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, neighbours: int
) -> None:
    monkeypatch.setattr(candidates, "MOST_NEIGHBOURS", neighbours)
    assert set(dense(store, 10, depth=5)) <= set(range(6, 16))
    assert dense(store, 10, subject="rare", limit=4) == [7, 77, 177, 277]
    assert dense(store, 299, subject="rare", limit=2, depth=4)[:2] == [277, 177]
    near = dense(store, 150, subject="common")
    assert len(near) >= 5
    assert set(near) <= {number for number in range(140, 161) if number % 2 == 0}
    assert dense(store, 10, subject="none") == []


def test_all_there_is(store: SqliteStore) -> None:
    assert sorted(dense(store, 5, depth=1000)) == list(range(COUNT))


def test_what_the_graph_does_not_reach_is_found(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near duplicates crowd each other out of a graph: a search may find less than there is, however much it asks."""
    search = VectorIndex.search

    def half_of_it(index: VectorIndex, vector: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
        numbers, similarities = search(index, vector, limit)
        reached = numbers < COUNT // 4
        return numbers[reached], similarities[reached]

    monkeypatch.setattr(VectorIndex, "search", half_of_it)
    assert dense(store, 10, subject="rare", limit=4) == [7, 77, 177, 277]
    assert sorted(dense(store, 5, depth=1000)) == list(range(COUNT))


async def test_deleted_ones_are_gone_from_both(store: SqliteStore) -> None:
    await store.forget([exemplar(number).id for number in range(5, 290)])
    assert dense(store, 100, depth=3) == [4, 3, 2]
    with store.file.reading() as connection:
        assert connection is not None
        sieve = Sieve(connection, Query(text="x"))
        assert len(lexical_ranking(connection, '"apples"', sieve, 100)) == 15


def test_the_lexical_ranking_goes_past_what_does_not_pass(store: SqliteStore) -> None:
    with store.file.reading() as connection:
        assert connection is not None
        sieve = Sieve(connection, Query(text="x", subject="RARE"))
        found = lexical_ranking(connection, '"apples"', sieve, 3)
        assert len(found) == 3
        assert {row - 1 for row in found} < PLACES["rare"]
        assert lexical_ranking(connection, "", sieve, 3) == []


@pytest.mark.parametrize(
    "fields",
    [{"subject": "rare"}, {"kinds": ("exemplar", "fact"), "model": "m"}, {"least_trust": "graded"}],
    ids=str,
)
def test_a_narrow_filter_reads_no_contents(store: SqliteStore, fields: dict[str, object]) -> None:
    plans: list[str] = []
    (vector,) = store.embedder.embed(["1"])
    with store.file.reading() as connection:
        assert connection is not None
        sieve = Sieve(connection, Query.model_validate({"text": "x", **fields}))
        connection.set_trace_callback(plans.append)
        list(store.vectors.exact_ranking(connection, sieve.condition, sieve.values, vector))
        connection.set_trace_callback(None)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {plans[-1]}")]
    assert "COVERING INDEX experiences_by_filter" in plan[0], plan
    assert "vectors USING INDEX vectors_by_experience" in plan[1], plan
