"""What a person sees of a benchmark: its progress by arm, then the table of the summaries, and what to do next."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console, ConsoleRenderable, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mathagent.console.bench_words import (
    accuracy_words,
    clock_words,
    count_words,
    dollar_words,
    failure_words,
    rate_words,
    shortened,
)
from mathagent.console.clean_text import one_line
from mathagent.console.report_words import without_seconds
from mathagent.evals.costs import costs_of
from mathagent.evals.metrics import ArmRecords, Summary, summarize
from mathagent.evals.metrics.arms import copies_words
from mathagent.evals.progress import Tally
from mathagent.evals.records import Record
from mathagent.types import Value

LINE_EVERY_S = 10.0
"""How often a line is written where nothing can be redrawn."""
SHOWN_ALIKE = 3
"""How many errors with the same words are shown."""


class BenchProgress:
    """The progress of a run, by arm and over all; a context manager. Redrawn on a terminal, elsewhere a line now and
    then.

    ``rows`` are the label and the number of attempts of each arm, ``row_of`` the row of each record by its key.
    """

    def __init__(
        self,
        console: Console,
        rows: Sequence[tuple[str, int]],
        row_of: Mapping[str, int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._row_of, self._clock = console, row_of, clock
        self.all = Tally("all", sum(total for _, total in rows), clock)
        self.arms = [Tally(label, total, clock) for label, total in rows]
        self._errors: Counter[str] = Counter()
        self._said, self._said_at = -1, 0.0
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> BenchProgress:
        self.all.begin()
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._console.is_terminal:
            self._live.stop()
        elif self.all.done and self._said != self.all.done:
            self._say()
        for message, count in self._errors.items():
            if count > SHOWN_ALIKE:
                self.note(f"{count} times: {message}")

    def on_record(self, record: Record, known: bool) -> None:
        """Counts one record; ``known``: it stems from an earlier run."""
        self.all.add(record, known)
        self.arms[self._row_of[record.key]].add(record, known)
        if record.error is not None:
            self._errors[record.error] += 1
            if self._errors[record.error] <= SHOWN_ALIKE:
                self.note(f"{record.problem_id}: {record.error}")
        if not (known or self._console.is_terminal):
            now = self._clock()
            if self._said < 0 or now - self._said_at >= LINE_EVERY_S:
                self._say()

    def note(self, message: str) -> None:
        """Writes a line above the progress."""
        self._console.print(one_line(message), markup=False, highlight=False, soft_wrap=True)

    def _say(self) -> None:
        self._said, self._said_at = self.all.done, self._clock()
        self.note(f"bench: {self._line()}")

    def _line(self) -> str:
        whole = self.all
        left = whole.seconds_left
        parts = [
            f"{whole.done}/{whole.total}",
            f"{accuracy_words(whole)} right",
            rate_words(whole.rate),
            "" if left is None or not whole.left else f"{clock_words(left)} left",
            f"{count_words(whole.tokens)} tokens",
            dollar_words(whole.dollars) if whole.priced else "",
            f"not right: {failure_words(whole.failures)}" if whole.failures else "",
        ]
        return " · ".join(part for part in parts if part)

    def _render(self) -> ConsoleRenderable:
        width, height = self._console.size
        shown = [one for one in self.arms if len(self.arms) == 1 or one.done or one is self._next()]
        hidden = max(0, len(shown) - max(1, height - 5))
        table = Table.grid(padding=(0, 2, 0, 0))
        # Two data sets by two strategies by two models have long names: the numbers must stay readable beside them.
        label_width = max(8, min(max(len(one.label) for one in [*self.arms, self.all]), width - 34))
        table.add_column(width=label_width, no_wrap=True, overflow="ellipsis")
        rows = [*shown[hidden:], *([self.all] if len(self.arms) > 1 else [])]
        for one in rows:
            table.add_row(shortened(one.label, label_width), *_cells(one, width - label_width))
        lines: list[ConsoleRenderable] = [table]
        if hidden:
            lines.insert(0, Text(f"({hidden} arms above)", style="dim"))
        if self.all.failures:
            failures = f"not right: {failure_words(self.all.failures)}"
            lines.append(Text(failures, style="dim", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)

    def _next(self) -> Tally | None:
        return next((one for one in self.arms if one.left), None)


def _cells(tally: Tally, room: int) -> list[ConsoleRenderable]:
    """The columns of one row, the most telling first, as many as there is room for."""
    left = tally.seconds_left
    texts = [
        (13, f"{tally.done}/{tally.total}"),
        (17, accuracy_words(tally)),
        (13, "–" if left is None else "done" if not tally.left else f"{clock_words(left)} left"),
        (10, rate_words(tally.rate)),
        (10, f"{count_words(tally.tokens)} tok"),
        (10, dollar_words(tally.dollars) if tally.priced else ""),
    ]
    cells: list[ConsoleRenderable] = []
    for width, text in texts:
        room -= width
        if room < 0:
            break
        cells.append(Text(text, no_wrap=True))
    if room >= 24:
        cells.append(ProgressBar(total=max(1, tally.total), completed=tally.done, width=min(30, room - 2)))
    return cells


class ArmLine(Value):
    """One row of the table: an arm's name, its numbers, and what it cost altogether (None: no price is known).

    ``copies``: the ids of items that stand several times in the data set, and count once.
    """

    name: str
    summary: Summary
    dollars: float | None
    copies: tuple[tuple[str, ...], ...] = ()

    def as_row(self) -> dict[str, Any]:
        """All of it as one flat row, for programs."""
        return {
            **self.summary.model_dump(),
            "name": self.name,
            "dollars": self.dollars,
            "copies": self.copies,
        }


def arm_line(arm: ArmRecords) -> ArmLine:
    """The row of one arm."""
    costs = costs_of(arm.records)
    summary = summarize(arm.records, strategy=arm.strategy, model=arm.model, dataset=arm.dataset)
    dollars = None if costs.unpriced else costs.dollars
    return ArmLine(name=arm.name, summary=summary, dollars=dollars, copies=arm.copies)


def show_summaries(console: Console, lines: Sequence[ArmLine]) -> None:
    """Prints one row an arm, by data set and model: accuracy with its 95% interval, costs, failures by kind."""
    for (dataset, model), group in groupby(lines, key=lambda one: (one.summary.dataset, one.summary.model)):
        _show_table(console, f"{dataset} · {model}", list(group))
    if lines:
        unit = "a problem" if all(one.summary.attempts == one.summary.problems for one in lines) else "an attempt"
        console.print(f"tokens (completion), calls, seconds (wall clock): means {unit}; $: in all", style="dim")


def _show_table(console: Console, title: str, lines: Sequence[ArmLine]) -> None:
    console.print(one_line(title), style="bold", markup=False, highlight=False)
    repeated = any(one.summary.attempts > one.summary.problems for one in lines)
    columns = [
        ("strategy", [one.name for one in lines]),
        ("n", [str(one.summary.problems) for one in lines]),
        ("attempts", [str(one.summary.attempts) for one in lines] if repeated else []),
        ("correct", [str(one.summary.correct) for one in lines]),
        ("accuracy", [_share(one.summary.accuracy) for one in lines]),
        ("95% interval", [f"{one.summary.low:.1%}–{one.summary.high:.1%}" for one in lines]),
        ("tokens", [f"{one.summary.completion_tokens:.0f}" for one in lines]),
        ("calls", [f"{one.summary.calls:.1f}" for one in lines]),
        ("seconds", [_seconds(one.summary) for one in lines]),
        ("$", [dollar_words(one.dollars) for one in lines]),
    ]
    shown = [(name, cells) for name, cells in columns if cells]
    if console.width < 40 + max(len(one.name) for one in lines):
        _show_blocks(console, shown)
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        shown = _fitting(shown, console.width)
        for name, _ in shown:
            table.add_column(name, justify="left" if name == "strategy" else "right", no_wrap=True)
        for row in zip(*(cells for _, cells in shown), strict=True):
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
    for one in lines:
        console.print(
            f"not right, {one.name}: {_failures(one.summary)}{_at_least(one.summary)}",
            markup=False,
            highlight=False,
        )
    for told in dict.fromkeys(copies_words(one.copies) for one in lines if one.copies):
        console.print(one_line(told), markup=False, highlight=False)


_Column = tuple[str, list[str]]


def _fitting(columns: Sequence[_Column], width: int) -> list[_Column]:
    """The columns that fit into ``width``: the least telling are left out, since numbers cut in half would mislead."""
    left = list(columns)
    for name in ("calls", "correct", "seconds", "tokens"):
        if sum(max(map(len, (heading, *cells))) + 2 for heading, cells in left) - 2 <= width:
            break
        left = [column for column in left if column[0] != name]
    return left


def _show_blocks(console: Console, columns: Sequence[_Column]) -> None:
    """The table for a narrow terminal: each arm a block of lines."""
    (_, names), *numbers = columns
    for row, name in enumerate(names):
        console.print(name, markup=False, highlight=False)
        for heading, cells in numbers:
            console.print(f"  {heading} {cells[row]}", markup=False, highlight=False)


def _share(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{accuracy:.1%}"


def _at_least(summary: Summary) -> str:
    """What attempts without a grade may hide."""
    if not summary.ungraded or summary.accuracy_at_least is None:
        return ""
    return f" (were the {summary.ungraded} without a grade wrong, accuracy {summary.accuracy_at_least:.1%})"


def _seconds(summary: Summary) -> str:
    return without_seconds(summary) if summary.seconds is None else f"{summary.seconds:.1f}"


def _failures(summary: Summary) -> str:
    others = {kind: count for kind, count in summary.failures.items() if kind != "undecided"}
    return failure_words({**others, **({"undecided": summary.undecided} if summary.undecided else {})})
