"""What a critic is worth on ProcessBench and on MR-GSM8K, from its records. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from random import Random
from typing import TypeVar

from mathagent.evals.process.critique import step_of, verdict_of
from mathagent.evals.process.items import ProcessItem
from mathagent.evals.process.metrics import (
    MrItem,
    MrScore,
    ProcessScore,
    average,
    interval,
    mr_score,
    offsets,
    process_score,
    resampled_f1,
    right_by_kind,
    verdict_confusion,
)
from mathagent.evals.records import Record
from mathagent.types import Value

Key = TypeVar("Key", int, str)
UNREADABLE = "unreadable"
RESAMPLES = 2000


class Share(Value):
    """``right`` of ``of``."""

    right: int = 0
    of: int = 0


class ProcessBenchReport(Value):
    """ProcessBench (arXiv 2412.06559): the score of each subset, and the mean of their F1 with its interval.

    The mean is None where a subset has none. Diagnostics over all subsets: ``offsets``, how many steps the named one
    lies behind the first wrong one; ``by_position``, the erroneous samples by the number of that step (from 1);
    ``by_final_answer``, the erroneous ones by whether the final answer is right all the same; ``verdicts``, by what is
    right and what was said. ``errors`` critiques failed to be made and count nowhere.
    """

    subsets: dict[str, ProcessScore]
    average_f1: float | None
    low: float | None = None
    high: float | None = None
    offsets: dict[int, int]
    by_position: dict[int, Share]
    by_final_answer: dict[str, Share]
    verdicts: dict[str, dict[str, int]]
    errors: int = 0


class MrReport(Value):
    """MR-GSM8K (arXiv 2312.17080): the score of all items and of each type of question.

    ``errors`` critiques failed to be made and count nowhere.
    """

    score: MrScore
    by_type: dict[str, MrScore]
    errors: int = 0


def processbench_report(
    subsets: Mapping[str, Sequence[tuple[ProcessItem, Record]]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    left_out: str | None = None,
) -> ProcessBenchReport:
    """The report on each subset's items with their records. The subset ``left_out`` does not count in the average: a
    threshold was chosen on it."""
    made = {name: _made(pairs) for name, pairs in subsets.items()}
    scores = {
        name: process_score(*_labels(pairs), resamples=resamples, seed=seed + place)
        for place, (name, pairs) in enumerate(made.items())
    }
    everything = [pair for pairs in made.values() for pair in pairs]
    counted = {name: pairs for name, pairs in made.items() if name != left_out} or made
    mean = average([scores[name].f1 for name in counted])
    low = high = None
    if mean is not None and resamples:
        rng = Random(seed)
        drawn = [resampled_f1(*right_by_kind(*_labels(pairs)), resamples, rng) for pairs in counted.values()]
        low, high = interval([sum(one) / len(one) for one in zip(*drawn, strict=True)])
    erroneous = [(item, record) for item, record in everything if item.reference != "correct"]
    return ProcessBenchReport(
        subsets=scores,
        average_f1=mean,
        low=low,
        high=high,
        offsets=offsets(*_labels(everything)),
        by_position=_shares([((step_of(item.reference) or 0) + 1, record) for item, record in erroneous]),
        by_final_answer=_shares(
            [
                ("right" if item.final_answer_correct else "wrong", record)
                for item, record in erroneous
                if item.final_answer_correct is not None
            ]
        ),
        verdicts=_nested(verdict_confusion(*_labels(everything))),
        errors=sum(len(pairs) for pairs in subsets.values()) - len(everything),
    )


def mr_report(pairs: Sequence[tuple[ProcessItem, Record]], reasons: Mapping[str, bool | None]) -> MrReport:
    """The report on items with their records; ``reasons`` says by id which reasons were accepted."""
    made = _made(pairs)
    marked = [(item.subject or "all", _mr_item(item, record, reasons.get(item.id))) for item, record in made]
    types = list(dict.fromkeys(name for name, _ in marked))
    return MrReport(
        score=mr_score([one for _, one in marked]),
        by_type={name: mr_score([one for kind, one in marked if kind == name]) for name in types},
        errors=len(pairs) - len(made),
    )


def _mr_item(item: ProcessItem, record: Record, reason: bool | None) -> MrItem:
    return MrItem(
        is_correct=item.reference == "correct",
        verdict=verdict_of(record.answer),
        step_right=step_of(item.reference) is not None and record.answer == item.reference,
        reason_right=reason,
    )


def _made(pairs: Sequence[tuple[ProcessItem, Record]]) -> list[tuple[ProcessItem, Record]]:
    return [(item, record) for item, record in pairs if record.outcome != "error"]


def _labels(pairs: Sequence[tuple[ProcessItem, Record]]) -> tuple[list[str], list[str | None]]:
    return [item.reference for item, _ in pairs], [record.answer for _, record in pairs]


def _shares(pairs: Sequence[tuple[Key, Record]]) -> dict[Key, Share]:
    right: Counter[Key] = Counter()
    total: Counter[Key] = Counter()
    for key, record in pairs:
        total[key] += 1
        right[key] += record.outcome == "correct"
    return {key: Share(right=right[key], of=total[key]) for key in sorted(total)}


def _nested(table: Mapping[tuple[str, str | None], int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = defaultdict(dict)
    for (reference, said), count in sorted(table.items(), key=lambda pair: (pair[0][0], pair[0][1] or "")):
        nested[reference][said or UNREADABLE] = count
    return dict(nested)
