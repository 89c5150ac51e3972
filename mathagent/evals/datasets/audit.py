"""Audit: may a data set's items be graded? One column a signal, and whether the grader agrees with the gold answers.

It never deletes an item. Source: Albalak et al. 2025 (Big-Math), arXiv 2502.17387.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mathagent.answers.choices import labelled_choices
from mathagent.answers.forms import parse_form
from mathagent.evals import number_game
from mathagent.evals.datasets.perturbed_gold import accepted_spellings, perturbed
from mathagent.evals.datasets.signals import SIGNALS, Text
from mathagent.evals.grader import Grader
from mathagent.memory.near_duplicates import near_duplicate_key, without_pictures
from mathagent.types import Problem, Value

Item = tuple[Problem, Mapping[str, Any]]
SOLUTION_FIELDS = ("solution", "rationale", "explanation", "reasoning")
OLYMPIAD = re.compile(r"olympiad|\bimo\b|\baime|\bamc|putnam|omni-?math", re.IGNORECASE)
GRAM = 13
"""Words in a row that two texts hardly share by chance: the usual measure of contamination."""

KEPT_TYPES = frozenset(("integer", "rational", "decimal", "expression", "list", "set", "tuple", "union", "matrix"))
CHECKS = {
    "duplicate": "asked before in this data set, but for dress",
    "self-unequal": "the gold answer does not grade as equal to itself",
    "perturbed-equal": "a changed gold answer grades as equal to it",
    "contaminated": "has 13 words in a row, or all its words, in common with the other data set",
}


class AuditRow(Value):
    """One item: its signals (all of them, true or false), the type of its answer, and whether it would be kept."""

    id: str
    signals: dict[str, bool]
    answer_type: str
    keep: bool


class Audit(Value):
    """The rows of a data set, in its order."""

    dataset: str
    rows: tuple[AuditRow, ...]

    def ids(self, signal: str) -> list[str]:
        """The items that have a signal."""
        return [row.id for row in self.rows if row.signals.get(signal)]


async def audit(
    name: str, items: Sequence[Item], grader: Grader, *, against: Iterable[Problem] | None = None
) -> Audit:
    """All signals of all items. ``against``: another data set (a training set, a memory), which they may stem from."""
    seen: set[tuple[str, ...]] = set()
    other = None if against is None else _Corpus(against)
    olympiad = bool(OLYMPIAD.search(name))
    rows = []
    for problem, item in items:
        signals = signals_of(problem, item, olympiad=olympiad)
        key = (near_duplicate_key(problem.text), *problem.choices)
        signals["duplicate"] = key in seen
        seen.add(key)
        signals["self-unequal"], signals["perturbed-equal"] = await self_check(problem, grader)
        if other is not None:
            signals["contaminated"] = other.holds(problem)
        kind = answer_type(problem)
        rows.append(
            AuditRow(
                id=problem.id,
                signals=signals,
                answer_type=kind,
                keep=kind in KEPT_TYPES and not any(signals.values()),
            )
        )
    return Audit(dataset=name, rows=tuple(rows))


def signals_of(problem: Problem, item: Mapping[str, Any], *, olympiad: bool = False) -> dict[str, bool]:
    """The signals that rules over the item's text give."""
    solution = next((item[name] for name in SOLUTION_FIELDS if isinstance(item.get(name), str)), "")
    text = Text(
        problem=without_pictures(problem.text),
        solution=solution,
        answer=problem.reference or "",
        has_choices=bool(problem.choices),
        olympiad=olympiad or bool(OLYMPIAD.search(str(item.get("source", "")))),
        language=problem.language or "",
    )
    return {name: rule(text) for name, rule in SIGNALS.items()}


async def self_check(problem: Problem, grader: Grader) -> tuple[bool, bool]:
    """(the gold answer is not equal to itself, a perturbed one is): both should be false."""
    gold, other = gold_answer(problem), perturbed(problem)
    own = (await grader.grade(gold, problem)).outcome
    wrong = (await grader.grade(other, problem)).outcome
    return own != "correct", wrong == "correct"


def gold_answer(problem: Problem) -> str:
    """A right answer: the reference, or what is right where the reference only says what is wanted."""
    numbers = problem.metadata.get("numbers")
    if problem.metadata.get("answer_type") == number_game.ANSWER_TYPE and isinstance(numbers, list):
        whole = [number for number in numbers if isinstance(number, int)]
        return number_game.solution(whole, int(problem.reference or "0")) or ""
    return next(iter(accepted_spellings(problem.reference or "")), problem.reference or "")


def answer_type(problem: Problem) -> str:
    """The type of the reference: integer, rational, decimal, expression, set, … or choice; "text" for words."""
    reference = problem.reference or ""
    if problem.choices and labelled_choices(problem.choices):
        return "choice"
    declared = problem.metadata.get("answer_type")
    if declared in (number_game.ANSWER_TYPE, "unanswerable"):
        return str(declared)
    form = parse_form(reference)
    if form.kind != "number":
        return "expression" if form.kind in ("based", "ratio") else form.kind
    if form.value is not None and form.value.denominator == 1:
        return "integer"
    return "decimal" if form.decimals is not None else "rational"


class _Corpus:
    """Texts by their runs of 13 words."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._grams: set[tuple[str, ...]] = set()
        self._keys: set[str] = set()
        for problem in problems:
            self._grams |= _grams(problem.text)
            self._keys.add(near_duplicate_key(problem.text))

    def holds(self, problem: Problem) -> bool:
        return near_duplicate_key(problem.text) in self._keys or not self._grams.isdisjoint(_grams(problem.text))


def _grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)}
