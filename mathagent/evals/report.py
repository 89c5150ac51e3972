"""A report: everything that is to be said of records in numbers, data set by data set. Pure.

How it is shown (a page, tables, other tools' formats) is decided elsewhere; nothing is computed there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from mathagent.evals.costs import CostPoint, Costs, costs_of, frontier
from mathagent.evals.failures import FAILURES, failure_of
from mathagent.evals.metrics import ArmRecords, Summary, summarize
from mathagent.evals.metrics.arms import budget_words
from mathagent.evals.metrics.calibration import (
    Bin,
    RiskPoint,
    aurc,
    brier,
    calibration_error,
    reliability,
    risk_coverage,
)
from mathagent.evals.metrics.items import is_graded, item_key
from mathagent.evals.metrics.paired import natural_order
from mathagent.evals.records import Record
from mathagent.evals.report_coverage import ArmCoverage
from mathagent.evals.report_pairs import PairReport, ids_only, pair_reports
from mathagent.evals.report_search import ArmSearch
from mathagent.types import Value

LEAST_CHANCES = 5
"""Answers with a confidence below which a reliability table would show noise."""
MOST_RISK_POINTS = 200
MOST_EXAMPLES = 5

COST_NAMES = {"tokens": "tokens a problem", "seconds": "seconds a problem", "dollars": "US dollars a problem"}


class ArmCalibration(Value):
    """How good the confidences of ``answers`` graded answers are; ``curve`` is thinned for drawing."""

    answers: int
    brier: float
    ece: float
    aurc: float
    bins: tuple[Bin, ...]
    curve: tuple[RiskPoint, ...]


class ArmReport(Value):
    """One arm in numbers. ``number`` is its place among all arms of the report.

    ``attempts_per_item`` is the least that all its items have. ``tokens_per_solved`` are the tokens of all attempts
    for each right one, None where none is right; ``cost`` are means an attempt by the names of COST_NAMES, None where
    not known, and ``on_front`` those by which no other arm of the data set is as good and cheaper.
    """

    number: int
    name: str
    label: str
    dataset: str
    strategy: str
    model: str
    backend: str
    memory: str
    budget: str
    config: dict[str, JsonValue]
    summary: Summary
    costs: Costs
    attempts_per_item: int
    tokens_per_solved: float | None
    cost: dict[str, float | None]
    on_front: tuple[str, ...] = ()
    calibration: ArmCalibration | None = None
    coverage: ArmCoverage | None = None
    search: ArmSearch | None = None


class Share(Value):
    """How many of an arm's items in one group are right: ``accuracy`` is None where nothing was graded."""

    items: int
    accuracy: float | None
    low: float
    high: float


class GroupRow(Value):
    """The items with one subject (or level, or language): a share for each arm of the data set, in their order."""

    group: str
    items: int
    shares: tuple[Share, ...]


class Breakdown(Value):
    """A data set by ``by``, "subject", "level" or "language"."""

    by: str
    rows: tuple[GroupRow, ...]


class Example(Value):
    """One attempt, to be looked at: ``item`` is its item's key."""

    arm: int
    item: str
    problem_id: str
    attempt: int


class FailureRow(Value):
    """How often each arm failed in one way, and some of those attempts."""

    failure: str
    about: str
    counts: tuple[int, ...]
    examples: tuple[Example, ...]


class DatasetReport(Value):
    """Everything about one data set. ``attempts`` is the largest number of attempts that an item has.

    ``copies`` are the ids of each item that stands several times in it and counts once, under the first of them.
    """

    name: str
    items: int
    attempts: int
    arms: tuple[ArmReport, ...]
    breakdowns: tuple[Breakdown, ...]
    failures: tuple[FailureRow, ...]
    pairs: tuple[PairReport, ...] = ()
    copies: tuple[tuple[str, ...], ...] = ()


class Report(Value):
    """The whole. ``made`` says when (ISO 8601); ``sources`` what it was made of, as the user named them."""

    title: str
    made: str
    version: str
    sources: tuple[str, ...]
    datasets: tuple[DatasetReport, ...]

    @property
    def arms(self) -> list[ArmReport]:
        """All arms, each at the place of its number: data sets may have them in turns, as several runs do."""
        everyone = [arm for dataset in self.datasets for arm in dataset.arms]
        return sorted(everyone, key=lambda arm: arm.number)


def make_report(
    groups: Sequence[ArmRecords],
    *,
    title: str,
    made: str,
    version: str,
    sources: Sequence[str] = (),
    coverage: Mapping[int, ArmCoverage] | None = None,
    search: Mapping[int, ArmSearch] | None = None,
) -> Report:
    """The report on these arms (see ``arms``).

    ``coverage`` of those that tried items several times (see ``coverages``), and what those that ``search`` found (see
    ``searches``), stand apart, for they need answers to be compared, which takes a worker process.
    """
    numbered = list(enumerate(groups))
    names = list(dict.fromkeys(group.dataset for group in groups))
    curves, found = coverage or {}, search or {}
    datasets = [
        _dataset(name, [(n, group) for n, group in numbered if group.dataset == name], curves, found)
        for name in names
    ]
    return Report(title=title, made=made, version=version, sources=tuple(sources), datasets=tuple(datasets))


