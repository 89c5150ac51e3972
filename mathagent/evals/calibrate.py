"""From graded records to calibrations: one for each backend, strategy and settings that the records hold enough of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date

from mathagent import __version__
from mathagent.evals.metrics.calibration import aurc, brier, calibration_error
from mathagent.evals.records import Record
from mathagent.scorers.calibration import Calibration, Quality
from mathagent.scorers.calibration_fit import Example, cross_validated, fit
from mathagent.scorers.features import features, own_confidence
from mathagent.types import Solution, Value

LEAST_ANSWERS = 20


class Graded(Value):
    """An answer whose grade is known."""

    solution: Solution
    right: bool
    dataset: str


class Combination(Value):
    """The graded answers of one backend (by identity), strategy and settings.

    ``unanswered`` counts the problems without an answer: a calibration says nothing of them.
    """

    backend: str
    model: str
    strategy: str
    graded: tuple[Graded, ...]
    unanswered: int

    @property
    def right(self) -> list[bool]:
        return [one.right for one in self.graded]

    @property
    def own(self) -> list[float]:
        """The strategy's own confidence in each answer."""
        return [own_confidence(one.solution) for one in self.graded]

    @property
    def examples(self) -> list[Example]:
        """What a fit sees of the answers."""
        return [
            Example(row=features(one.solution), right=one.right, problem=one.solution.problem.content_hash())
            for one in self.graded
        ]


def combinations(records: Sequence[Record]) -> tuple[list[Combination], dict[str, int]]:
    """The records by backend, strategy and settings, and how many were left out for which reason.

    A record that comes twice, by its key, counts once.
    """
    groups: dict[str, list[Record]] = {}
    left_out: Counter[str] = Counter()
    for record in {record.key: record for record in records}.values():
        if record.solution is None or record.outcome in ("error", "undecided"):
            left_out["not solved or not graded"] += 1
        elif not record.backend:
            left_out["of an older mathagent: it does not say which model it was"] += 1
        else:
            solution = record.solution
            key = json.dumps([record.backend, solution.strategy, solution.config], sort_keys=True)
            groups.setdefault(key, []).append(record)
    return [_combination(group) for group in groups.values()], dict(left_out)


def _combination(records: Sequence[Record]) -> Combination:
    answered = [
        (one, one.solution) for one in records if one.solution is not None and one.solution.answer is not None
    ]
    graded = [
        Graded(solution=solution, right=record.outcome == "correct", dataset=record.dataset)
        for record, solution in answered
    ]
    first = records[0]
    return Combination(
        backend=first.backend,
        model=first.model,
        strategy=first.solution.strategy if first.solution is not None else first.strategy,
        graded=tuple(graded),
        unanswered=len(records) - len(graded),
    )


def too_few(combination: Combination) -> str | None:
    """Why nothing can be fitted to ``combination``; None where it can."""
    found = len(combination.graded)
    return None if found >= LEAST_ANSWERS else f"too few answers: {found}, and {LEAST_ANSWERS} are needed"


def calibrate(combination: Combination, today: date) -> Calibration:
    """The calibration fitted to ``combination``; its ``after`` is cross-validated. ValueError if it has no answers."""
    examples, right = combination.examples, combination.right
    return Calibration(
        backend=combination.backend,
        strategy=combination.strategy,
        config=combination.graded[0].solution.config,
        fit=fit(examples),
        problems=len({example.problem for example in examples}),
        datasets=tuple(sorted({one.dataset for one in combination.graded})),
        made_on=today,
        made_by=__version__,
        before=quality(combination.own, right),
        after=quality(cross_validated(examples), right),
    )


def quality(chances: Sequence[float], right: Sequence[bool]) -> Quality:
    """The measures of these probabilities."""
    return Quality(brier=brier(chances, right), ece=calibration_error(chances, right), aurc=aurc(chances, right))
