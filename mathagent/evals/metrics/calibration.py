"""How good are probabilities? Brier score, calibration error, reliability, risk and coverage. Pure.

Every function takes ``chances``, the probability given to each answer, and ``right``, whether it was right; as many of
each, at least one (ValueError). Nothing depends on the order of answers with the same probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import ceil

from mathagent.types import Value

BINS = 10


class Bin(Value):
    """Answers whose probability is from ``low`` to ``high``: how many, their mean probability, the share right."""

    low: float
    high: float
    answers: int
    confidence: float
    accuracy: float


class RiskPoint(Value):
    """Answering the surest share ``coverage`` of the problems, the share ``risk`` of those answers is wrong."""

    coverage: float
    risk: float


def brier(chances: Sequence[float], right: Sequence[bool]) -> float:
    """The mean squared difference between probability and outcome: 0 is perfect, 0.25 a coin (Brier, 1950)."""
    pairs = _pairs(chances, right)
    return sum((chance - outcome) ** 2 for chance, outcome in pairs) / len(pairs)


def reliability(
    chances: Sequence[float], right: Sequence[bool], *, bins: int = BINS, equal_mass: bool = False
) -> list[Bin]:
    """The reliability table, without empty bins.

    Bins of equal width have fixed borders, i / ``bins``; a border belongs to the bin below it. Those of equal mass
    hold about as many answers each; equal probabilities are never torn apart. Source: "On Calibration of Modern
    Neural Networks" (arXiv 1706.04599).
    """
    pairs = sorted(_pairs(chances, right))
    if equal_mass:
        return [_bin(group[0][0], group[-1][0], group) for group in _equal_groups(pairs, bins)]
    grouped = groupby(pairs, key=lambda pair: max(0, ceil(round(pair[0] * bins, 9)) - 1))  # 0.55 * 20 is above 11
    return [_bin(number / bins, (number + 1) / bins, list(group)) for number, group in grouped]


def calibration_error(
    chances: Sequence[float], right: Sequence[bool], *, bins: int = BINS, equal_mass: bool = False
) -> float:
    """Expected calibration error: the mean over the answers of |share right - mean probability| of their bin.

    With bins of equal width as in arXiv 1706.04599, of equal mass as in "Measuring Calibration in Deep Learning"
    (arXiv 1904.01685).
    """
    table = reliability(chances, right, bins=bins, equal_mass=equal_mass)
    return sum(one.answers * abs(one.accuracy - one.confidence) for one in table) / len(chances)


def risk_coverage(chances: Sequence[float], right: Sequence[bool]) -> list[RiskPoint]:
    """The risk of answering the k surest only, for k = 1 to all. Among equal probabilities wrong answers are spread
    evenly, as they are on average. Source: "Selective Classification for Deep Neural Networks" (arXiv 1705.08500).
    """
    wrong = _wrong_among_surest(chances, right)
    return [
        RiskPoint(coverage=count / len(wrong), risk=errors / count) for count, errors in enumerate(wrong, start=1)
    ]


def aurc(chances: Sequence[float], right: Sequence[bool]) -> float:
    """The area under the risk-coverage curve: the mean of the risks at k = 1 to all; less is better."""
    points = risk_coverage(chances, right)
    return sum(point.risk for point in points) / len(points)


def accuracy_at_coverage(chances: Sequence[float], right: Sequence[bool], coverage: float) -> float:
    """The share right among the surest ``coverage`` (more than 0, at most 1) of the answers, rounded up to one."""
    if not 0 < coverage <= 1:
        raise ValueError(f"a coverage of {coverage} is impossible")
    wrong = _wrong_among_surest(chances, right)
    count = max(1, ceil(coverage * len(wrong) - 1e-9))  # 0.8 * 35 is 28.000000000000004
    return 1 - wrong[count - 1] / count


def _pairs(chances: Sequence[float], right: Sequence[bool]) -> list[tuple[float, bool]]:
    if not chances:
        raise ValueError("without answers there is nothing to measure")
    if not all(0 <= chance <= 1 for chance in chances):
        raise ValueError("probabilities are from 0 to 1")
    return list(zip(chances, right, strict=True))


def _bin(low: float, high: float, pairs: Sequence[tuple[float, bool]]) -> Bin:
    count = len(pairs)
    return Bin(
        low=low,
        high=high,
        answers=count,
        confidence=sum(chance for chance, _ in pairs) / count,
        accuracy=sum(outcome for _, outcome in pairs) / count,
    )


def _equal_groups(pairs: Sequence[tuple[float, bool]], bins: int) -> list[list[tuple[float, bool]]]:
    """``pairs``, sorted, in at most ``bins`` groups; a border that would part equal probabilities moves behind them."""
    groups: list[list[tuple[float, bool]]] = []
    start = 0
    for number in range(1, bins + 1):
        end = round(number * len(pairs) / bins)
        while 0 < end < len(pairs) and pairs[end][0] == pairs[end - 1][0]:
            end += 1
        if end > start:
            groups.append(list(pairs[start:end]))
            start = end
    return groups


def _wrong_among_surest(chances: Sequence[float], right: Sequence[bool]) -> list[float]:
    """How many of the k surest answers are wrong, for k = 1 to all; between equal ones a fraction."""
    ordered = sorted(_pairs(chances, right), key=lambda pair: -pair[0])
    found: list[float] = []
    before = 0
    for _, group in groupby(ordered, key=lambda pair: pair[0]):
        outcomes = [outcome for _, outcome in group]
        errors = outcomes.count(False)
        found += [before + errors * place / len(outcomes) for place in range(1, len(outcomes) + 1)]
        before += errors
    return found
