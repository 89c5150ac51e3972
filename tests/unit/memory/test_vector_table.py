"""Vectors in the database, and the tail that no index covers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from mathagent.memory import vector_table
from mathagent.memory.schema import open_writer
from mathagent.memory.vector_table import VectorTable, last_number, packed, unpacked

DIMENSIONS = 8
rng = np.random.default_rng(0)


def unit_vectors(count: int) -> np.ndarray:
    drawn = rng.standard_normal((count, DIMENSIONS)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    return open_writer(tmp_path / "x.db")


@pytest.fixture
def table() -> VectorTable:
    return VectorTable("e", DIMENSIONS)


def fill(connection: sqlite3.Connection, table: VectorTable, count: int, first: int = 1) -> np.ndarray:
    vectors = unit_vectors(count)
    for experience, vector in enumerate(vectors, start=first):
        table.insert(connection, experience, vector)
    return unpacked([packed(vector) for vector in vectors], DIMENSIONS)


def nearest(vectors: np.ndarray, query: np.ndarray, limit: int, after: int = 0) -> list[int]:
    order = np.argsort(-(vectors @ query), kind="stable") + 1
    return [int(number) for number in order if number > after][:limit]


def test_packing_keeps_three_digits() -> None:
    vectors = unit_vectors(20)
    again = unpacked([packed(vector) for vector in vectors], DIMENSIONS)
    assert again.dtype == np.float32
    assert np.abs(again - vectors).max() < 1e-3
    assert unpacked([], DIMENSIONS).shape == (0, DIMENSIONS)


@pytest.mark.parametrize("cached", [10**6, 60, 1])
def test_the_tail_is_searched_exactly_whatever_fits_in_memory(
    connection: sqlite3.Connection, table: VectorTable, monkeypatch: pytest.MonkeyPatch, cached: int
) -> None:
    monkeypatch.setattr(vector_table, "BATCH_ROWS", 25)
    monkeypatch.setattr(vector_table, "CACHED_ROWS", cached)
    assert table.search_tail(connection, 0, unit_vectors(1)[0], 5) == []
    vectors = fill(connection, table, 110)
    fill(connection, VectorTable("another", DIMENSIONS), 30, first=1000)
    for covered in (0, 20, 90, 109, 110, 200, 0):
        query = unit_vectors(1)[0]
        found = table.search_tail(connection, covered, query, 7)
        assert [number for number, _ in found] == nearest(vectors, query, 7, after=covered)
        assert [cosine for _, cosine in found] == pytest.approx(
            [vectors[n - 1] @ query for n, _ in found], abs=1e-5
        )


def test_the_tail_follows_what_is_added_covered_and_lost(
    connection: sqlite3.Connection, table: VectorTable
) -> None:
    vectors = fill(connection, table, 10)
    query = unit_vectors(1)[0]
    assert len(table.search_tail(connection, 0, query, 99)) == 10
    vectors = np.concatenate([vectors, fill(connection, table, 5, first=11)])
    assert [n for n, _ in table.search_tail(connection, 8, query, 99)] == nearest(vectors, query, 99, after=8)
    assert [n for n, _ in table.search_tail(connection, 2, query, 99)] == nearest(vectors, query, 99, after=2)


def test_numbers_never_come_back(connection: sqlite3.Connection, table: VectorTable) -> None:
    assert last_number(connection) == 0
    fill(connection, table, 3)
    connection.execute("DELETE FROM vectors")
    assert last_number(connection) == 3
    table.insert(connection, 1, unit_vectors(1)[0])
    assert last_number(connection) == 4


def test_batches_are_all_of_this_embedder_in_order(
    connection: sqlite3.Connection, table: VectorTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_table, "BATCH_ROWS", 4)
    vectors = fill(connection, table, 10)
    fill(connection, VectorTable("another", DIMENSIONS), 3, first=50)
    parts = list(table.batches(connection, after=2))
    assert [numbers.tolist() for numbers, _ in parts] == [[3, 4, 5, 6], [7, 8, 9, 10]]
    assert np.array_equal(np.concatenate([part for _, part in parts]), vectors[2:])


def test_vectors_of_experiences(connection: sqlite3.Connection, table: VectorTable) -> None:
    vectors = fill(connection, table, 5)
    found = table.of(connection, [4, 99, 2])
    assert set(found) == {2, 4}
    assert np.array_equal(found[4], vectors[3])
    assert table.of(connection, []) == {}


def test_one_vector_an_experience_and_embedder(connection: sqlite3.Connection, table: VectorTable) -> None:
    fill(connection, table, 1)
    with pytest.raises(sqlite3.IntegrityError):
        fill(connection, table, 1)
