"""Scorers as critics: the first step whose score is below a threshold is the wrong one.

The scores are kept in the record as they are, so that another threshold needs no further call: it may be given, or be
chosen on one of the sets, as ProcessBench's authors do for reward models (arXiv 2412.06559).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pydantic import ValidationError

from mathagent.agents.context import RunContext
from mathagent.evals.process.critique import Critique, Shown, Vote, agrees, correct, first_error_at
from mathagent.evals.process.items import ProcessItem
from mathagent.evals.process.metrics import process_score
from mathagent.evals.records import Record
from mathagent.scorers.base import Score, Scorer
from mathagent.types import Failure, Problem, Step

SCORER_MARK = "scorer:"
"""Begins the name of a critic that is a scorer."""
Pairs = Sequence[tuple[ProcessItem, Record]]


async def scored_vote(
    context: RunContext, scorer: Scorer, shown: Shown, threshold: float
) -> tuple[tuple[Vote, ...], str | None]:
    """What ``scorer`` says of the solution that is shown, as one critique whose text is its Score as JSON, and the
    limit that ended it. Raises BackendError where it cannot be reached."""
    texts = shown.steps or (shown.solution,)
    steps = [Step(kind="thought", text=text) for text in texts]
    (score,) = await scorer.score(context, Problem(text=shown.question), [steps])
    if score.limit is not None:
        return (), score.limit
    said = critique_at(score, threshold, len(texts))
    text = score.model_dump_json()
    if said is None:
        return (
            Vote(text=text, failure=Failure(kind="no-answer", message=score.note or "there is no score")),
        ), None
    return (Vote(label=said.label, text=text),), None


def critique_at(score: Score, threshold: float, steps: int) -> Critique | None:
    """The critique that ``score`` is at ``threshold``; None where nothing was scored. Pure.

    A step without a score is passed over: it may state nothing that could be wrong. A score of the whole names no step.
    """
    if any(step is not None for step in score.steps):
        below = (place for place, step in enumerate(score.steps) if step is not None and step < threshold)
        first = next(below, None)
        return correct(score.note) if first is None else first_error_at(first, steps, score.note)
    if score.value is None:
        return None
    if score.value >= threshold:
        return correct(score.note)
    return Critique(verdict="incorrect", reason=score.note)


def score_in(record: Record) -> Score | None:
    """The score that a record keeps; None where it has none. Pure."""
    candidates = record.solution.candidates if record.solution is not None else ()
    for step in (step for candidate in candidates for step in candidate.steps):
        try:
            return Score.model_validate_json(step.text)
        except ValidationError:
            continue
    return None


def best_threshold(pairs: Pairs) -> float | None:
    """The threshold with the highest F1 on ``pairs``; None where no F1 can be had. Pure.

    Of equally good ones the middle one: thresholds between two scores that stand side by side are all the same.
    """
    known = [(item, score) for item, record in pairs if (score := score_in(record)) is not None]
    values = sorted({value for _, score in known for value in (*score.steps, score.value) if value is not None})
    if not values:
        return None
    tried = [values[0], *((one + other) / 2 for one, other in pairwise(values)), 1.0]
    references = [item.reference for item, _ in known]
    outcomes: list[tuple[tuple[float, float], float]] = []
    for threshold in sorted({min(1.0, max(1e-6, one)) for one in tried}):
        labels = [_label(score, threshold, item) for item, score in known]
        result = process_score(references, labels, resamples=0)
        if result.f1 is not None and result.verdict_f1 is not None:
            # A scorer of wholes names no step: its F1 is 0, and the verdict decides.
            outcomes.append(((result.f1, result.verdict_f1), threshold))
    if not outcomes:
        return None
    best = max(f1 for f1, _ in outcomes)
    ties = [threshold for f1, threshold in outcomes if f1 == best]
    return ties[len(ties) // 2]


def judged_at(threshold: float, pairs: Mapping[str, Pairs]) -> dict[str, list[tuple[ProcessItem, Record]]]:
    """``pairs`` as the scores in their records judge them at ``threshold``. Pure."""
    return {name: [(item, _at(record, threshold, item)) for item, record in some] for name, some in pairs.items()}


def _at(record: Record, threshold: float, item: ProcessItem) -> Record:
    score = score_in(record)
    if score is None or record.outcome == "error":
        return record
    label = _label(score, threshold, item)
    outcome = "correct" if agrees(label, item.reference) else "incorrect"
    return record.model_copy(update={"answer": label, "outcome": outcome})


def _label(score: Score, threshold: float, item: ProcessItem) -> str | None:
    said = critique_at(score, threshold, len(item.shown.steps))
    return None if said is None else said.label
