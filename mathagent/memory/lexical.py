"""Which words of a text to look for: an FTS5 expression that finds what is alike and stays fast in a large store."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from mathagent.memory.latex_words import without_layout

MOST_WORDS = 400
"""Distinct words of a text whose counts are looked up."""
MOST_TERMS = 16
MOST_POSTINGS = 2000
"""Rows, counted once a word, that a query may touch: measured at 20,000 problems, ranking them takes SQLite 2 ms, and
twice as many twice as long."""
_TOKEN = re.compile(r"[^\W_]+")


def match_query(text: str, document_frequency: Callable[[list[str]], dict[str, int]], documents: int) -> str:
    """An FTS5 MATCH expression with the most telling words of ``text``: rare ones, joined by OR; "" where none is left.

    For a table tokenised by ``unicode61 remove_diacritics 2``. ``document_frequency`` says in how many of the
    ``documents`` each term occurs (0 or absent: in none). Words come before numbers and single letters, which rarely
    tell what a problem is about and are taken only where no word is known. Words that are in more than half of the
    documents are left out where others remain; MOST_POSTINGS bounds the rows to be ranked.
    """
    words, rest = terms(text)
    for group in (words, rest):
        if not group:
            continue
        counts = document_frequency(group)
        known = sorted((term for term in group if counts.get(term, 0) > 0), key=lambda term: counts[term])
        telling = [term for term in known if 2 * counts[term] <= documents] or known[:1]
        if chosen := _within_bounds(telling, counts):
            return " OR ".join(f'"{term}"' for term in chosen)
    return ""


def terms(text: str) -> tuple[list[str], list[str]]:
    """The distinct tokens of ``text`` as FTS5 stores them, in order: words, and the rest (numbers, single letters).

    Commands of LaTeX count by their names, but for those of layout; drawings do not count.
    """
    plain = unicodedata.normalize("NFKD", without_layout(text))
    folded = "".join(sign for sign in plain if not unicodedata.combining(sign)).lower()
    distinct = dict.fromkeys(_TOKEN.findall(folded))
    words = [token for token in distinct if is_word(token)]
    return words[:MOST_WORDS], [token for token in distinct if not is_word(token)][:MOST_WORDS]


def is_word(token: str) -> bool:
    """Whether ``token`` is more than a number, a variable, or one of those with an index. A CJK sign is a word."""
    if any(sign.isdigit() for sign in token):
        return False
    return len(token) > 1 or ord(token) > 0x2E7F


def _within_bounds(ordered: list[str], counts: dict[str, int]) -> list[str]:
    """The rarest terms (``ordered`` by count) that together stay within the bounds."""
    chosen: list[str] = []
    postings = 0
    for term in ordered[:MOST_TERMS]:
        postings += counts[term]
        if postings > MOST_POSTINGS:
            break
        chosen.append(term)
    return chosen
