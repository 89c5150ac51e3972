"""How a template's values stand in a sentence: number words, plurals, articles, money, clock times."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mathagent.evals.templates.numbers import Word, as_number, exact

UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
CURRENCY_SIGNS = "$€£₤₹¥₣"

_IRREGULAR = {
    "child": "children",
    "person": "people",
    "man": "men",
    "woman": "women",
    "foot": "feet",
    "mouse": "mice",
    "goose": "geese",
    "tooth": "teeth",
    "loaf": "loaves",
    "shelf": "shelves",
    "leaf": "leaves",
    "half": "halves",
    "knife": "knives",
    "die": "dice",
    "sheep": "sheep",
    "fish": "fish",
    "photo": "photos",
    "yen": "yen",
    "baht": "baht",
}


def words(value: Any) -> str:
    """A whole number from 0 to 999 in words."""
    number = as_number(value)
    if not isinstance(number, int) or not 0 <= number <= 999:
        raise ValueError(f"{number} is not a whole number from 0 to 999")
    if number < 20:
        return UNITS[number]
    if number < 100:
        return TENS[number // 10] + (f"-{UNITS[number % 10]}" if number % 10 else "")
    rest = f" and {words(number % 100)}" if number % 100 else ""
    return f"{UNITS[number // 100]} hundred{rest}"


def ordinal(value: Any) -> str:
    """1st, 2nd, 3rd, 4th, 11th …"""
    number = int(as_number(value))
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def plural(noun: str) -> str:
    """The plural of an English noun or of a noun phrase that ends with its noun ("bag of rice": "bags of rice")."""
    head, of, rest = noun.partition(" of ")
    before, _, last = head.rpartition(" ")
    if last in _IRREGULAR:
        changed = _IRREGULAR[last]
    elif re.search(r"(s|x|z|ch|sh)$", last) or re.search(r"(tomat|potat|her|ech)o$", last):
        changed = last + "es"
    elif re.search(r"[^aeiou]y$", last):
        changed = last[:-1] + "ies"
    else:
        changed = last + "s"
    return f"{before} {changed}".strip() + of + rest


def count(number: Any, noun: str) -> str:
    """The number with its noun: "1 apple", "1,200 apples", "0.5 liters"."""
    value = as_number(number)
    return f"{thousands(value)} {noun if value == 1 else plural(noun)}"


def article(value: Any) -> str:
    """The text or number with "a" or "an" before it, as it is spoken: an hour, a unit, an 8, an 11, an 80."""
    text = value if isinstance(value, str) else spoken(value)
    first = text.split()[0].lower().strip("'\"") if text.split() else ""
    if first[:1].isdigit():
        vowel = first.startswith("8") or re.match(r"1[18](?!\d)|1[18],\d{3}(?!,)", first) is not None
    elif re.match(r"hour|honest|honou?r|heir", first):
        vowel = True
    else:
        vowel = first[:1] in "aeiou" and not re.match(r"uni|use|usu|uti|eu|one\b|once|ukulele", first)
    return f"{'an' if vowel else 'a'} {text}"


def thousands(value: Any) -> str:
    """A number with commas between its thousands from 1,000 on."""
    number = exact(as_number(value))
    return f"{number:,}" if isinstance(number, int) else spoken(number)


def money(value: Any, sign: str = "$") -> str:
    """An amount as it stands on a price tag: "$3", "$3.50", "$1,250". Raises ValueError for parts of a cent."""
    number = Fraction(as_number(value))
    cents = number * 100
    if cents.denominator != 1:
        raise ValueError(f"{number} is not a whole number of cents")
    if number.denominator == 1:
        return f"{sign}{number.numerator:,}"
    return f"{sign}{cents.numerator // 100:,}.{cents.numerator % 100:02d}"


def clock(minutes: Any) -> str:
    """Minutes after midnight as a time of day: 9:05 a.m."""
    hour, minute = divmod(int(as_number(minutes)) % 1440, 60)
    return f"{(hour - 1) % 12 + 1}:{minute:02d} {'a.m.' if hour < 12 else 'p.m.'}"


def spoken(value: Any, after: str = "") -> str:
    """A value as text: a terminating decimal as such (with two places after a currency sign), else a fraction.

    ``after`` is the text that stands before it.
    """
    if isinstance(value, Word):
        return value.text
    if isinstance(value, str):
        return value
    number = exact(as_number(value))
    if isinstance(number, int):
        return str(number)
    if after.endswith(tuple(CURRENCY_SIGNS)) and 100 % number.denominator == 0:
        return money(number, "")
    places = next((digits for digits in range(1, 7) if 10**digits % number.denominator == 0), None)
    if places is None:
        return f"{number.numerator}/{number.denominator}"
    sign, scaled = "-" if number < 0 else "", abs(number) * 10**places
    whole, part = divmod(scaled.numerator, 10**places)
    return f"{sign}{whole}.{part:0{places}d}"


TEXT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "a": article,
    "clock": clock,
    "count": count,
    "money": money,
    "ordinal": ordinal,
    "plural": plural,
    "thousands": thousands,
    "words": words,
}
