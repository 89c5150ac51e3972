"""Scorer arithmetic: the calculations that a solution states are done again, exactly. It costs no call.

It says nothing of what is not a plain calculation of numbers; a step that states none has no score.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from mathagent.answers.rational import exact_value
from mathagent.scorers.base import Level, Score
from mathagent.types import Problem, Step, Value

if TYPE_CHECKING:
    from mathagent.agents.context import RunContext

MAX_CHARACTERS = 20_000
"""Of a step; what stands behind is not read."""
MAX_SIDE = 500

_SIGNS = (
    (re.compile(r"^[ \t]*(?:[-*•]|\(?\d{1,2}[.)])[ \t]+", re.MULTILINE), ""),  # marks of lists are no terms
    (re.compile(r"\\(?:times|cdot|ast)(?![A-Za-z])|[×·∙⋅]"), "*"),
    (re.compile(r"\\div(?![A-Za-z])|÷"), "/"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"\\?[$€£]|\\[()\[\]]|<<|\\[,;! ]"), " "),
    (re.compile(r">>"), " ; "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), ""),
)
_RUN = re.compile(r"[-+*/^()%.\d \t=]+")
_OPERATION = re.compile(r"(?<=[\d)%])\s*[-+*/^]\s*(?=[\d(.-])")
_DECIMALS = re.compile(r"-?\d+(?:\.(\d+))?(\s*%)?")
_REMAINDER = re.compile(
    r"\s*(?:,?\s*(?:with\s+)?(?:a\s+)?remainder\b|[Rr]\.?\s*\d|,?\s*with\s+\S+\s+(?:left|over|remaining)\b)"
)
"""What says that the quotient before it is a whole number and a rest."""
_WORD_BEFORE = re.compile(r"(\S+)\s*\Z")
MAX_WORD = 40


class Calculation(Value):
    """One stated calculation, ``left`` = ``right``, and whether it holds, as exact fractions."""

    left: str
    right: str
    holds: bool


def calculations(text: str) -> list[Calculation]:
    """The calculations in ``text`` that can be done again: one side an operation on numbers, both sides numbers. Pure.

    A decimal or a percentage on the right counts as rounded to its digits. What follows a variable, or "of", is left
    alone, and so is a quotient with its remainder: ``2x + 3 = 7``, "half of 10 + 2 = 7" and "17 / 5 = 3 R2" state
    something else.
    """
    plain = text[:MAX_CHARACTERS]
    for pattern, sign in _SIGNS:
        plain = pattern.sub(sign, plain)
    found: list[Calculation] = []
    for run in _RUN.finditer(plain):
        if "=" not in run[0]:
            continue
        sides = [side.strip() for side in run[0].split("=")]
        sides[-1] = sides[-1].rstrip(".")
        if _REMAINDER.match(plain, run.end()):
            sides = sides[:-1]
        before = _WORD_BEFORE.search(plain[max(0, run.start() - MAX_WORD) : run.start()])
        for place, (left, right) in enumerate(pairwise(sides)):
            if len(left) > MAX_SIDE or len(right) > MAX_SIDE:
                continue
            whole = place > 0 or before is None or _may_begin(left, before[1])
            if whole and _OPERATION.search(left):
                one = _calculation(left, right)
                found += [] if one is None else [one]
    return found


def _may_begin(left: str, word: str) -> bool:
    """Whether ``left`` is a whole expression behind ``word``: no term of it stands before it."""
    if left[:1] in ("+", "*", "/", "^", ")", "-", "%"):
        return not word[-1:].isalnum()
    return word.lower() not in ("of", "by", "times", "plus", "minus", "over")


def _calculation(left: str, right: str) -> Calculation | None:
    given, stated = exact_value(left), exact_value(right)
    if given is None or stated is None:
        return None
    return Calculation(left=left, right=right, holds=abs(given - stated) <= _slack(right))


def _slack(stated: str) -> Fraction:
    """How far the exact value may be from a number that is written with so many digits; a whole number is exact."""
    number = _DECIMALS.fullmatch(stated)
    if number is None or (number[1] is None and number[2] is None):
        return Fraction(0)
    return Fraction(1, 2 * 10 ** (len(number[1] or "") + (2 if number[2] else 0)))


class Arithmetic:
    """Scores each step by the share of its calculations that hold, and the solution by the share of all of them."""

    name = "arithmetic"
    free = True
    level: Level = "step"

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """See Scorer.score; programs and their outputs are not read."""
        return [arithmetic_score(steps) for steps in solutions]


def arithmetic_score(steps: Sequence[Step]) -> Score:
    """The score of one solution. Pure."""
    done = [calculations(step.text) if step.kind == "thought" else [] for step in steps]
    everything = [one for some in done for one in some]
    wrong = [f"{one.left} = {one.right}" for one in everything if not one.holds]
    note = f"wrong: {'; '.join(wrong)}" if wrong else "" if everything else "it states no calculation"
    return Score(value=_share(everything), steps=tuple(_share(some) for some in done), note=note[:500])


def _share(done: Sequence[Calculation]) -> float | None:
    return sum(one.holds for one in done) / len(done) if done else None


ARITHMETIC = Arithmetic()
