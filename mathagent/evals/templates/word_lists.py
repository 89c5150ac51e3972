"""The lists that templates draw words from: names of several cultures, colours, units, words for numbers."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from mathagent.evals.templates.numbers import Word, exact


@lru_cache(maxsize=1)
def word_lists() -> Mapping[str, list[Any]]:
    """Every list by its name: texts, or words with their numbers.

    Names by culture: ``names_west_africa_female`` …; ``names_female``, ``names_male`` and ``names`` hold them all.
    """
    text = files(__package__).joinpath("shipped/word_lists.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    lists: dict[str, list[Any]] = dict(content["texts"])
    for name, pairs in content["numbers"].items():
        lists[name] = [Word(str(word), exact(Fraction(value))) for word, value in pairs]
    by_gender: dict[str, list[str]] = {"female": [], "male": []}
    for culture, genders in content["names"].items():
        for gender, names in genders.items():
            lists[f"names_{culture}_{gender}"] = names
            by_gender[gender] += names
    lists |= {f"names_{gender}": names for gender, names in by_gender.items()}
    lists["names"] = [*by_gender["female"], *by_gender["male"]]
    return MappingProxyType(lists)


def cultures() -> dict[str, dict[str, list[str]]]:
    """The given names of each culture, by gender ("female", "male")."""
    text = files(__package__).joinpath("shipped/word_lists.toml").read_text(encoding="utf-8")
    names: dict[str, dict[str, list[str]]] = tomllib.loads(text)["names"]
    return names
