"""When the index is extended, and by whom."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mathagent.memory import index_upkeep
from mathagent.memory.index_upkeep import IndexUpkeep, index_path, open_index
from mathagent.memory.schema import open_writer
from mathagent.memory.vector_table import VectorTable
from mathagent.storage import try_lock

DIMENSIONS = 8


@pytest.fixture(autouse=True)
def small_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_upkeep, "LEAST_TAIL", 20)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writer(tmp_path / "x.db")
    yield connection
    connection.close()


@pytest.fixture
def table() -> VectorTable:
    return VectorTable("e", DIMENSIONS)


@pytest.fixture
def upkeep(tmp_path: Path, table: VectorTable) -> IndexUpkeep:
    return IndexUpkeep(tmp_path / "x.db", table)


def fill(connection: sqlite3.Connection, table: VectorTable, experiences: range) -> None:
    for experience in experiences:
        table.insert(connection, experience, np.eye(DIMENSIONS, dtype=np.float32)[experience % DIMENSIONS])


def due(upkeep: IndexUpkeep, connection: sqlite3.Connection, table: VectorTable, path: Path) -> bool:
    return upkeep.due(connection, open_index(path, connection, table))


def test_it_is_due_when_the_tail_is_long(
    connection: sqlite3.Connection, table: VectorTable, upkeep: IndexUpkeep, tmp_path: Path
) -> None:
    path = tmp_path / "x.db"
    fill(connection, table, range(19))
    assert not due(upkeep, connection, table, path)
    fill(connection, table, range(19, 30))
    assert due(upkeep, connection, table, path)
    upkeep.start()
    upkeep.start()
    upkeep.wait()
    assert len(open_index(path, connection, table)) == 30
    assert not due(upkeep, connection, table, path)


def test_anothers_vectors_do_not_make_it_due_again_and_again(
    connection: sqlite3.Connection, upkeep: IndexUpkeep, tmp_path: Path, table: VectorTable
) -> None:
    path = tmp_path / "x.db"
    fill(connection, VectorTable("another", DIMENSIONS), range(50))
    assert due(upkeep, connection, table, path)
    assert upkeep.bring_up_to_date()
    assert not due(upkeep, connection, table, path)


def test_who_does_not_get_the_lock_leaves_it_to_the_other(
    connection: sqlite3.Connection, upkeep: IndexUpkeep, tmp_path: Path, table: VectorTable
) -> None:
    path = tmp_path / "x.db"
    fill(connection, table, range(30))
    lock = index_path(path).with_name(f"{index_path(path).name}.lock")
    with lock.open("a+b") as file:
        assert try_lock(file)
        assert not upkeep.bring_up_to_date()
        assert due(upkeep, connection, table, path)
        assert upkeep.error is None
    assert upkeep.bring_up_to_date()
    assert open_index(path, connection, table).covered == 30


def test_an_index_of_another_store_or_embedder_is_none(
    connection: sqlite3.Connection, upkeep: IndexUpkeep, tmp_path: Path, table: VectorTable
) -> None:
    path = tmp_path / "x.db"
    fill(connection, table, range(30))
    upkeep.bring_up_to_date()
    assert open_index(path, connection, VectorTable("another", DIMENSIONS)).covered == 0
    other = open_writer(tmp_path / "y.db")
    index_path(tmp_path / "y.db").write_bytes(index_path(path).read_bytes())
    assert open_index(tmp_path / "y.db", other, table).covered == 0
    other.close()


def test_no_store_needs_no_index(tmp_path: Path, table: VectorTable) -> None:
    assert IndexUpkeep(tmp_path / "absent.db", table).bring_up_to_date()
    assert list(tmp_path.glob("absent*")) == []
