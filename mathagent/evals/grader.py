"""Grader: is an answer right? The only reader of a problem's reference, and the only user of lenient equality."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Literal

from mathagent.answers.choices import labelled_choices
from mathagent.answers.compare import AnswerComparer, Comparison
from mathagent.answers.extract import extract_answer, extract_reference
from mathagent.answers.latex import strip_wrappers
from mathagent.answers.letters import several_labels
from mathagent.errors import UsageError
from mathagent.evals import number_game
from mathagent.types import Problem, Value

Outcome = Literal["correct", "incorrect", "undecided"]


class Grade(Value):
    """An answer's grade, why, and the wall-clock seconds that grading took.

    "undecided" means that the grader could not tell (it failed or ran out of time): never a wrong answer.
    """

    outcome: Outcome
    reason: str
    seconds: float = 0.0


class Grader:
    """Grades answers against references with the lenient equality of ``comparer``."""

    def __init__(self, comparer: AnswerComparer) -> None:
        self._comparer = comparer

    async def grade(self, answer: str | None, problem: Problem) -> Grade:
        """The grade of ``answer``; a missing one is incorrect. Raises UsageError where there is no reference."""
        reference = problem.reference
        if reference is None or not reference.strip():
            name = problem.id or "the problem"
            raise UsageError(f"{name} has no reference answer; give it one, or leave it out of the evaluation")
        started = time.perf_counter()
        if answer is None or not answer.strip():
            outcome, reason = "incorrect", "no answer"
        elif problem.metadata.get("answer_type") == number_game.ANSWER_TYPE:
            outcome, reason = number_game.grade(answer, problem)
        elif problem.choices:
            outcome, reason = await self._grade_choice(answer, reference, problem.choices)
        else:
            outcome, reason = _as_grade(await self._against(answer, reference))
        return Grade(outcome=outcome, reason=reason, seconds=time.perf_counter() - started)

    async def _against(self, answer: str, reference: str) -> Comparison:
        """The comparison with a reference, whose accepted spellings or parts may be listed."""
        listed = _json_list(reference)
        if listed and any(isinstance(item, str) for item in listed):  # alternatives: ["4", "four"]
            return await self._any_of(answer, [str(item) for item in listed])
        if listed:  # values in order: [1, 2]
            parts = ", ".join(_plain(item) for item in listed)
            spellings = [f"[{parts}]", f"({parts})"] if len(listed) > 1 else [parts]
            return await self._any_of(answer, spellings)
        wanted = extract_reference(reference)
        text = reference if wanted is None else wanted.raw
        return await self._comparer.equal(answer, text, lenient=True)

    async def _any_of(self, answer: str, references: Sequence[str]) -> Comparison:
        """The best verdict: "equal" if any is, else "undecided" if any is."""
        comparisons = [await self._comparer.equal(answer, text, lenient=True) for text in references]
        rank = {"equal": 0, "undecided": 1, "different": 2}
        return min(comparisons, key=lambda comparison: rank[comparison.verdict])

    async def _grade_choice(self, answer: str, reference: str, choices: Sequence[str]) -> tuple[Outcome, str]:
        """Grades by label; an answer or reference in a choice's own words or value stands for its label."""
        labelled = labelled_choices(choices)
        right = {
            label for text in _alternatives(reference) for label in await self._labels(text, labelled, choices)
        }
        if not right:
            return _as_grade(await self._against(answer, reference))
        given = await self._labels(answer, labelled, choices)
        several = several_labels(strip_wrappers(reference), [label for label, _ in labelled])
        if given and (given == set(several) if several else given <= right):
            return "correct", f"choice {', '.join(sorted(given))}"
        if given:
            return "incorrect", f"choice {', '.join(sorted(given))}, not {', '.join(sorted(right))}"
        comparison = await self._any_of(answer, [content for label, content in labelled if label in right])
        return ("incorrect", "no choice is named") if comparison.verdict == "different" else _as_grade(comparison)

    async def _labels(self, text: str, labelled: Sequence[tuple[str, str]], choices: Sequence[str]) -> set[str]:
        """The labels that ``text`` names: one, several ("A B D"), or none where no one choice is meant."""
        bare = strip_wrappers(text).strip("() ")
        literal = [label for label, content in labelled if content == bare]
        if len(literal) == 1:  # a choice's own text wins over a label: the choice "A" of unlabelled ones
            return set(literal)
        named = {label for label, _ in labelled if label.lower() == bare.lower()}
        if named:
            return named
        found = extract_answer(f"\\boxed{{{text}}}", choices)
        if found is not None:
            return set(found.normal.split(", "))
        comparisons = [await self._comparer.equal(text, content, lenient=True) for _, content in labelled]
        same = {
            label
            for (label, _), comparison in zip(labelled, comparisons, strict=True)
            if comparison.verdict == "equal"
        }
        return same if len(same) == 1 else set()


def _as_grade(comparison: Comparison) -> tuple[Outcome, str]:
    outcomes: dict[str, Outcome] = {"equal": "correct", "different": "incorrect", "undecided": "undecided"}
    return outcomes[comparison.verdict], comparison.reason


def _json_list(reference: str) -> list[object]:
    """The items of a reference that is a JSON list; [] for anything else."""
    if not re.match(r"^\s*\[.*\]\s*$", reference, re.DOTALL):
        return []
    try:
        items = json.loads(reference)
    except ValueError:  # an interval such as [0,2) or [\frac{1}{2}, 8]
        return []
    return items if isinstance(items, list) else []


def _plain(item: object) -> str:
    return json.dumps(item)


def _alternatives(reference: str) -> list[str]:
    """The accepted spellings of a reference: the strings of a JSON list, or the reference itself."""
    return [str(item) for item in _json_list(reference)] or [reference]
