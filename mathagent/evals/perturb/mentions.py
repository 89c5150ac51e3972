"""Numbers in the text of a problem: where they stand, what they are worth, and which must not be changed. Pure."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Literal

from mathagent.evals.templates.wording import words
from mathagent.types import Value

_NUMBER_WORDS = {words(value): value for value in range(2, 100)}
_FACTORS = {
    "half": Fraction(1, 2), "twice": Fraction(2), "double": Fraction(2), "thrice": Fraction(3), "triple": Fraction(3),
    "dozen": Fraction(12), "dozens": Fraction(12), "third": Fraction(1, 3), "thirds": Fraction(1, 3),
    "quarter": Fraction(1, 4), "quarters": Fraction(1, 4), "fourth": Fraction(1, 4), "fifth": Fraction(1, 5),
    "one": Fraction(1), "pair": Fraction(2), "pairs": Fraction(2), "hundred": Fraction(100),
    "thousand": Fraction(1000), "million": Fraction(10**6),
}  # fmt: skip
# Facts about units and the calendar: a program states them though the problem does not, and they must not vary.
UNIT_FACTS = frozenset(
    Fraction(value) for value in (0, 1, 2, 3, 4, 7, 10, 12, 14, 16, 24, 28, 30, 31, 36, 48, 52, 60, 100, 144, 360, 365,
    1000, 3600, 5280, 10**6)
)  # fmt: skip
PROTECTED = frozenset(Fraction(value) for value in (0, 1, 7, 12, 24, 52, 60, 100, 360, 365, 1000))

_DIGITS = re.compile(
    r"(?<![\w.:/^-])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![\d:/^]|,\d|\.\d|(?:st|nd|rd|th)\b)(\s?%)?"
)
_RATIO = re.compile(r"(?<![\w.:/])(\d+)/([1-9]\d*)(?![\w/])")
_WORD = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)?")

_PER = r"(?:\s|-)*{part}s?\s+(?:(?:a|per|each|every|in a|of the|of each)\s+)?{whole}\b"
_CAPS = [
    (re.compile(_PER.format(part=part, whole=whole)), limit)
    for part, whole, limit in (
        ("day", "week", 7), ("day", "month", 28), ("day", "year", 365), ("hour", "day", 24), ("hour", "week", 168),
        ("week", "year", 52), ("week", "month", 4), ("month", "year", 12), ("minute", "hour", 60),
        ("second", "minute", 60),
    )
]  # fmt: skip

Form = Literal["digits", "words", "factor"]


class Mention(Value):
    """A number that stands at ``start`` to ``end`` of a text. A percentage is worth its number: 30% is 30.

    ``form`` "factor" is a word such as half or dozen, or a ratio: it is worth something but is never changed.
    """

    start: int
    end: int
    text: str
    value: Fraction
    form: Form
    percent: bool = False

    @property
    def places(self) -> int:
        """Digits after the decimal point."""
        return len(self.text.partition(".")[2])


def mentions(text: str) -> list[Mention]:
    """The numbers of ``text`` in their order: digits, number words, and words for factors."""
    found: list[Mention] = []
    for match in _DIGITS.finditer(text):
        literal = match[1] + (match[2] or "")
        value = Fraction(literal.replace(",", ""))
        end = match.end(2) if match[2] else match.end(1)
        found.append(
            Mention(
                start=match.start(1),
                end=end,
                text=literal,
                value=value,
                form="digits",
                percent=bool(match[3]) or text[end:].lstrip().startswith("percent"),
            )
        )
    for match in _RATIO.finditer(text):
        value = Fraction(int(match[1]), int(match[2]))
        found.append(Mention(start=match.start(), end=match.end(), text=match[0], value=value, form="factor"))
    for match in _WORD.finditer(text):
        word = match[0].lower()
        number = _NUMBER_WORDS.get(word)
        if number is not None:
            percent = text[match.end() :].lstrip().startswith("percent")
            found.append(
                Mention(
                    start=match.start(),
                    end=match.end(),
                    text=match[0],
                    value=Fraction(number),
                    form="words",
                    percent=percent,
                )
            )
        else:
            for part in word.split("-"):
                if part in _FACTORS:
                    found.append(
                        Mention(
                            start=match.start(),
                            end=match.end(),
                            text=match[0],
                            value=_FACTORS[part],
                            form="factor",
                        )
                    )
    return sorted(found, key=lambda one: one.start)


def written(mention: Mention, value: Fraction) -> str:
    """``value`` in the way that ``mention`` is written: digits with as many places and commas, or words."""
    if mention.form == "words":
        text = words(int(value))
        return text.capitalize() if mention.text[0].isupper() else text
    scaled = value * 10**mention.places
    if scaled.denominator != 1:
        raise ValueError(f"{value} has more than {mention.places} decimal places")
    whole, part = divmod(scaled.numerator, 10**mention.places)
    shown = f"{whole:,}" if "," in mention.text else str(whole)
    return f"{shown}.{part:0{mention.places}d}" if mention.places else shown


def may_vary(mention: Mention, text: str) -> bool:
    """Whether the number may be another: no fact of the calendar or of units, no year, no word for a factor."""
    if mention.form == "factor" or mention.value in PROTECTED or mention.value < 2:
        return False
    year = not mention.places and 1900 <= mention.value <= 2100 and "," not in mention.text
    return not (year and not text[: mention.start].endswith(("$", "€", "£")))


def most(mention: Mention, text: str) -> Fraction | None:
    """The largest sensible value of a number that counts parts of a period ("days a week"); None: no limit."""
    behind = text[mention.end : mention.end + 30].lower()
    for pattern, limit in _CAPS:
        if pattern.match(behind):
            return Fraction(limit)
    return Fraction(99) if mention.percent and mention.value < 100 else None


def replaced(text: str, changes: list[tuple[Mention, str]]) -> str:
    """``text`` with other words in the places of the mentions."""
    for mention, new in sorted(changes, key=lambda change: -change[0].start):
        text = text[: mention.start] + new + text[mention.end :]
    return text
