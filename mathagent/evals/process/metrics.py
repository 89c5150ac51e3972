"""The measures of process evaluation: ProcessBench F1, Matthews correlation, MR-Score, macro-F1. Pure.

Labels are those of critique.py. A missing or unreadable prediction (None) is wrong: it never agrees with a reference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp, lgamma, log, sqrt
from random import Random

from mathagent.evals.process.critique import agrees, step_of, verdict_of
from mathagent.types import Value

RESAMPLES = 2000
MR_MCC, MR_STEP, MR_REASON = 0.2, 0.3, 0.5
"""The weights of MR-Score (arXiv 2312.17080)."""

Confusion = Mapping[tuple[str, str | None], int]
"""How often each (reference, prediction) came; the prediction None is an unreadable one."""


class ProcessScore(Value):
    """ProcessBench (arXiv 2412.06559) on one subset: shares from 0 to 1.

    ``error_accuracy`` is over the ``erroneous`` samples (the first wrong step must be named), ``correct_accuracy`` over
    the ``correct`` ones; ``f1`` is their harmonic mean, None where there are no samples of one kind. ``low`` and
    ``high`` are its 95% interval from resampling within each kind. ``verdict_f1`` is the same for the verdict alone,
    whatever step is named: all that a judge can do who names none. ``unreadable`` predictions count as wrong.
    """

    erroneous: int
    correct: int
    error_accuracy: float | None
    correct_accuracy: float | None
    f1: float | None
    low: float | None = None
    high: float | None = None
    verdict_f1: float | None = None
    unreadable: int = 0


def harmonic_mean(one: float, other: float) -> float:
    """2ab / (a + b); 0 where both are 0."""
    return 2 * one * other / (one + other) if one + other > 0 else 0.0


def process_score(
    references: Sequence[str], predictions: Sequence[str | None], *, resamples: int = RESAMPLES, seed: int = 0
) -> ProcessScore:
    """The score of ``predictions``, one for each reference: "correct", or the label of the first wrong step."""
    pairs = list(zip(references, predictions, strict=True))
    wrong, right = right_by_kind(references, predictions)
    error_accuracy, correct_accuracy = _mean(wrong), _mean(right)
    f1 = low = high = verdict_f1 = None
    if error_accuracy is not None and correct_accuracy is not None:
        f1 = harmonic_mean(error_accuracy, correct_accuracy)
        noticed = [verdict_of(said) == "incorrect" for known, said in pairs if known != "correct"]
        verdict_f1 = harmonic_mean(sum(noticed) / len(noticed), correct_accuracy)
        if resamples:
            low, high = interval(resampled_f1(wrong, right, resamples, Random(seed)))
    return ProcessScore(
        erroneous=len(wrong),
        correct=len(right),
        error_accuracy=error_accuracy,
        correct_accuracy=correct_accuracy,
        f1=f1,
        low=low,
        high=high,
        verdict_f1=verdict_f1,
        unreadable=sum(predicted is None for predicted in predictions),
    )


def right_by_kind(references: Sequence[str], predictions: Sequence[str | None]) -> tuple[list[bool], list[bool]]:
    """Which predictions are right: of the erroneous samples, and of the correct ones."""
    pairs = list(zip(references, predictions, strict=True))
    wrong = [agrees(predicted, reference) for reference, predicted in pairs if reference != "correct"]
    return wrong, [agrees(predicted, reference) for reference, predicted in pairs if reference == "correct"]


def resampled_f1(wrong: Sequence[bool], right: Sequence[bool], resamples: int, rng: Random) -> list[float]:
    """The F1 of ``resamples`` samples drawn with replacement within the erroneous and within the correct ones."""
    drawn = zip(_resampled_share(wrong, resamples, rng), _resampled_share(right, resamples, rng), strict=True)
    return [harmonic_mean(one, other) for one, other in drawn]


def _resampled_share(outcomes: Sequence[bool], resamples: int, rng: Random) -> list[float]:
    """The share that is right in samples with replacement: a binomial count, drawn as such."""
    size, hits = len(outcomes), sum(outcomes)
    if hits in (0, size):
        return [hits / size] * resamples
    chances = [
        exp(
            lgamma(size + 1)
            - lgamma(count + 1)
            - lgamma(size - count + 1)
            + count * log(hits / size)
            + (size - count) * log(1 - hits / size)
        )
        for count in range(size + 1)
    ]
    return [count / size for count in rng.choices(range(size + 1), weights=chances, k=resamples)]


def average(scores: Sequence[float | None]) -> float | None:
    """The mean of the scores; None where one is missing or there are none."""
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def offsets(references: Sequence[str], predictions: Sequence[str | None]) -> dict[int, int]:
    """How often the named step lies how many steps behind (negative: before) the first wrong one."""
    steps = [(step_of(one), step_of(other)) for one, other in zip(references, predictions, strict=True)]
    return dict(
        sorted(Counter(other - one for one, other in steps if one is not None and other is not None).items())
    )


def matthews(tp: int, tn: int, fp: int, fn: int) -> float:
    """The Matthews correlation coefficient of a 2 × 2 table; 0 where a row or column is empty.

    Source: Matthews (1975), Biochim. Biophys. Acta 405, 442-451.
    """
    square = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / sqrt(square) if square else 0.0


class MrItem(Value):
    """One item of MR-GSM8K with its marks.

    ``is_correct`` is the reference, ``verdict`` what was said (None: unreadable), ``step_right`` whether the step that
    was named is the first wrong one, ``reason_right`` whether the reason was accepted (None: nobody graded it).
    """

    is_correct: bool
    verdict: str | None
    step_right: bool = False
    reason_right: bool | None = None


class MrScore(Value):
    """MR-Score (arXiv 2312.17080): 0.2 · max(0, MCC) + 0.3 · ACC_step + 0.5 · ACC_reason, from 0 to 1.

    The positive class is "correct". ``mcc`` is None where solutions of one kind are missing (it would be 0 whatever was
    said), ``step_accuracy`` where none is wrong, ``reason_accuracy`` where reasons were not graded; ``score`` needs all
    three. ``score_without_reason`` is (0.2 · max(0, MCC) + 0.3 · ACC_step) / 0.5. ``unreadable`` verdicts count as the
    opposite of the right one.
    """

    correct: int
    wrong: int
    tp: int
    tn: int
    fp: int
    fn: int
    unreadable: int
    mcc: float | None
    step_accuracy: float | None
    reason_accuracy: float | None
    score: float | None
    score_without_reason: float | None


def mr_score(items: Sequence[MrItem]) -> MrScore:
    """The score of ``items``. A step counts only if the verdict is right, a reason only if the step is."""
    tp = sum(item.is_correct and item.verdict == "correct" for item in items)
    correct = sum(item.is_correct for item in items)
    wrong = len(items) - correct
    found = [item for item in items if not item.is_correct and item.verdict == "incorrect"]
    located = [item for item in found if item.step_right]
    tn, fn = len(found), correct - tp
    fp = wrong - tn
    mcc = matthews(tp, tn, fp, fn) if correct and wrong else None
    step_accuracy = len(located) / wrong if wrong else None
    graded = all(item.reason_right is not None for item in located)
    reason_accuracy = sum(item.reason_right is True for item in located) / wrong if wrong and graded else None
    return MrScore(
        correct=correct,
        wrong=wrong,
        tp=tp,
        tn=tn,
        fp=fp,
        fn=fn,
        unreadable=sum(item.verdict not in ("correct", "incorrect") for item in items),
        mcc=mcc,
        step_accuracy=step_accuracy,
        reason_accuracy=reason_accuracy,
        score=combined(mcc, step_accuracy, reason_accuracy),
        score_without_reason=combined_without_reason(mcc, step_accuracy),
    )


def combined(mcc: float | None, step_accuracy: float | None, reason_accuracy: float | None) -> float | None:
    """MR-Score from its parts; None where one is missing."""
    if mcc is None or step_accuracy is None or reason_accuracy is None:
        return None
    return MR_MCC * max(0.0, mcc) + MR_STEP * step_accuracy + MR_REASON * reason_accuracy


def combined_without_reason(mcc: float | None, step_accuracy: float | None) -> float | None:
    """MR-Score without what a judge must grade, again from 0 to 1; None where a part is missing."""
    if mcc is None or step_accuracy is None:
        return None
    return (MR_MCC * max(0.0, mcc) + MR_STEP * step_accuracy) / (MR_MCC + MR_STEP)


def confusion(references: Sequence[str], predictions: Sequence[str | None]) -> Counter[tuple[str, str | None]]:
    """How often each (reference, prediction) came."""
    return Counter(zip(references, predictions, strict=True))


def macro_f1(table: Confusion, labels: Sequence[str]) -> float | None:
    """The mean of the F1 of ``labels``; None for an empty table.

    A prediction that is none of the labels belongs to no class: it lowers the recall of its reference and nothing else,
    so that it can only hurt. A label that is neither a reference nor predicted has an F1 of 0.
    """
    if not sum(table.values()):
        return None
    return sum(_f1(table, label) for label in labels) / len(labels)


def _f1(table: Confusion, label: str) -> float:
    hits = table.get((label, label), 0)
    predicted = sum(count for (_, said), count in table.items() if said == label)
    wanted = sum(count for (reference, _), count in table.items() if reference == label)
    return harmonic_mean(hits / predicted, hits / wanted) if hits else 0.0


def share_agreeing(table: Confusion) -> float | None:
    """The share of predictions that agree with their references; None for an empty table."""
    total = sum(table.values())
    return (
        sum(count for (reference, said), count in table.items() if agrees(said, reference)) / total
        if total
        else None
    )


def verdict_confusion(
    references: Sequence[str], predictions: Sequence[str | None]
) -> Counter[tuple[str, str | None]]:
    """The confusion of the verdicts alone, whatever step is named."""
    named = [str(verdict_of(reference)) for reference in references]
    return confusion(named, [verdict_of(predicted) for predicted in predictions])


def interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """The middle ``level`` of resampled ``values``: their percentiles, interpolated. ValueError for none."""
    if not values:
        raise ValueError("an interval needs values")
    ordered = sorted(values)
    return _quantile(ordered, (1 - level) / 2), _quantile(ordered, (1 + level) / 2)


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _mean(outcomes: Sequence[bool]) -> float | None:
    return sum(outcomes) / len(outcomes) if outcomes else None
