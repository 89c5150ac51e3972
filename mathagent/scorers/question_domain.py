"""What the wording of a question says about any right answer: "how many" asks for a whole number. Pure, English only.

Conservative: where a question could be meant otherwise (how many hours, on average), nothing is said.
"""

from __future__ import annotations

import re

from mathagent.answers.rational import exact_value
from mathagent.scorers.check_proposals import Domain

_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_HOW_MANY = re.compile(r"\bhow many\s+((?:[\w'-]+\s*){1,5})", re.IGNORECASE)
_DIVISIBLE = re.compile(
    r"\b(?:(?:milli|centi|deci|kilo)?(?:met|lit)(?:er|re)s?|(?:milli|kilo)?grams?|seconds?|minutes?|hours?|days?|weeks?"
    r"|months?|years?|decades?|inch(?:es)?|feet|foot|yards?|miles?|acres?|hectares?|ounces?|pounds?|tons?|tonnes?"
    r"|gallons?|quarts?|pints?|cups?|tablespoons?|teaspoons?|spoons?|degrees?|radians?|percent|percentage|dollars?"
    r"|cents?|euros?|times|units?|square|cubic|cm|km|mm|kg|ml|mph|calories|points?|servings?|loads?|dozens?|scoops?"
    r"|bags?|boxes|cans?|bottles?|tanks?|pizzas?|cakes?|pies?|sheets?|rolls?|laps?|blocks?|turns?|rotations?"
    r"|revolutions?|standard deviations?|(?:kilo|mega|giga|tera)?(?:bytes?|bits?|watts?|joules?|volts?)|amperes?|moles?"
    r"|knots?|carats?|pesos?|rupees?|yen|yuan)\b",
    re.IGNORECASE,
)
"""Things that may come in parts: half a pizza, 2.5 hours."""
_PARTS = re.compile(r"(?<![\d$£€.])\d*\.\d(?!\d*\s*(?:%|percent|dollars?|cents?|euros?|pounds?))", re.IGNORECASE)
"""A decimal that is no money and no percentage: where one thing comes in parts, another may."""
_AVERAGE = re.compile(r"\b(?:average|mean|expected|ratio|fraction|per|probability|rate)\b", re.IGNORECASE)
_INTEGER = re.compile(
    r"\b(?:what is|what's|find|determine|compute|calculate)\s+the\s+"
    r"(?:smallest|least|largest|greatest|sum of the|number of)(?:\s+possible)?\s+(positive\s+|non-?negative\s+)?"
    r"(?:(?:integers?|whole numbers?|prime(?: number)?s?)\b|ways\b)",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"percent|%", re.IGNORECASE)
_PROBABILITY = re.compile(r"\bwhat(?: is|'s)\s+the\s+probability\b", re.IGNORECASE)


def question_domain(text: str) -> Domain | None:
    """What a right answer to ``text`` must be, whatever it is; None where the wording says nothing certain."""
    question = _question(text)
    asked = _HOW_MANY.search(question)
    if asked is not None:
        if _DIVISIBLE.search(asked[1]) or _AVERAGE.search(question) or _PARTS.search(text):
            return Domain(minimum=0)
        return Domain(integer=True, minimum=0)
    whole = _INTEGER.search(question)
    if whole is not None:
        positive = (whole[1] or "").strip().lower()
        counted = re.search(r"number of", whole[0], re.IGNORECASE) is not None
        least = 1 if positive == "positive" and not counted else 0 if positive or counted else None
        return Domain(integer=True, minimum=least)
    if _PROBABILITY.search(question) and not _PERCENT.search(text):
        return Domain(minimum=0, maximum=1)
    return None


def rules_out(domain: Domain, answer: str) -> bool:
    """Whether ``answer`` (a normal form) is a plain number outside of ``domain``; what is no plain number never is."""
    value = exact_value(answer)
    if value is None:
        return False
    below = domain.minimum is not None and value < domain.minimum
    above = domain.maximum is not None and value > domain.maximum
    return below or above or (domain.integer and value.denominator != 1)


def _question(text: str) -> str:
    """The last sentence that asks or orders something."""
    sentences = [part.strip() for part in _SENTENCE.split(text.strip()) if part.strip()]
    asking = [part for part in sentences if part.endswith("?")]
    return asking[-1] if asking else (sentences[-1] if sentences else "")
