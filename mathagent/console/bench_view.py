"""What a person sees of a benchmark: the progress of each arm, then the table of their summaries."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from mathagent.evals.metrics import Summary
from mathagent.evals.records import Record


class BenchProgress:
    """The progress bar of one arm, with its running score; a context manager."""

    def __init__(self, console: Console, strategy: str, total: int) -> None:
        self._right = self._graded = 0
        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[score]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task(strategy, total=total, score="")

    def __enter__(self) -> BenchProgress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def on_record(self, record: Record, known: bool) -> None:
        """Counts one record; ``known``: it stems from an earlier run."""
        self._right += record.outcome == "correct"
        self._graded += record.outcome in ("correct", "incorrect")
        score = f"{self._right}/{self._graded} right" if self._graded else ""
        self._bar.update(self._task, advance=1, score=score)
        if record.error is not None:
            self._bar.console.print(f"{record.problem_id}: {record.error}", markup=False, highlight=False)


def show_summaries(console: Console, summaries: Sequence[Summary]) -> None:
    """Prints one row an arm: accuracy with its 95% Wilson interval, costs a problem, failures by kind."""
    if not summaries:
        return
    first = summaries[0]
    console.print(f"{first.dataset} · {first.model}", style="bold", markup=False, highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("strategy", "n", "correct", "accuracy", "95% interval", "tokens", "calls", "seconds"):
        table.add_column(name, justify="left" if name == "strategy" else "right", no_wrap=True)
    for one in summaries:
        table.add_row(
            one.strategy,
            str(one.problems),
            str(one.correct),
            "–" if one.accuracy is None else f"{one.accuracy:.1%}",
            f"{one.low:.1%}–{one.high:.1%}",
            f"{one.completion_tokens:.0f}",
            f"{one.calls:.1f}",
            "cached" if one.seconds is None else f"{one.seconds:.1f}",
        )
    console.print(table)
    for one in summaries:
        console.print(f"not right, {one.strategy}: {_failures(one)}", markup=False, highlight=False)
    console.print("tokens (completion), calls and wall-clock seconds are means a problem", style="dim")


def _failures(summary: Summary) -> str:
    kinds = dict(summary.failures)
    if summary.undecided:
        kinds["undecided"] = summary.undecided
    return (
        ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items(), key=lambda item: -item[1])) or "none"
    )