def _dataset(
    name: str,
    numbered: Sequence[tuple[int, ArmRecords]],
    curves: Mapping[int, ArmCoverage],
    found: Mapping[int, ArmSearch],
) -> DatasetReport:
    groups = [group for _, group in numbered]
    everything = [record for group in groups for record in group.records]
    by_id = ids_only(groups)
    reports = [_arm(number, group, curves.get(number), found.get(number)) for number, group in numbered]
    return DatasetReport(
        name=name,
        items=len({item_key(record, by_id=by_id) for record in everything}),
        attempts=max(_attempts(group.records, max) for group in groups),
        arms=_with_fronts(reports),
        breakdowns=tuple(breakdowns(groups)),
        failures=tuple(failure_rows(numbered)),
        pairs=tuple(pair_reports(numbered)),
        copies=tuple(dict.fromkeys(names for group in groups for names in group.copies)),
    )


def _arm(number: int, group: ArmRecords, coverage: ArmCoverage | None, search: ArmSearch | None) -> ArmReport:
    records = group.records
    summary = summarize(records, strategy=group.strategy, model=group.model, dataset=group.dataset)
    costs = costs_of(records)
    tokens = costs.prompt_tokens + costs.completion_tokens
    return ArmReport(
        number=number,
        name=group.name,
        label=group.label,
        dataset=group.dataset,
        strategy=group.strategy,
        model=group.model,
        backend=group.backend,
        memory=group.memory,
        budget=budget_words(group.budget),
        config=group.config,
        summary=summary,
        costs=costs,
        attempts_per_item=_attempts(records, min),
        tokens_per_solved=tokens / summary.correct if summary.correct else None,
        cost={
            "tokens": tokens / len(records),
            "seconds": summary.seconds,
            "dollars": None if costs.unlisted else costs.list_dollars / len(records),
        },
        calibration=arm_calibration(records),
        coverage=coverage,
        search=search,
    )


def _attempts(records: Sequence[Record], which: Callable[[list[int]], int]) -> int:
    counts: dict[str, int] = {}
    for record in records:
        key = item_key(record)
        counts[key] = counts.get(key, 0) + 1
    return which(list(counts.values()))


def _with_fronts(reports: Sequence[ArmReport]) -> tuple[ArmReport, ...]:
    """The arms, each with the costs by which it is on the front."""
    on_front: dict[str, set[str]] = {}
    for name in COST_NAMES:
        points = [CostPoint(label=one.name, cost=one.cost[name], accuracy=one.summary.accuracy) for one in reports]
        on_front[name] = {point.label for point in frontier(points)}
    return tuple(
        one.model_copy(update={"on_front": tuple(name for name in COST_NAMES if one.name in on_front[name])})
        for one in reports
    )


def arm_calibration(records: Sequence[Record]) -> ArmCalibration | None:
    """How good the confidences are; None for fewer than LEAST_CHANCES graded answers that have one."""
    sure = [one for one in records if one.confidence is not None and one.answer is not None and is_graded(one)]
    if len(sure) < LEAST_CHANCES:
        return None
    chances = [one.confidence for one in sure if one.confidence is not None]
    right = [one.outcome == "correct" for one in sure]
    curve = risk_coverage(chances, right)
    step = max(1, len(curve) // MOST_RISK_POINTS)
    return ArmCalibration(
        answers=len(sure),
        brier=brier(chances, right),
        ece=calibration_error(chances, right),
        aurc=aurc(chances, right),
        bins=tuple(reliability(chances, right)),
        curve=(*curve[: len(curve) - 1 : step], curve[-1]),
    )


def breakdowns(groups: Sequence[ArmRecords]) -> list[Breakdown]:
    """The arms of one data set by subject, level and language, as far as its items have some."""
    everything = [record for group in groups for record in group.records]
    found = []
    for by in ("subject", "level", "language"):
        values = {getattr(record, by) for record in everything}
        if values - {""} and len(values) > 1:
            ordered = sorted(values, key=lambda value: (value == "", natural_order(value)))
            found.append(Breakdown(by=by, rows=tuple(_group_row(by, value, groups) for value in ordered)))
    return found


def _group_row(by: str, value: str, groups: Sequence[ArmRecords]) -> GroupRow:
    parts = [[record for record in group.records if getattr(record, by) == value] for group in groups]
    return GroupRow(
        group=value or "(none)",
        items=len({item_key(record) for part in parts for record in part}),
        shares=tuple(_share(part) for part in parts),
    )


def _share(records: Sequence[Record]) -> Share:
    found = summarize(records, strategy="", model="", dataset="")
    return Share(items=found.problems, accuracy=found.accuracy, low=found.low, high=found.high)


def failure_rows(numbered: Sequence[tuple[int, ArmRecords]]) -> list[FailureRow]:
    """The ways in which the numbered arms of one data set failed, most frequent first."""
    kinds: dict[str, list[list[Record]]] = {}
    for place, (_, group) in enumerate(numbered):
        for record in group.records:
            kind = failure_of(record)
            if kind is not None:
                kinds.setdefault(kind, [[] for _ in numbered])[place].append(record)
    rows = [
        FailureRow(
            failure=kind,
            about=FAILURES.get(kind, ""),
            counts=tuple(len(part) for part in parts),
            examples=tuple(_examples(numbered, parts)),
        )
        for kind, parts in kinds.items()
    ]
    return sorted(rows, key=lambda row: (-sum(row.counts), row.failure))


def _examples(numbered: Sequence[tuple[int, ArmRecords]], parts: Sequence[Sequence[Record]]) -> list[Example]:
    """The first failures of each arm, in turns."""
    by_id = ids_only([group for _, group in numbered])
    turns = [
        (place, number, record)
        for (number, _), part in zip(numbered, parts, strict=True)
        for place, record in enumerate(part[:MOST_EXAMPLES])
    ]
    return [
        Example(
            arm=number, item=item_key(record, by_id=by_id), problem_id=record.problem_id, attempt=record.attempt
        )
        for _, number, record in sorted(turns, key=lambda turn: turn[:2])[:MOST_EXAMPLES]
    ]
