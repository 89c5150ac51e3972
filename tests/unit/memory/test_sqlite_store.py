"""What only the SQLite store does; what every store must do: tests/conformance/test_experience_store.py."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mathagent.errors import StorageError, UsageError
from mathagent.memory import index_upkeep
from mathagent.memory.base import Query
from mathagent.memory.experience import Exemplar, Experience, Trust
from mathagent.memory.index_upkeep import index_path
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.store_doctor import examine, repair
from tests.unit.memory.word_embedder import WordEmbedder

WORDS = (
    "ash",
    "birch",
    "cedar",
    "elm",
    "fir",
    "hazel",
    "larch",
    "oak",
    "pine",
    "rowan",
    "spruce",
    "yew",
    "beech",
    "alder",
)
Opener = Callable[..., SqliteStore]


@pytest.fixture
async def reopen(tmp_path: Path) -> AsyncIterator[Opener]:
    opened: list[SqliteStore] = []

    def open_one(embedder: str = "words-1", **options: object) -> SqliteStore:
        opened.append(SqliteStore(tmp_path / "memory.db", WordEmbedder(embedder), **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for store in opened:
        await store.aclose()


@pytest.fixture
def store(reopen: Opener) -> SqliteStore:
    return reopen()


@pytest.fixture
def small_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_upkeep, "LEAST_TAIL", 20)


def exemplar(number: int, trust: Trust = "verified", **fields: object) -> Experience:
    words = " ".join(WORDS[(number // 14**place) % 14] for place in range(3))
    content = Exemplar(problem=f"{words} grow in wood", answer=str(number))
    return Experience.model_validate({"content": content, "trust": trust, **fields})


async def best(store: SqliteStore, wanted: Experience) -> tuple[str, int | None]:
    (hit,) = await store.search(Query(text=wanted.key_text, limit=1))
    return hit.experience.id, hit.dense_rank


async def test_a_store_that_is_not_there_is_empty_to_readers_until_somebody_writes(reopen: Opener) -> None:
    reader, writer = reopen(read_only=True), reopen()
    for store in (reader, writer):
        assert await store.search(Query(text="oak")) == []
        assert await store.fingerprint() == ""
        assert (await store.statistics()).embedder == "words-1"
    assert not writer.path.exists()
    await writer.add([exemplar(1)])
    assert [one async for one in reader.scan()] == [exemplar(1)]
    assert await best(reader, exemplar(1)) == (exemplar(1).id, 1)


async def test_a_read_only_store_refuses_to_write(reopen: Opener) -> None:
    await reopen().add([exemplar(1)])
    reader = reopen(read_only=True)
    for write in (
        reader.add([exemplar(2)]),
        reader.add([], used=["a"], success=True),
        reader.forget(["a"]),
        reader.compact(0),
    ):
        with pytest.raises(UsageError, match="for reading only"):
            await write
    assert (await reader.statistics()).experiences == 1


async def test_a_closed_store_says_so(store: SqliteStore) -> None:
    await store.aclose()
    with pytest.raises(StorageError, match="is closed"):
        await store.add([exemplar(1)])
    with pytest.raises(StorageError, match="is closed"):
        await store.search(Query(text="oak"))


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_damaged_file(store: SqliteStore, reopen: Opener, read_only: bool) -> None:
    await store.add([exemplar(number) for number in range(200)])
    await store.aclose()
    whole = bytearray(store.path.read_bytes())
    whole[4096:-4096] = b"\xff" * (len(whole) - 8192)
    store.path.write_bytes(whole)
    damaged = reopen(read_only=read_only)
    with pytest.raises(StorageError, match=r"memory\.db.*(malformed|not a database).*move memory\.db away"):
        await damaged.search(Query(text="oak"))


async def test_a_full_disk_leaves_what_was_there(store: SqliteStore, reopen: Opener) -> None:
    await store.add([exemplar(1)])
    store.file.outside_transactions(lambda connection: connection.execute("PRAGMA max_page_count=60"))
    with pytest.raises(StorageError, match="full; free some disk space"):
        await store.add([exemplar(number) for number in range(2, 2000)], used=[exemplar(1).id], success=True)
    assert [one async for one in reopen().scan()] == [exemplar(1)]
    assert await store.add([exemplar(2)]) is not None  # there is room for one
    assert (await store.statistics()).experiences == 2


async def test_a_write_is_all_or_nothing(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.add([exemplar(1)])
    before = await store.fingerprint()

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("mathagent.memory.sqlite_store.count_experiences", fail)
    with pytest.raises(StorageError, match="cannot be written: disk I/O error"):
        await store.add([exemplar(2)], used=[exemplar(1).id], success=True)
    assert await store.fingerprint() == before
    assert [one async for one in store.scan()] == [exemplar(1)]


async def test_a_full_store_drops_what_is_of_least_use(reopen: Opener) -> None:
    store = reopen(max_experiences=40)
    good = [exemplar(number, trust="graded", uses=9, successes=9) for number in range(10)]
    await store.add(good)
    for first in range(10, 100, 9):
        await store.add([exemplar(number, trust="unchecked") for number in range(first, first + 9)])
        assert (await store.statistics()).experiences <= 40
    kept = [one async for one in store.scan()]
    assert kept[:10] == good
    assert await store.compact(10) == len(kept) - 10
    assert [one async for one in store.scan()] == good
    assert await best(store, exemplar(3)) == (exemplar(3).id, 1)
    unbounded = reopen(max_experiences=None)
    await unbounded.add([exemplar(number) for number in range(200, 300)])
    assert await unbounded.compact() == 0
    assert (await unbounded.statistics()).experiences == 110


async def test_use_keeps_an_experience_from_being_dropped(store: SqliteStore) -> None:
    written = [exemplar(number) for number in range(3)]
    await store.add(written)
    await store.add([], used=[written[0].id], success=True)
    await store.add([], used=[written[1].id], success=False)
    assert await store.compact(2) == 1
    assert [one.id async for one in store.scan()] == [written[0].id, written[2].id]


@pytest.mark.usefixtures("small_tail")
async def test_the_index_follows_and_what_is_deleted_is_not_found(store: SqliteStore, reopen: Opener) -> None:
    written = [exemplar(number) for number in range(100)]
    other = reopen(read_only=True)
    for first in range(0, 100, 25):
        await store.add(written[first : first + 25])
        store.upkeep.wait()
        assert await best(other, written[first]) == (written[first].id, 1)
    numbers = await other.statistics()
    assert numbers.indexed == 100
    assert numbers.index_bytes == index_path(store.path).stat().st_size
    await store.forget([one.id for one in written[:5]])
    found = await store.search(Query(text=written[0].key_text, limit=1000))
    assert {hit.experience.id for hit in found} == {one.id for one in written[5:]}
    index_path(store.path).unlink()
    assert await best(store, written[50]) == (written[50].id, 1)


@pytest.mark.usefixtures("small_tail")
async def test_an_index_mostly_of_deleted_ones_is_made_anew(store: SqliteStore) -> None:
    written = [exemplar(number) for number in range(100)]
    await store.add(written)
    store.upkeep.wait()
    await store.forget([one.id for one in written[:60]])
    assert (await store.statistics()).indexed == 100
    await store.add([exemplar(1000)])
    store.upkeep.wait()
    assert (await store.statistics()).indexed == 41


@pytest.mark.usefixtures("small_tail")
async def test_an_index_that_cannot_be_written_costs_nothing_but_speed(store: SqliteStore) -> None:
    index_path(store.path).mkdir()
    await store.add([exemplar(number) for number in range(30)])
    store.upkeep.wait()
    assert "vector index" in str(store.upkeep.error)
    assert (await best(store, exemplar(7))) == (exemplar(7).id, 1)
    assert [one.part for one in await examine(store) if one.state != "ok"] == ["vector index"]
    index_path(store.path).rmdir()
    assert {one.state for one in await repair(store)} == {"ok"}
    assert (await store.statistics()).indexed == 30


@pytest.mark.usefixtures("small_tail")
async def test_an_older_copy_of_the_database_beside_a_newer_index(reopen: Opener, tmp_path: Path) -> None:
    store = reopen()
    await store.add([exemplar(number) for number in range(30)])
    await store.compact()
    copy = store.path.read_bytes()
    await store.add([exemplar(number) for number in range(30, 90)])
    await store.aclose()
    store.path.write_bytes(copy)
    restored = reopen()
    assert await best(restored, exemplar(7)) == (exemplar(7).id, 1)
    for number in range(90, 98):
        await restored.add([exemplar(number)])
        assert await best(restored, exemplar(number)) == (exemplar(number).id, 1)


@pytest.mark.usefixtures("small_tail")
async def test_another_embedder_finds_by_words_until_all_is_embedded_again(reopen: Opener) -> None:
    written = [exemplar(number) for number in range(50)]
    await reopen().add(written)
    store = reopen("words-2")
    assert await best(store, written[9]) == (written[9].id, None)
    before = await store.fingerprint()
    newer = exemplar(60)
    await store.add([newer])
    assert await best(store, newer) == (newer.id, 1)
    assert await store.reembed() == 50
    assert await store.reembed() == 0
    assert await best(store, written[9]) == (written[9].id, 1)
    assert await store.fingerprint() != before
    await store.compact()
    assert (await store.statistics()).indexed == 51
    assert await best(store, written[9]) == (written[9].id, 1)
    assert await best(reopen("words-1"), written[9]) == (written[9].id, None)


async def test_compacting_gives_space_back(store: SqliteStore) -> None:
    await store.add([exemplar(number) for number in range(1500)])
    await store.compact()
    full = (await store.statistics()).database_bytes
    assert await store.compact(100) == 1400
    assert (await store.statistics()).database_bytes < full / 4


async def test_common_words_are_counted_once(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathagent.memory.hybrid_search.COMMON", 3)
    statements: list[str] = []
    await store.add([exemplar(number) for number in range(14)])
    await store.search(Query(text="oak wood"))
    with store.file.reading() as connection:
        assert connection is not None
        connection.set_trace_callback(statements.append)
    await store.search(Query(text="oak wood"))
    (looked_up,) = [statement for statement in statements if "vocabulary" in statement]
    assert "oak" in looked_up
    assert "wood" not in looked_up


async def test_a_search_beside_a_long_write(store: SqliteStore) -> None:
    await store.add([exemplar(1)])

    def search_within() -> None:
        with store.file.writing() as connection:
            connection.execute("DELETE FROM experiences")
            other = asyncio.run(best(store, exemplar(1)))
            assert other == (exemplar(1).id, 1)

    await asyncio.to_thread(search_within)
    assert (await store.statistics()).experiences == 0


async def test_a_scan_goes_either_way_over_all_pages(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathagent.memory.sqlite_store.PAGE_ROWS", 3)
    written = [exemplar(number) for number in range(7)]
    await store.add(written)
    assert [one async for one in store.scan()] == written
    assert [one async for one in store.scan(newest_first=True)] == written[::-1]
    assert [one async for one in store.scan(("fact",), newest_first=True)] == []
