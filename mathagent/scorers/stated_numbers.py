"""Numbers that a problem states, in digits and in (English) words. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

from mathagent.answers.rational import exact_value

NUMBER = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
"""A number in digits, as problems state it."""
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_MORE = "dozen:12 twice:2 double:2 thrice:3 triple:3 quadruple:4 hundred:100 thousand:1000 million:1000000"
_PARTS = "half:2 third:3 quarter:4 fourth:4 fifth:5 sixth:6 seventh:7 eighth:8 ninth:9 tenth:10"
_ONE_VALUES = {word: value for value, word in enumerate(_ONES.split())}
_TEN_VALUES = {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
_MORE_VALUES = {word: int(value) for word, _, value in (pair.partition(":") for pair in _MORE.split())}
_WHOLE = _ONE_VALUES | _TEN_VALUES | _MORE_VALUES
_PART_OF = {word: int(value) for word, _, value in (pair.partition(":") for pair in _PARTS.split())}
_COMPOUND = re.compile(rf"\b({'|'.join(_TEN_VALUES)})[- ]({'|'.join([*_ONE_VALUES][1:10])})\b")


def stated_numbers(text: str) -> frozenset[Fraction]:
    """The numbers that stand in ``text`` in digits."""
    values = (exact_value(match.replace(",", "")) for match in NUMBER.findall(text))
    return frozenset(value for value in values if value is not None)


def worded_numbers(text: str) -> frozenset[Fraction]:
    """The numbers that stand in ``text`` in words: forty-two is 40, 2 and 42; a fifth is 1/5, and division by 5."""
    lower = text.lower()
    found = {Fraction(_TEN_VALUES[tens] + _ONE_VALUES[ones]) for tens, ones in _COMPOUND.findall(lower)}
    for word in re.findall(r"[a-z]+", lower):
        if word in _WHOLE:
            found.add(Fraction(_WHOLE[word]))
        part = _PART_OF.get(word) or _PART_OF.get(word.removesuffix("s"))
        if part is not None:
            found |= {Fraction(part), Fraction(1, part)}
    return frozenset(found)
