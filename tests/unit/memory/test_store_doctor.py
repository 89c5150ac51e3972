"""Each kind of damage is found and named, and what is derived is made again."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mathagent.errors import UsageError
from mathagent.memory import index_upkeep
from mathagent.memory.base import Query
from mathagent.memory.experience import Experience, Fact
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.store_doctor import examine, repair
from tests.unit.memory.word_embedder import WordEmbedder

PARTS = ["file", "experiences", "totals", "full text", "vectors", "vector index"]


def fact(number: int) -> Experience:
    name = "".join("abcdefghij"[int(digit)] for digit in str(number))  # a word: numbers are rarely looked for
    return Experience(content=Fact(title=f"title {name * 2}", statement="of a triangle"))


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    monkeypatch.setattr(index_upkeep, "LEAST_TAIL", 20)
    monkeypatch.setattr("mathagent.memory.store_doctor.LEAST_TAIL", 20)
    store = SqliteStore(tmp_path / "memory.db", WordEmbedder(dimensions=512))
    yield store
    await store.aclose()


async def states(store: SqliteStore) -> dict[str, str]:
    return {one.part: one.state for one in await examine(store)}


def execute(store: SqliteStore, *statements: str) -> None:
    """Changes the file behind the store's back."""
    connection = sqlite3.connect(store.path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


DAMAGES = {
    "totals": "UPDATE meta SET value = value + 1 WHERE name = 'digest'",
    "totals ": "DELETE FROM meta WHERE name = 'vectors of words-1'",
    "full text": "INSERT INTO texts (texts, rowid, key_text) VALUES ('delete', 3, 'title cc\nof a triangle')",
    "full text ": "DELETE FROM texts_data WHERE id > 10",
    "vectors": "UPDATE vectors SET vector = x'0102' WHERE number = 4",
    "vectors ": "DELETE FROM vectors WHERE number < 6",
    "vectors  ": "INSERT INTO vectors (experience, embedder, vector) VALUES (99999, 'words-1', zeroblob(1024))",
}


async def test_a_healthy_store(store: SqliteStore) -> None:
    assert await states(store) == {"file": "ok"}
    await store.add([fact(number) for number in range(30)])
    store.upkeep.wait()
    findings = await examine(store)
    assert [one.part for one in findings] == PARTS
    assert {one.state for one in findings} == {"ok"}
    assert await examine(store) == findings


@pytest.mark.parametrize("part", DAMAGES)
async def test_what_is_derived_is_repaired(store: SqliteStore, part: str) -> None:
    await store.add([fact(number) for number in range(30)])
    store.upkeep.wait()
    fingerprint = await store.fingerprint()
    execute(store, DAMAGES[part])
    found = await states(store)
    assert found[part.strip()] == "repairable", found
    assert {one.state for one in await repair(store)} == {"ok"}
    assert await store.fingerprint() == fingerprint
    for number in range(30):
        (hit,) = await store.search(Query(text=fact(number).key_text, limit=1))
        assert hit.experience == fact(number)
        assert hit.lexical_rank is not None
        assert hit.dense_rank is not None


async def test_an_index_that_lags_or_is_of_another_time(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.add([fact(number) for number in range(30)])
    await store.compact()
    copy = store.path.read_bytes()
    monkeypatch.setattr(index_upkeep, "LEAST_TAIL", 10**6)
    await store.add([fact(number) for number in range(30, 120)])
    assert (await states(store))["vector index"] == "repairable"
    assert {one.state for one in await repair(store)} == {"ok"}
    await store.aclose()
    store.path.write_bytes(copy)
    older = SqliteStore(store.path, store.embedder)
    assert (await states(older))["vector index"] == "repairable"
    assert {one.state for one in await repair(older)} == {"ok"}
    await older.aclose()


async def test_an_experience_that_cannot_be_read_is_named_and_left(store: SqliteStore) -> None:
    await store.add([fact(number) for number in range(3)])
    execute(store, "UPDATE experiences SET content = replace(content, 'triangle', 'circle') WHERE number = 2")
    for findings in (await examine(store), await repair(store)):
        (one,) = [one for one in findings if one.part == "experiences"]
        assert one.state == "broken"
        assert f"1 of 3 are faulty: the experience {fact(1).id} is not what its id says" in one.detail


async def test_a_damaged_file_is_beyond_repair(store: SqliteStore) -> None:
    await store.add([fact(number) for number in range(300)])
    await store.aclose()
    whole = bytearray(store.path.read_bytes())
    for page in range(2, len(whole) // 4096, 3):
        whole[page * 4096 : page * 4096 + 2048] = b"\x55" * 2048
    store.path.write_bytes(whole)
    damaged = SqliteStore(store.path, store.embedder)
    findings = await examine(damaged)
    assert [(one.part, one.state) for one in findings] == [("file", "broken")]
    assert "memory" in findings[0].detail
    await damaged.aclose()


async def test_a_store_open_for_reading_only(store: SqliteStore) -> None:
    await store.add([fact(1)])
    reader = SqliteStore(store.path, store.embedder, read_only=True)
    with pytest.raises(UsageError, match="for reading only"):
        await examine(reader)
    await reader.aclose()
