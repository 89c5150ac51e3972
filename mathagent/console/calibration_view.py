"""What a person sees of ``mathagent calibrate``: a row for each backend, strategy and settings."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.scorers.calibration import Calibration, Quality
from mathagent.types import Value

COLUMNS = ("strategy", "answers", "none", "right", "Brier", "ECE", "AURC")


class CalibrationRow(Value):
    """The answers that there were, and their calibration or (``skipped``) why there is none.

    ``unanswered`` problems had no answer; ``stored`` is the file that holds the calibration, if any.
    """

    strategy: str
    model: str
    answers: int
    unanswered: int
    right: int
    calibration: Calibration | None = None
    skipped: str = ""
    stored: str = ""


def show_calibrations(console: Console, rows: Sequence[CalibrationRow]) -> None:
    """Prints the rows, then what each rests on and where it was stored."""
    page = Page(console)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "strategy" else "right", no_wrap=name != "strategy")
    arrow = "→" if page.unicode else "->"
    for row in rows:
        share = f"{row.right / row.answers:.1%}" if row.answers else "-"
        found = row.calibration
        pairs = ["-"] * 3 if found is None else _pairs(found.before, found.after, f" {arrow} ")
        cells = [one_line(row.strategy, 40), str(row.answers), str(row.unanswered), share, *pairs]
        table.add_row(*(Text(page.fit(cell)) for cell in cells))
    console.print(table)
    page.line(f"before {arrow} after calibration, by cross-validation; less is better", style="dim")
    for row in rows:
        what = f"{one_line(row.strategy)} with {one_line(row.model)}"
        found = row.calibration
        if found is None:
            page.line(f"{what}: not calibrated, {row.skipped}")
        else:
            page.line(f"{what}: rests on {found.fit.basis}; {row.stored or 'not stored'}")


def _pairs(before: Quality, after: Quality, arrow: str) -> list[str]:
    both = [(before.brier, after.brier), (before.ece, after.ece), (before.aurc, after.aurc)]
    return [f"{one:.3f}{arrow}{other:.3f}" for one, other in both]
