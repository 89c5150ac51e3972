"""Other numbers: a problem that a verified program solves becomes a template (InfinityMATH, arXiv 2408.07089)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from mathagent.errors import UsageError
from mathagent.evals.perturb.mentions import (
    UNIT_FACTS,
    Mention,
    may_vary,
    mentions,
    most,
    replaced,
    written,
)
from mathagent.evals.perturb.perturbed import Change, Refusal
from mathagent.evals.perturb.programs import Constant, Outcome, constants, outcomes, unrounded, with_constants
from mathagent.sandbox.base import Sandbox
from mathagent.types import Problem, Value

CANDIDATES = 24
"""Assignments that are drawn for one problem and run together."""
MOST_GROWTH = 10
"""The new answer is between the old one divided and multiplied by this."""


class Slot(Value):
    """A number of the text and the one constant of the program that is it; ``scale``: constant / number (1, 1/100)."""

    mention: Mention
    constant: Constant
    scale: Fraction


def slots_of(text: str, program: str) -> list[Slot] | Refusal:
    """The numbers that may vary: each stands once in the text and once in the program.

    Refuses where the program states a number that neither the text nor a fact about units explains: it was computed
    beforehand, and would not follow.
    """
    spoken = mentions(text)
    try:
        stated = constants(program)
    except UsageError as error:
        return Refusal(reason=str(error))
    worth = Counter(one.value for one in spoken)
    fixed: set[Fraction] = set()
    for constant in stated:
        if constant.value in worth or constant.value in UNIT_FACTS:
            continue
        meant = [one for one in spoken if constant.value in _percent_forms(one)]
        if not meant:
            return Refusal(reason="the program states a number that is not in the text")
        if all(constant.value != one.value / 100 for one in meant):
            fixed |= {one.value for one in meant}  # 0.7 of "30% off" does not follow when 30 changes
    slots = []
    for mention in spoken:
        if not may_vary(mention, text) or worth[mention.value] != 1 or mention.value in fixed:
            continue
        scales = (Fraction(1), Fraction(1, 100)) if mention.percent else (Fraction(1),)
        found = [(one, scale) for scale in scales for one in stated if one.value == mention.value * scale]
        if len(found) == 1:
            slots.append(Slot(mention=mention, constant=found[0][0], scale=found[0][1]))
    return slots or Refusal(reason="no number stands once in the text and once in the program")


def _percent_forms(mention: Mention) -> set[Fraction]:
    if not mention.percent and mention.form != "factor":
        return set()
    share = mention.value / 100 if mention.percent else mention.value
    return {share, 1 - share, 1 + share, 1 / share if share else share, 100 - mention.value, 100 + mention.value}


async def change_numbers(
    problem: Problem, program: str, gold: Fraction, n: int, rng: random.Random, sandbox: Sandbox
) -> list[Change] | Refusal:
    """Up to ``n`` versions with other numbers, whose answers the program computes in ``sandbox``.

    Refused unless the program gives ``gold``. Only numbers that move its answer are changed. Accepted are numbers under
    which every variable of the program keeps its sign and stays whole if it was, and the answer keeps its size (within
    a factor of ten).
    """
    slots = slots_of(problem.text, program)
    if isinstance(slots, Refusal):
        return slots
    alone = [_with(program, [(slot, slot.mention.value + step)]) for slot in slots for step in (1, 10)]
    original, *moved = await outcomes(sandbox, [program, *alone])
    if original.answer is None:
        return Refusal(reason="the program gives no number")
    if not same_number(original.answer, gold):
        return Refusal(reason="the program does not give the right answer")
    matters = [
        any(one.answer not in (None, original.answer) for one in moved[2 * place : 2 * place + 2])
        for place in range(len(slots))
    ]
    slots = [slot for slot, does in zip(slots, matters, strict=True) if does]
    if not slots:
        return Refusal(reason="no number of the text changes what the program gives")
    drawn = _assignments(problem.text, slots, rng)
    sources = [_with(program, list(zip(slots, values, strict=True))) for values in drawn]
    results = await outcomes(sandbox, sources)
    whole = await _nothing_rounded_away(sandbox, program, original, sources, results)
    made: list[Change] = []
    for values, result, kept in zip(drawn, results, whole, strict=True):
        # Who remembers the original's answer must not be right with it.
        if len(made) == n or result.answer is None or result.answer == original.answer:
            continue
        if not kept or not _keeps(original, result):
            continue
        pairs = list(zip(slots, values, strict=True))
        made.append(
            Change(
                text=replaced(
                    problem.text, [(slot.mention, written(slot.mention, value)) for slot, value in pairs]
                ),
                answer=shown(result.answer),
                assignment={slot.mention.text: written(slot.mention, value) for slot, value in pairs},
            )
        )
    return made or Refusal(reason="no other numbers keep the answer whole, of its sign and size")


async def _nothing_rounded_away(
    sandbox: Sandbox, program: str, original: Outcome, sources: Sequence[str], results: Sequence[Outcome]
) -> list[bool]:
    """Whether each result is exact, where the original was: ``180 // 5`` is a count, ``180 // 7`` no longer.

    A program that rounds the original's numbers, too, asks for it (how many buses): any result will do.
    """
    softened = [unrounded(source) for source in (program, *sources)]
    if softened[0] is None:
        return [True] * len(sources)
    exact, *found = await outcomes(sandbox, [one or "" for one in softened])
    if exact.answer != original.answer:
        return [True] * len(sources)
    return [one.answer == result.answer for one, result in zip(found, results, strict=True)]


def _with(program: str, values: Sequence[tuple[Slot, Fraction]]) -> str:
    return with_constants(program, [(slot.constant, value * slot.scale) for slot, value in values])


def same_number(value: Fraction, gold: Fraction) -> bool:
    """Equal up to the noise of binary floating point."""
    return abs(value - gold) <= max(abs(gold), Fraction(1)) / 10**6


def shown(value: Fraction) -> str:
    """An answer as a reference states it."""
    if value.denominator == 1:
        return str(value.numerator)
    if 10**6 % value.denominator == 0:
        return f"{float(value):.6f}".rstrip("0")
    return f"{value.numerator}/{value.denominator}" if value.denominator < 10**6 else repr(float(value))


def _assignments(text: str, slots: Sequence[Slot], rng: random.Random) -> list[list[Fraction]]:
    """Different draws: within half of each number, with as many digits, in the order in which the numbers stood."""
    others = [one.value for one in mentions(text)]
    found: list[list[Fraction]] = []
    for _ in range(CANDIDATES * 10):
        values = [_drawn(slot.mention, text, rng) for slot in slots]
        old = [slot.mention.value for slot in slots]
        if values == old or values in found:
            continue
        fixed = [value for value in others if value not in old]
        if _same_order(old + fixed, values + fixed):
            found.append(values)
        if len(found) == CANDIDATES:
            break
    return found


def _same_order(old: Sequence[Fraction], new: Sequence[Fraction]) -> bool:
    """Whether each two numbers compare as before: 45 hours of which 40 are regular stay more than those."""
    places = range(len(old))
    return all((old[i] < old[j]) == (new[i] < new[j]) for i in places for j in places if old[i] != old[j])


def _drawn(mention: Mention, text: str, rng: random.Random) -> Fraction:
    scale = 10**mention.places
    old = int(mention.value * scale)
    digits = len(str(old))
    low = max(old - old // 2, 10 ** (digits - 1), 2 if scale == 1 else 1)
    high = min(old + old // 2, 10**digits - 1)
    limit = most(mention, text)
    if limit is not None and mention.value <= limit:
        high = min(high, int(limit * scale))
    step = 10 if old % 10 == 0 and old >= 50 else 5 if old % 5 == 0 and old >= 15 else 1
    low, high = -(-low // step), high // step
    return Fraction((low + int(rng.random() * (high - low + 1))) * step, scale)


def _keeps(original: Outcome, result: Outcome) -> bool:
    """Whether a result is of the original's kind, its variables included."""
    assert original.answer is not None
    assert result.answer is not None
    pairs = [(original.answer, result.answer)]
    pairs += [(value, result.variables.get(name, value)) for name, value in original.variables.items()]
    if any(_sign(old) != _sign(new) or (old.denominator == 1 and new.denominator != 1) for old, new in pairs):
        return False
    if _coarse(original.answer) and not _coarse(result.answer):  # an amount of money has no parts of a cent
        return False
    growth = abs(result.answer / original.answer) if original.answer else Fraction(1)
    return Fraction(1, MOST_GROWTH) <= growth <= MOST_GROWTH


def _coarse(value: Fraction) -> bool:
    return 100 % value.denominator == 0


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)
