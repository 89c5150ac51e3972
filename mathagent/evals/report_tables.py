"""A report as plain tables, for people's own tools: each value as a number, each column with what it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from mathagent.errors import UsageError
from mathagent.evals.failures import failure_of
from mathagent.evals.metrics import ArmRecords
from mathagent.evals.report import DatasetReport, Report
from mathagent.types import Value

Kind = Literal["text", "count", "amount", "share", "points", "p", "score", "dollars"]
Cell = str | int | float | None


class Column(Value):
    """A column: ``name`` for programs, ``title`` for people, and what its values are.

    A "share" is from 0 to 1, "points" the difference of two; "dollars" are US dollars; a "score" has three digits.
    """

    name: str
    title: str
    kind: Kind


class Table(Value):
    """A table; every row has a cell for each column, None where there is nothing to say."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


_Spec = tuple[str, str, Kind]


def _columns(*specs: _Spec) -> tuple[Column, ...]:
    return tuple(Column(name=name, title=title, kind=kind) for name, title, kind in specs)


_ARM: tuple[_Spec, ...] = (("dataset", "Data set", "text"), ("arm", "Arm", "text"))
_INTERVAL: tuple[_Spec, ...] = (
    ("accuracy", "Accuracy", "share"),
    ("low", "Low", "share"),
    ("high", "High", "share"),
)
SUMMARY = _columns(
    *_ARM,
    ("model", "Model", "text"),
    ("items", "n", "count"),
    ("attempts", "Attempts", "count"),
    ("correct", "Correct", "count"),
    ("undecided", "Undecided", "count"),
    ("errors", "Errors", "count"),
    *_INTERVAL,
    ("tokens", "Tokens", "amount"),
    ("calls", "Calls", "amount"),
    ("seconds", "Seconds", "amount"),
    ("dollars", "Money", "dollars"),
    ("tokens_per_solved", "Tokens per solved", "amount"),
)
COMPARISON = _columns(
    ("dataset", "Data set", "text"),
    ("first", "A", "text"),
    ("second", "B", "text"),
    ("items", "n", "count"),
    ("difference", "B - A", "points"),
    ("low", "Low", "points"),
    ("high", "High", "points"),
    ("only_first", "A better", "count"),
    ("only_second", "B better", "count"),
    ("p", "p", "p"),
    ("p_holm", "p (Holm)", "p"),
    ("test", "Test", "text"),
    ("needed", "n needed", "count"),
)
GROUPS = _columns(
    ("dataset", "Data set", "text"),
    ("by", "By", "text"),
    ("group", "Group", "text"),
    ("arm", "Arm", "text"),
    ("items", "n", "count"),
    *_INTERVAL,
)
FAILURE = _columns(*_ARM, ("failure", "Failure", "text"), ("count", "Count", "count"))
CONFIDENCE = _columns(
    *_ARM,
    ("answers", "Answers", "count"),
    ("ece", "ECE", "score"),
    ("brier", "Brier", "score"),
    ("aurc", "AURC", "score"),
)
COVERAGE = _columns(
    *_ARM,
    ("k", "k", "count"),
    ("pass_at_k", "pass@k", "share"),
    ("maj_at_k", "maj@k", "share"),
    ("best_of_k", "best of k", "share"),
)
SEARCH = _columns(
    *_ARM,
    ("solves", "Solves", "count"),
    ("leaves", "Leaves", "amount"),
    ("chosen", "Chosen", "share"),
    ("oracle", "Oracle", "share"),
    ("low", "Low", "share"),
    ("high", "High", "share"),
    ("majority", "Majority", "share"),
)
ITEMS = _columns(
    *_ARM,
    ("problem_id", "Problem", "text"),
    ("attempt", "Attempt", "count"),
    ("subject", "Subject", "text"),
    ("level", "Level", "text"),
    ("outcome", "Outcome", "text"),
    ("failure", "Failure", "text"),
    ("answer", "Answer", "text"),
    ("reference", "Reference", "text"),
    ("confidence", "Confidence", "score"),
    ("calls", "Calls", "count"),
    ("prompt_tokens", "Tokens in", "count"),
    ("completion_tokens", "Tokens out", "count"),
    ("seconds", "Seconds", "amount"),
    ("dollars", "Money", "dollars"),
)
TABLES = ("summary", "comparison", "groups", "failures", "confidence", "coverage", "search", "items")


