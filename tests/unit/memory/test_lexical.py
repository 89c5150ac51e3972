from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.memory.lexical import MOST_POSTINGS, MOST_TERMS, match_query, terms


@pytest.fixture(scope="module")
def texts() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(x, tokenize='unicode61 remove_diacritics 2')")
    connection.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, row)")
    rows = [
        "Zoë has 12 apples and 5 pears; how many fruits?",
        "A triangle $\\triangle ABC$ has sides 3, 4 and 5. Find \\frac{a}{b}.",
        "How many crates does the ÉCOLE need for 47 apples?",
        "2 + 2 = ?",
        "小明有五个苹果",
    ]
    connection.executemany("INSERT INTO t VALUES (?)", [(row,) for row in rows])
    yield connection
    connection.close()


def frequency(connection: sqlite3.Connection, words: list[str]) -> dict[str, int]:
    found = [connection.execute("SELECT doc FROM v WHERE term = ?", (word,)).fetchone() for word in words]
    return {word: row[0] for word, row in zip(words, found, strict=True) if row}


def found(connection: sqlite3.Connection, text: str) -> list[int]:
    expression = match_query(text, lambda words: frequency(connection, words), 5)
    if not expression:
        return []
    rows = connection.execute("SELECT rowid FROM t WHERE t MATCH ? ORDER BY rank", (expression,))
    return [row[0] for row in rows]


@given(text=st.text(max_size=60) | st.text(alphabet="apples\"'*:()-+^NEAR OR AND{}\\ 12", max_size=60))
def test_no_text_breaks_the_syntax(texts: sqlite3.Connection, text: str) -> None:
    found(texts, text)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Is zoe there?", [1]),
        ("École", [3]),
        ("apples OR NEAR(triangle)", [2, 1, 3]),
        ("$\\triangle$", [2]),
        ("\\left( \\quad \\right)", []),
        ("2 + 2", [4]),
        ("pears, 47", [1]),
        ("小明有五个苹果", [5]),
        ("unheard of things", []),
        ("", []),
    ],
)
def test_the_telling_words_are_looked_for(texts: sqlite3.Connection, text: str, rows: list[int]) -> None:
    assert sorted(found(texts, text)) == sorted(rows)


def test_rare_words_come_first_and_the_rows_are_bounded() -> None:
    counts = {"rare": 3, "middle": MOST_POSTINGS - 10, "common": 5000, "everywhere": 900_000}
    expression = match_query("everywhere common middle rare", lambda words: counts, 10**6)
    assert expression == '"rare" OR "middle"'
    assert match_query("everywhere common", lambda words: counts, 10**6) == ""


def test_what_is_in_most_documents_is_left_out_unless_it_is_all() -> None:
    counts = {"the": 90, "of": 80, "marble": 2}
    assert match_query("the marble of", lambda words: counts, 100) == '"marble"'
    assert match_query("the of", lambda words: counts, 100) == '"of"'


def test_there_are_at_most_so_many_terms() -> None:
    text = " ".join(f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300))
    expression = match_query(text, lambda words: dict.fromkeys(words, 1), 1000)
    assert expression.count('"') == 2 * MOST_TERMS


def test_numbers_and_variables_are_no_words() -> None:
    words, rest = terms("The 17 cats x_1 y 3a naïve \\frac{1}{2} [asy] draw(z); [/asy]")
    assert words == ["the", "cats", "naive", "frac"]
    assert rest == ["17", "x", "1", "y", "3a", "2"]
