"""What a person sees of ``mathagent judge-bench``: tables of ProcessBench and MR-GSM8K, the matrix of MathCheck."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mathagent.console.bench_words import dollar_words
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.evals.process.evaluate import CriticResult
from mathagent.evals.process.metrics import MrScore, ProcessScore

NONE = "-"
TITLES = {"processbench": "ProcessBench", "mr-gsm8k": "MR-GSM8K", "mathcheck": "MathCheck"}


def show_results(console: Console, results: Sequence[CriticResult]) -> None:
    """Prints the results by data set and model, each with what to know about it. Scores are times 100."""
    page = Page(console)
    views: dict[str, Callable[[Page, Sequence[CriticResult]], None]] = {
        "processbench": _processbench,
        "mr-gsm8k": _mr_gsm8k,
        "mathcheck": _mathcheck,
    }
    for (kind, model), group in groupby(results, key=lambda one: (one.kind, one.model)):
        page.line(f"{TITLES[kind]}{page.dot}{one_line(model)}", style="bold")
        some = list(group)
        views[kind](page, some)
        for one in some:
            _about(page, one)


def _about(page: Page, one: CriticResult) -> None:
    """Costs, and what is not in the numbers."""
    name = one_line(one.critic, 40)
    parts = [f"{one.items} items", f"{one.completion_tokens:.0f} tokens and {one.calls:.1f} calls an item"]
    parts.append(f"{dollar_words(one.dollars)} in all" if one.dollars else "")
    page.line(f"{name}: {', '.join(part for part in parts if part)}", style="dim")
    if one.threshold is not None:
        chosen = f", chosen on {one_line(one.tuned_on, 40)}, which the average leaves out" if one.tuned_on else ""
        page.line(f"{name}: a step is wrong below a score of {one.threshold:.3g}{chosen}", style="dim")
    if not one.names_steps and one.kind != "mathcheck":
        page.line(
            f"{name} judges whole solutions and names no step: only its verdicts can be right", style="magenta"
        )
    for count, what in (
        (one.unreadable, "got no readable judgement, which counts as wrong"),
        (one.errors, "could not be judged at all; the same command tries again"),
        (one.undecided, "could not be graded"),
        (one.missing, "left for later; the same command goes on"),
    ):
        if count:
            page.line(f"{name}: {count} {'item' if count == 1 else 'items'} {what}", style="magenta")


def _processbench(page: Page, results: Sequence[CriticResult]) -> None:
    rows = []
    reports = [(one.critic, one.processbench) for one in results if one.processbench is not None]
    for critic, report in reports:
        for name, score in report.subsets.items():
            rows.append([critic, name.removeprefix("processbench:"), *_process_cells(page, score)])
        if len(report.subsets) > 1:
            mean = [_percent(report.average_f1), _interval(page, report.low, report.high), ""]
            rows.append([critic, "average", "", "", "", "", *mean])
    _table(page, ["critic", "subset", "wrong", "right", "E", "C", "F1", "95% interval", "verdict"], rows)
    page.line(
        "E: accuracy on wrong solutions (the first wrong step must be named), C: on right ones, F1: their harmonic"
        " mean; verdict: the same whatever step is named",
        style="dim",
    )
    if any(not (score.erroneous and score.correct) for _, report in reports for score in report.subsets.values()):
        page.line(
            "F1 needs wrong and right solutions: take more (--limit), or mix them (--shuffle)", style="magenta"
        )


def _process_cells(page: Page, score: ProcessScore) -> list[str]:
    shares = [_percent(score.error_accuracy), _percent(score.correct_accuracy), _percent(score.f1)]
    counts = [str(score.erroneous), str(score.correct)]
    return [*counts, *shares, _interval(page, score.low, score.high), _percent(score.verdict_f1)]


def _mr_gsm8k(page: Page, results: Sequence[CriticResult]) -> None:
    reports = [(one.critic, one.mr) for one in results if one.mr is not None]
    rows = []
    for critic, report in reports:
        by_type = report.by_type if len(report.by_type) > 1 else {}
        for name, score in [*by_type.items(), ("all", report.score)]:
            rows.append([critic, name, *_mr_cells(score)])
    _table(page, ["critic", "type", "wrong", "right", "MCC", "step", "reason", "MR-Score", "no reason"], rows)
    page.line("MR-Score: 0.2 max(0, MCC) + 0.3 step + 0.5 reason; no reason: without that part", style="dim")
    if any(not (report.score.correct and report.score.wrong) for _, report in reports):
        page.line(
            "only right, or only wrong, solutions are here: MCC, and so MR-Score, needs both (the whole MR-GSM8K)",
            style="magenta",
        )
    if any(report.score.reason_accuracy is None and report.score.wrong for _, report in reports):
        page.line("reasons were not all graded: --reason-judge names the model that does", style="magenta")


def _mr_cells(score: MrScore) -> list[str]:
    parts = (score.mcc, score.step_accuracy, score.reason_accuracy, score.score, score.score_without_reason)
    return [str(score.wrong), str(score.correct), *(_percent(part) for part in parts)]


def _mathcheck(page: Page, results: Sequence[CriticResult]) -> None:
    for one in results:
        report = one.mathcheck
        assert report is not None
        matrix = report.matrix
        page.line(
            one_line(one.critic, 40) + ("" if one.strategy is None else f", solved by {one_line(one.strategy)}")
        )
        rows = [
            [name, *(_percent(cell.value) for cell in cells), _percent(mean.value)]
            for name, cells, mean in zip(matrix.rows, matrix.cells, matrix.row_means, strict=True)
        ]
        means = [_percent(mean.value) for mean in (*matrix.column_means, matrix.overall)]
        _table(page, ["", *map(_short, matrix.columns), "mean"], [*rows, ["mean", *means]])
        overall = matrix.overall
        page.line(
            f"all cells: {_percent(overall.value)}, 95% interval {_interval(page, overall.low, overall.high)} by"
            f" resampling {matrix.groups} questions"
        )
        for count, of, what in (
            (report.solving_passed, report.solving_groups, "solved in all four variants"),
            (report.checklist_passed, report.checklist_groups, "with every check passed"),
        ):
            if of:
                page.line(f"questions {what}: {count} of {of} ({_percent(count / of)})")
        for task, confusion in report.confusions.items():
            page.line(f"{_short(task)}: {_confusion_words(confusion)}")
        metrics = ", ".join(f"{_short(task)} {name}" for task, name in report.metrics.items())
        page.line(f"metrics: {metrics}", style="dim")


def _short(task: str) -> str:
    return task.removesuffix("_judging")


def _confusion_words(confusion: Mapping[str, Mapping[str, int]]) -> str:
    return "; ".join(
        f"{reference} called " + (", ".join(f"{said} {count}" for said, count in said_of.items()) or "nothing")
        for reference, said_of in confusion.items()
    )


def _table(page: Page, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints ``rows``; where they do not fit, a line each with the names: numbers cut in half would mislead."""
    fitted = [[page.fit(one_line(cell, 40)) for cell in row] for row in rows]
    texts = sum(name in ("", "critic", "subset", "type") for name in names)
    width = sum(max(map(len, column)) + 2 for column in zip(names, *fitted, strict=True)) - 2
    if width > page.console.width:
        for row in fitted:
            numbers = (f"{name} {cell}" for name, cell in zip(names[texts:], row[texts:], strict=True) if cell)
            page.line(f"{' '.join(row[:texts])}: {', '.join(numbers)}")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, name in enumerate(names):
        table.add_column(name, justify="left" if place < texts else "right", no_wrap=True)
    for row in fitted:
        table.add_row(*(Text(cell) for cell in row))
    page.console.print(table)


def _percent(share: float | None) -> str:
    return NONE if share is None else f"{100 * share:.1f}"


def _interval(page: Page, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return NONE
    return f"{_percent(low)}–{_percent(high)}" if page.unicode else f"{_percent(low)} to {_percent(high)}"