def report_tables(report: Report, groups: Sequence[ArmRecords], names: Sequence[str]) -> list[Table]:
    """The tables of these ``names`` that have rows. Raises UsageError for a name not in TABLES."""
    makers = {
        "summary": lambda: _table("summary", "Accuracy and cost", SUMMARY, _each(report, _summary_rows)),
        "comparison": lambda: _table("comparison", "Paired comparison", COMPARISON, _comparison_rows(report)),
        "groups": lambda: _table("groups", "Accuracy by group", GROUPS, _each(report, _group_rows)),
        "failures": lambda: _table("failures", "Failures", FAILURE, _each(report, _failure_rows)),
        "confidence": lambda: _table("confidence", "Confidence", CONFIDENCE, _each(report, _confidence_rows)),
        "coverage": lambda: _table("coverage", "Coverage", COVERAGE, _each(report, _coverage_rows)),
        "search": lambda: _table("search", "Search: oracle and choice", SEARCH, _each(report, _search_rows)),
        "items": lambda: _table("items", "Items", ITEMS, _item_rows(groups)),
    }
    for name in names:
        if name not in makers:
            raise UsageError(f"there is no table '{name}' in a report; there are {', '.join(TABLES)}")
    return [table for name in names if (table := makers[name]()).rows]


def _table(name: str, title: str, columns: tuple[Column, ...], rows: Sequence[tuple[Cell, ...]]) -> Table:
    return Table(name=name, title=title, columns=columns, rows=tuple(rows))


def _each(report: Report, rows_of: Callable[[DatasetReport], list[tuple[Cell, ...]]]) -> list[tuple[Cell, ...]]:
    return [row for dataset in report.datasets for row in rows_of(dataset)]


def _summary_rows(dataset: DatasetReport) -> list[tuple[Cell, ...]]:
    return [
        (
            dataset.name,
            arm.name,
            arm.model,
            (one := arm.summary).problems,
            one.attempts,
            one.correct,
            one.undecided,
            one.errors,
            one.accuracy,
            one.low,
            one.high,
            arm.cost["tokens"],
            one.calls,
            one.seconds,
            arm.cost["dollars"],
            arm.tokens_per_solved,
        )
        for arm in dataset.arms
    ]


def _comparison_rows(report: Report) -> list[tuple[Cell, ...]]:
    arms = report.arms
    return [
        (
            dataset.name,
            arms[pair.first].name,
            arms[pair.second].name,
            (found := pair.difference).items,
            found.difference,
            found.low,
            found.high,
            len(pair.only_first),
            len(pair.only_second),
            found.p,
            pair.p_holm,
            found.test,
            found.needed,
        )
        for dataset in report.datasets
        for pair in dataset.pairs
    ]


def _group_rows(dataset: DatasetReport) -> list[tuple[Cell, ...]]:
    return [
        (dataset.name, breakdown.by, row.group, arm.name, share.items, share.accuracy, share.low, share.high)
        for breakdown in dataset.breakdowns
        for row in breakdown.rows
        for arm, share in zip(dataset.arms, row.shares, strict=True)
    ]


def _failure_rows(dataset: DatasetReport) -> list[tuple[Cell, ...]]:
    return [
        (dataset.name, arm.name, row.failure, count)
        for row in dataset.failures
        for arm, count in zip(dataset.arms, row.counts, strict=True)
        if count
    ]


def _confidence_rows(dataset: DatasetReport) -> list[tuple[Cell, ...]]:
    return [
        (dataset.name, arm.name, found.answers, found.ece, found.brier, found.aurc)
        for arm in dataset.arms
        if (found := arm.calibration) is not None
    ]


def _coverage_rows(dataset: DatasetReport) -> list[tuple[Cell, ...]]:
    return [
        (dataset.name, arm.name, point.k, point.oracle, point.majority, point.best_of)
        for arm in dataset.arms
        if arm.coverage is not None
        for point in arm.coverage.points
    ]


def _search_rows(dataset: DatasetReport) -> list[tuple[Cell, ...]]:
    return [
        (dataset.name, arm.name, one.solves, one.leaves, one.chosen, one.oracle, one.low, one.high, one.majority)
        for arm in dataset.arms
        if (one := arm.search) is not None
    ]


def _item_rows(groups: Sequence[ArmRecords]) -> list[tuple[Cell, ...]]:
    return [
        (
            group.dataset,
            group.name,
            record.problem_id,
            record.attempt,
            record.subject,
            record.level,
            record.outcome,
            failure_of(record),
            record.answer,
            record.reference,
            record.confidence,
            record.usage.calls,
            record.usage.prompt_tokens,
            record.usage.completion_tokens,
            record.seconds,
            record.dollars,
        )
        for group in groups
        for record in group.records
    ]
