"""Block select: reduce candidates to one answer by votes of equivalence classes, never of strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathagent.agents.context import RunContext
from mathagent.types import Candidate, Value


class AnswerClass(Value):
    """Candidates (by index) whose answers are equal as mathematics; ``answer`` is its first member's."""

    answer: str
    members: tuple[int, ...]

    @property
    def votes(self) -> int:
        return len(self.members)


async def answer_classes(context: RunContext, candidates: Sequence[Candidate]) -> list[AnswerClass]:
    """The equivalence classes of the candidates' answers, most votes first, ties by first appearance.

    A candidate without an answer is in no class: a missing answer never agrees with anything.
    """
    answers = [candidate.answer for candidate in candidates]
    groups = await context.comparer.equivalence_classes(answers)
    classes = [
        AnswerClass(answer=answers[group[0]].normal, members=tuple(group))  # type: ignore[union-attr]
        for group in groups
    ]
    return sorted(classes, key=lambda one: -one.votes)


def majority(candidates: Sequence[Candidate], classes: Sequence[AnswerClass]) -> dict[str, Any]:
    """The state update that makes the largest class the answer, with the checks of its members as certificate.

    The confidence is the rule of succession over all samples, (votes + 1) / (samples + 2): an uncalibrated
    estimate, and said to be one.
    """
    if not classes:
        return {"answer": None, "confidence": None, "confidence_basis": "no sample gave an answer"}
    best, samples = classes[0], len(candidates)
    agree = "1 sample" if samples == 1 else f"{best.votes} of {samples} samples agree"
    return {
        "answer": best.answer,
        "confidence": round((best.votes + 1) / (samples + 2), 4),
        "confidence_basis": f"{agree}; uncalibrated",
        "certificate": tuple(check for index in best.members for check in candidates[index].checks),
    }


async def vote(context: RunContext, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """``majority`` over the candidates' equivalence classes."""
    return majority(candidates, await answer_classes(context, candidates))
