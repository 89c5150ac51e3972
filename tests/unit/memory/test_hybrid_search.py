"""Word counts that are kept must not hide what is new; the rest is shown through a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from mathagent.memory import hybrid_search
from mathagent.memory.hybrid_search import MOST_CHARACTERS, WordCounts, embeddable


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    monkeypatch.setattr(hybrid_search, "COMMON", 10)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE texts USING fts5(key_text)")
    connection.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab(texts, row)")
    yield connection
    connection.close()


def write(connection: sqlite3.Connection, text: str, count: int) -> None:
    connection.executemany("INSERT INTO texts VALUES (?)", [(text,)] * count)


def test_counts_are_of_rows_and_rare_words_are_never_old(connection: sqlite3.Connection) -> None:
    counts = WordCounts()
    write(connection, "many many", 12)
    write(connection, "few", 3)
    assert counts.look_up(connection, 100, ["many", "few", "new", "'; --"]) == {"many": 12, "few": 3}
    write(connection, "many few new", 5)
    assert counts.look_up(connection, 105, ["many", "few", "new"]) == {"many": 12, "few": 8, "new": 5}
    assert counts.look_up(connection, 120, ["many"]) == {"many": 17}
    connection.execute("DELETE FROM texts")
    assert counts.look_up(connection, 10, ["many"]) == {}
    assert counts.look_up(connection, 10, []) == {}


def test_what_is_embedded_is_a_bounded_whole_text() -> None:
    assert embeddable("a\ud800" + "b" * 10**5) == "a?" + "b" * (MOST_CHARACTERS - 2)
