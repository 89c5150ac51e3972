"""The people of a problem: which given names it uses, and other names for them. Pure."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from mathagent.evals.templates.word_lists import cultures

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)?")


@lru_cache(maxsize=1)
def genders() -> dict[str, str]:
    """Every given name that is known, with its gender."""
    text = files(__package__).joinpath("shipped/names.toml").read_text(encoding="utf-8")
    known: dict[str, list[str]] = tomllib.loads(text)
    table = {name: gender for gender in ("female", "male") for name in known[gender]}
    for lists in cultures().values():
        table |= {name: gender for gender, names in lists.items() for name in names}
    for name in ("Grace", "Jack", "Simba", "Saga", "Liv", "Jun"):  # other words, too
        table.pop(name, None)
    return table


def people_in(text: str) -> list[str]:
    """The given names that ``text`` uses, in the order of their first use."""
    known = genders()
    return list(dict.fromkeys(word for word in _WORD.findall(text) if word in known))


def renamed(text: str, culture: str, rng: random.Random) -> dict[str, str]:
    """Another name of the same gender for each name in ``text``: of ``culture``, "" for any. {} where there is none."""
    found = people_in(text)
    lists = cultures()
    pools = {
        gender: [
            name
            for one, names in lists.items()
            if culture in ("", one)
            for name in names[gender]
            if name in genders() and not re.search(rf"\b{re.escape(name)}\b", text)
        ]
        for gender in ("female", "male")
    }
    chosen: dict[str, str] = {}
    for name in found:
        pool = pools[genders()[name]]
        if not pool:
            return {}
        chosen[name] = pool.pop(int(rng.random() * len(pool)))
    return chosen


def swapped(text: str, mapping: dict[str, str]) -> str:
    """``text`` with each whole word or phrase of ``mapping`` replaced, all at once, the longest first.

    A capital letter at the beginning is kept.
    """
    if not mapping:
        return text
    keys = sorted(mapping, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(key)}(?!\w)" for key in keys), re.IGNORECASE)
    exact = {key.lower(): value for key, value in mapping.items()}

    def other(match: re.Match[str]) -> str:
        new = exact[match[0].lower()]
        return new[0].upper() + new[1:] if match[0][0].isupper() and new[0].islower() else new

    return pattern.sub(other, text)


def articles_agree(text: str, words: Sequence[str]) -> str:
    """``text`` with "a" or "an" as the word behind it asks for, where that is one of ``words``."""
    for word in words:
        vowel = word[0].lower() in "aeiou" and not word.lower().startswith(("uni", "eu", "one"))
        new = r"\1n" if vowel else r"\1"
        text = re.sub(rf"\b([Aa])n?(?=\s{re.escape(word)}\b)", new, text)
    return text
