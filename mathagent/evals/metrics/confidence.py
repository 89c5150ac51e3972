"""How good is an arm's confidence? Calibration and selective accuracy from its records. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.evals.metrics.calibration import accuracy_at_coverage, aurc, brier, calibration_error
from mathagent.evals.metrics.items import is_graded
from mathagent.evals.records import Record
from mathagent.types import Value

COVERAGES = (0.5, 0.8, 1.0)


class ConfidenceQuality(Value):
    """Of ``answers`` with a confidence and a grade: Brier score, ECE (10 bins of equal width), AURC, and ``selective``,
    the accuracy among the surest share of them, by coverage.

    ``unanswered`` attempts have no answer or no confidence: these measures say nothing of them.
    """

    answers: int
    unanswered: int
    brier: float
    ece: float
    aurc: float
    selective: dict[str, float]


def confidence_quality(records: Sequence[Record]) -> ConfidenceQuality | None:
    """The quality over the graded records; None where none has a confidence."""
    graded = [record for record in records if is_graded(record)]
    sure = [(one.confidence, one.outcome == "correct") for one in graded if one.answer is not None]
    chances = [chance for chance, _ in sure if chance is not None]
    right = [correct for chance, correct in sure if chance is not None]
    if not chances:
        return None
    return ConfidenceQuality(
        answers=len(chances),
        unanswered=len(graded) - len(chances),
        brier=brier(chances, right),
        ece=calibration_error(chances, right),
        aurc=aurc(chances, right),
        selective={f"{coverage:g}": accuracy_at_coverage(chances, right, coverage) for coverage in COVERAGES},
    )
