"""Block select: reduce candidates to one answer. Votes are of equivalence classes, never of strings.

A candidate without an answer never agrees with anything and never wins. Ties go to what came first.
"""

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
    """The equivalence classes of the candidates' answers, most votes first, ties by first appearance."""
    answers = [candidate.answer for candidate in candidates]
    groups = await context.comparer.equivalence_classes(answers)
    classes = [
        AnswerClass(answer=answers[group[0]].normal, members=tuple(group))  # type: ignore[union-attr]
        for group in groups
    ]
    return sorted(classes, key=lambda one: -one.votes)


def majority(candidates: Sequence[Candidate], classes: Sequence[AnswerClass]) -> dict[str, Any]:
    """The state update that makes the largest class the answer, with the checks of its members as certificate.

    The confidence is the rule of succession over all samples, (votes + 1) / (samples + 2): an estimate that the
    Solver calibrates where it can (scorers/confidence.py).
    """
    if not classes:
        return nothing("no sample gave an answer")
    best, samples = classes[0], len(candidates)
    agree = "1 sample" if samples == 1 else f"{best.votes} of {samples} samples agree"
    return chosen(candidates, best.members, (best.votes + 1) / (samples + 2), agree)


async def vote(context: RunContext, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """``majority`` over the candidates' equivalence classes."""
    return majority(candidates, await answer_classes(context, candidates))


async def weighted_vote(
    context: RunContext, candidates: Sequence[Candidate], weights: Sequence[float]
) -> dict[str, Any]:
    """The class with the largest sum of ``weights`` (each at least 0, one a candidate)."""
    classes = await answer_classes(context, candidates)
    sums = [sum(weights[index] for index in one.members) for one in classes]
    if not classes or max(sums) <= 0:
        return nothing("no candidate with an answer has any weight")
    best, total = max(range(len(classes)), key=lambda place: sums[place]), sum(sums)
    basis = f"weight {sums[best]:.3g} of {total:.3g}"
    return chosen(candidates, classes[best].members, (sums[best] + 1) / (total + 2), basis)


async def filter_then_vote(
    context: RunContext, candidates: Sequence[Candidate], kept: Sequence[bool]
) -> dict[str, Any]:
    """The majority of the candidates that are ``kept``; of all where none of those has an answer."""
    left = [
        candidate if keep else Candidate(failure=candidate.failure)
        for candidate, keep in zip(candidates, kept, strict=True)
    ]
    if not any(candidate.answer is not None for candidate in left):
        update = await vote(context, candidates)
        return {**update, "confidence_basis": f"none passed the filter; {update['confidence_basis']}"}
    return await vote(context, left)


async def take(context: RunContext, candidates: Sequence[Candidate], index: int, said: str) -> dict[str, Any]:
    """The answer of candidate number ``index``, which must have one; those that agree with it support it.

    The confidence is the rule of succession over all candidates; ``said`` is why this one was taken.
    """
    classes = await answer_classes(context, candidates)
    members = next(one.members for one in classes if index in one.members)
    others = [other for other in members if other != index]
    basis = f"{said}; {len(members)} of {len(candidates)} solutions agree"
    return chosen(candidates, (index, *others), (len(members) + 1) / (len(candidates) + 2), basis)


def last_answered(candidates: Sequence[Candidate]) -> int | None:
    """The index of the latest candidate that has an answer; None where none has. Pure."""
    answered = [index for index, candidate in enumerate(candidates) if candidate.answer is not None]
    return answered[-1] if answered else None


def best_score(candidates: Sequence[Candidate], scores: Sequence[float]) -> dict[str, Any]:
    """The answer of the candidate with the highest score; its confidence is that score, if it is in [0, 1]."""
    answered = [index for index, candidate in enumerate(candidates) if candidate.answer is not None]
    if not answered:
        return nothing("no candidate has an answer")
    best = max(answered, key=lambda index: scores[index])
    update = chosen(candidates, (best,), min(1.0, max(0.0, scores[best])), f"score {scores[best]:.3g}")
    return {**update, "winner": best}


def keep_best(candidates: Sequence[Candidate], scores: Sequence[float], m: int) -> list[int]:
    """The indices of the ``m`` candidates with answers that score highest, best first."""
    answered = [index for index, candidate in enumerate(candidates) if candidate.answer is not None]
    return sorted(answered, key=lambda index: -scores[index])[:m]


def chosen(
    candidates: Sequence[Candidate], members: Sequence[int], confidence: float, basis: str
) -> dict[str, Any]:
    """The state update that answers with the first of ``members``, with the checks of all as certificate."""
    answer = candidates[members[0]].answer
    assert answer is not None
    return {
        "answer": answer.normal,
        "confidence": round(confidence, 4),
        "confidence_basis": basis,
        "certificate": tuple(check for index in members for check in candidates[index].checks),
    }


def nothing(why: str) -> dict[str, Any]:
    """The state update of a solve that found no answer."""
    return {"answer": None, "confidence": None, "confidence_basis": why}
