"""Perturbs the problems of a data set, and counts what was refused and why."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import get_args

from mathagent.errors import UsageError
from mathagent.evals.perturb.numbers import change_numbers
from mathagent.evals.perturb.perturbed import Change, Kind, Perturbed, Refusal
from mathagent.evals.perturb.rewording import add_irrelevant, add_typos, change_culture, change_names, change_order
from mathagent.evals.perturb.sources import Programs
from mathagent.evals.perturb.units import change_units
from mathagent.sandbox.base import Sandbox
from mathagent.types import Problem, Value

KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_REPEATS = 20
MOST_PROGRAMS = 3

_WORDINGS = {
    "names": change_names,
    "culture": change_culture,
    "noop": add_irrelevant,
    "order": change_order,
    "typos": add_typos,
}
_FORMULA = re.compile(r"\\[A-Za-z(\[]|\$[^$\s\d][^$]*\$|\$\d[^$\s]*[\\^_{][^$]*\$")


class Perturbation(Value):
    """What was made, and how often each kind was refused for which reason."""

    made: tuple[Perturbed, ...]
    refused: dict[Kind, dict[str, int]]


async def perturb(
    problems: Sequence[Problem],
    kinds: Sequence[Kind],
    *,
    n: int = 1,
    seed: int = 0,
    programs: Programs | None = None,
    sandbox: Sandbox | None = None,
) -> Perturbation:
    """Up to ``n`` different versions of each problem for each of ``kinds``; the same seed gives the same ones.

    "numbers" needs ``programs`` (by content hash) and a ``sandbox``, in which they run. Raises UsageError for an
    unknown kind, a problem without a reference, or where the means are missing; SandboxError.
    """
    _check(kinds, n, programs, sandbox)
    made: list[Perturbed] = []
    refused: dict[Kind, Counter[str]] = {kind: Counter() for kind in kinds}
    for problem in problems:
        for kind in kinds:
            changes = await _changes(problem, kind, n, seed, programs or {}, sandbox)
            if isinstance(changes, Refusal):
                refused[kind][changes.reason] += 1
                continue
            made += [
                Perturbed(original=problem, kind=kind, seed=seed, number=number, change=change)
                for number, change in enumerate(changes)
            ]
    return Perturbation(made=tuple(made), refused={kind: dict(counts) for kind, counts in refused.items()})


def _check(kinds: Sequence[Kind], n: int, programs: Programs | None, sandbox: Sandbox | None) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        named = f"no perturbation is named '{unknown[0]}'" if unknown else "no perturbation is named"
        raise UsageError(f"{named}; known: {', '.join(KINDS)}")
    if n < 1:
        raise UsageError(f"{n} versions were asked for; at least 1")
    if "numbers" in kinds and (programs is None or sandbox is None):
        raise UsageError("other numbers need programs that solve the problems; name a run with --programs")


async def _changes(
    problem: Problem, kind: Kind, n: int, seed: int, programs: Programs, sandbox: Sandbox | None
) -> list[Change] | Refusal:
    if problem.reference is None:
        raise UsageError(f"{problem.id or 'a problem'} has no reference answer")
    if problem.language not in (None, "en"):
        return Refusal(reason="not in English")
    if kind in ("numbers", "units", "culture") and _FORMULA.search(problem.text):  # there "$" is no currency
        return Refusal(reason="the text holds formulas")
    rng = random.Random(f"{seed}/{problem.id}/{kind}")
    if kind == "numbers":
        assert sandbox is not None
        return await _numbers(problem, n, rng, programs, sandbox)
    if problem.choices and kind == "units":
        return Refusal(reason="the choices would have to change, too")
    gold = number_of(problem.reference)
    found: list[Change] = []
    reason = Refusal(reason="no version differs from the others")
    for _ in range(n * MOST_REPEATS):
        if kind == "units":
            change = change_units(problem.text, problem.reference, gold, rng)
        else:
            change = _WORDINGS[kind](problem.text, problem.reference, rng)
        if isinstance(change, Refusal):
            return found or change
        if kind in ("names", "culture") and any(change.touches(choice) for choice in problem.choices):
            return Refusal(reason="the choices would have to change, too")
        if change.text != problem.text and change.text not in [one.text for one in found]:
            found.append(change)
        if len(found) == n:
            break
    return found or reason


async def _numbers(
    problem: Problem, n: int, rng: random.Random, programs: Mapping[str, list[str]], sandbox: Sandbox
) -> list[Change] | Refusal:
    """With the first of the problem's programs that serves."""
    assert problem.reference is not None
    if problem.choices:
        return Refusal(reason="the choices would have to change, too")
    gold = number_of(problem.reference)
    if gold is None:
        return Refusal(reason="the answer is no number")
    refusal = Refusal(reason="no program solves it")
    for program in programs.get(problem.content_hash(), [])[:MOST_PROGRAMS]:
        changes = await change_numbers(problem, program, gold, n, rng, sandbox)
        if not isinstance(changes, Refusal):
            return changes
        refusal = changes
    return refusal


def number_of(reference: str) -> Fraction | None:
    """The number that a reference is, without currency, commas and percent sign; None where it is none."""
    text = reference.strip().strip("$€£ ").replace(",", "").removesuffix("%").strip()
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
