"""What a person sees of ``mathagent perturb`` and ``mathagent robustness``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mathagent.console.compare_words import bound, p_value, percent, points
from mathagent.console.page import Page
from mathagent.evals.perturb import Perturbation
from mathagent.evals.robustness import RobustnessReport, VariantDrop


def show_perturbation(console: Console, dataset: str, problems: int, result: Perturbation, path: Path) -> None:
    """Prints how many versions of each kind there are, and why the others are not."""
    page = Page(console)
    page.line(
        page.dot.join([dataset, f"{problems} problems", f"{len(result.made)} versions in {path}"]), style="bold"
    )
    made = Counter(one.kind for one in result.made)
    for kind, reasons in result.refused.items():
        page.line(f"{kind}: {made[kind]} made, {sum(reasons.values())} problems refused")
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
            page.line(f"{count} {reason}", style="dim", indent=2)


def show_robustness(console: Console, report: RobustnessReport) -> None:
    """Prints one row an arm and set of variants, then the spreads and what the irrelevant numbers did."""
    page = Page(console)
    if not page.styled:
        console.width = max(console.width, 200)  # what goes into a pipe is for programs, too: one line a row
    page.line(f"drop from {report.original}", style="bold")
    several = len({one.arm for one in report.variants}) > 1
    names = ["variant", "pairs", "before", "after", "drop", "95% interval", "p", "lost", "gained", "kept"]
    rows = [_row(page, one, several=several) for one in report.variants if one.drop is not None]
    _table(page, names, rows)
    for one in report.variants:
        _show_notes(page, one, several=several)
    page.line(
        "drop in points; lost: right before and wrong after, gained the reverse (as many of both is noise); kept: right"
        " after, of those right before",
        style="dim",
    )


def _name(one: VariantDrop, *, several: bool) -> str:
    return f"{one.arm}, {one.variant}" if several else one.variant


def _row(page: Page, one: VariantDrop, *, several: bool) -> list[str]:
    drop = one.drop
    assert drop is not None
    return [
        _name(one, several=several),
        str(drop.pairs),
        percent(drop.original),
        percent(drop.variant),
        points(page, drop.drop),
        bound(page, points(page, drop.low), points(page, drop.high)),
        p_value(drop.p),
        str(drop.lost),
        str(drop.gained),
        "-" if drop.kept is None else percent(drop.kept),
    ]


def _show_notes(page: Page, one: VariantDrop, *, several: bool) -> None:
    name = _name(one, several=several)
    if one.spread is not None:
        spread = one.spread
        ratio = (
            "" if spread.ratio is None else f", {spread.ratio:.2f} times the {_pts(spread.expected_sd)} of chance"
        )
        z = "" if spread.z is None else f"; the originals stand {spread.z:+.1f} SD from the mean"
        page.line(
            f"{name}: {spread.instances} data sets of {spread.templates} templates: mean {percent(spread.mean)},"
            f" {percent(spread.lowest)} to {percent(spread.highest)}, SD {_pts(spread.sd)}{ratio}{z};"
            f" {percent(spread.consistent)} of the templates always alike"
        )
    if one.distractors is not None:
        use = one.distractors
        share = "" if use.rate is None else f" ({percent(use.rate)})"
        page.line(f"{name}: {use.used} of {use.wrong} wrong answers used the irrelevant number{share}")
    if one.unpaired:
        page.line(f"{name}: {one.unpaired} items have no original among the records", style="magenta")


def _pts(share: float) -> str:
    return f"{100 * share:.1f} points"


def _table(page: Page, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for place, name in enumerate(names):
        justify: Literal["left", "right"] = "left" if place == 0 else "right"
        table.add_column(
            name, justify=justify, no_wrap=place > 0, overflow="fold", min_width=9 if place == 0 else 4
        )
    for row in rows:
        table.add_row(*(Text(page.fit(cell)) for cell in row))
    page.console.print(table)
