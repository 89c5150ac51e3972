"""Other units: a finer unit for what is asked, with the answer's conversion, or for what is given. Exact ones only."""

from __future__ import annotations

import random
import re
from fractions import Fraction

from mathagent.evals.perturb.mentions import mentions, replaced, written
from mathagent.evals.perturb.perturbed import Change, Refusal
from mathagent.evals.perturb.sentences import parts_of

# A unit's singular, its finer unit's singular and plural, and how many of those it is.
FINER: tuple[tuple[str, str, str, int], ...] = (
    ("kilometer", "meter", "meters", 1000),
    ("meter", "centimeter", "centimeters", 100),
    ("kilogram", "gram", "grams", 1000),
    ("liter", "milliliter", "milliliters", 1000),
    ("yard", "foot", "feet", 3),
    ("foot", "inch", "inches", 12),
    ("gallon", "quart", "quarts", 4),
    ("quart", "pint", "pints", 2),
    ("week", "day", "days", 7),
    ("hour", "minute", "minutes", 60),
    ("minute", "second", "seconds", 60),
)
_PLURALS = {"foot": "feet"}
# A question that names what it counts does not take its unit from the amounts given, as "how far" does.
_COUNTS = re.compile(r"\bhow many\b|\bhow much money\b", re.IGNORECASE)
_MEASURES = re.compile(
    r"\bhow (?:far|fast|long|tall|high|deep|wide|heavy|old|often|big|large|much(?! money))\b|\bspeed|\brate",
    re.IGNORECASE,
)


def change_units(text: str, answer: str, gold: Fraction | None, rng: random.Random) -> Change | Refusal:
    """The unit that is asked for in a finer one (the answer is converted), or all amounts given in one unit.

    Amounts are changed only where none of them is part of a rate (per, each, a …), of another unit ("square") or of a
    compound ("40-hour"), and where the question counts something that it names, in another unit: "how far" takes its
    unit from the text.
    """
    parts = parts_of(text)
    options = [
        change for unit in FINER for change in (_asked(parts.before, parts.question, gold, unit),) if change
    ]
    if not options:
        options = [change for unit in FINER for change in (_given(text, answer, unit),) if change]
    if not options:
        return Refusal(reason="no amount in a unit that can be exactly another")
    return options[int(rng.random() * len(options))]


def _asked(
    before: tuple[str, ...], question: str, gold: Fraction | None, unit: tuple[str, str, str, int]
) -> Change | None:
    singular, _, finer, factor = unit
    plural = _PLURALS.get(singular, f"{singular}s")
    pattern = re.compile(rf"\b([Hh]ow many (?:more |fewer |total |additional )?){plural}\b(?! (?:and|or)\b)")
    found = pattern.findall(question)
    if gold is None or len(found) != 1 or re.search(rf"\b{finer}\b|round|nearest", question):
        return None
    asked = pattern.sub(lambda match: match[1] + finer, question)
    converted = gold * factor
    if converted.denominator != 1 or re.search(rf"\b{plural}\b", asked):
        return None
    return Change(
        text=" ".join((*before, asked)),
        answer=str(converted.numerator),
        assignment={"asked in": f"{finer} for {plural}", "factor": str(factor)},
    )


def _given(text: str, answer: str, unit: tuple[str, str, str, int]) -> Change | None:
    singular, fine, finer, factor = unit
    plural = _PLURALS.get(singular, f"{singular}s")
    uses = list(re.finditer(rf"\b({singular}|{plural})\b", text))
    parts = parts_of(text)
    if not uses or re.search(rf"\b({singular}|{plural}|{fine}|{finer})\b", parts.question):
        return None
    if not _COUNTS.search(parts.question) or _MEASURES.search(parts.question):
        return None
    changes = []
    for use in uses:
        amount = next((one for one in mentions(text) if text[one.end : use.start()] == " "), None)
        behind = text[use.end() : use.end() + 12]
        if (
            amount is None
            or amount.form == "factor"
            or re.match(r"\s*(per|each|a |an |every|/|-|squared|old)", behind)
        ):
            return None
        if re.search(r"(per|each|every|square|cubic|an?)\s$", text[: amount.start]):
            return None
        value = amount.value * factor
        if value.denominator != 1 or value > 100_000:
            return None
        plain = amount.model_copy(update={"form": "digits", "text": "1"})
        changes.append((amount.model_copy(update={"end": use.end()}), f"{written(plain, value)} {finer}"))
    return Change(
        text=replaced(text, changes),
        answer=answer,
        assignment={"given in": f"{finer} for {plural}", "factor": str(factor)},
    )
