"""What a person sees of ``mathagent compare``: the arms, the differences, and on which items they differ."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mathagent.console.clean_text import one_line
from mathagent.console.compare_words import (
    bound,
    equal_token_sentence,
    overuse_sentence,
    p_value,
    percent,
    points,
    power_sentence,
    verdict_sentence,
)
from mathagent.console.page import Page
from mathagent.console.report_words import without_seconds
from mathagent.evals.comparison import ComparedArm, Comparison, Flip, PairComparison
from mathagent.evals.metrics.paired import GroupDifference


def show_comparison(console: Console, comparison: Comparison, *, flips: int = 10) -> None:
    """Prints the whole; at most ``flips`` items each way a pair (0: none)."""
    page = Page(console)
    for dataset in dict.fromkeys(arm.dataset for arm in comparison.arms):
        _show_arms(page, dataset, [arm for arm in comparison.arms if arm.dataset == dataset])
    _show_differences(page, comparison)
    for pair in comparison.pairs:
        _show_pair(page, pair, len(comparison.pairs), flips)
    page.line()
    for note in comparison.notes:
        page.line(f"note: {note}", style="magenta")
    ungraded = "count as wrong" if comparison.ungraded == "wrong" else "are left out"
    page.line(
        f"intervals are 95%; tokens are completion tokens; undecided grades and failed solves {ungraded}; attempts out"
        f" of time are wrong; seed {comparison.seed}",
        style="dim",
    )


def _show_arms(page: Page, dataset: str, arms: Sequence[ComparedArm]) -> None:
    models = {arm.model for arm in arms}
    page.line(page.dot.join([dataset, *models]) if len(models) == 1 else dataset, style="bold")
    rows = []
    for arm in arms:
        one, per_solved = arm.summary, arm.tokens_per_solved
        rows.append(
            [
                arm.name,
                str(one.problems),
                "-" if one.accuracy is None else percent(one.accuracy),
                "-" if one.accuracy is None else bound(page, percent(one.low), percent(one.high)),
                f"{one.completion_tokens:.0f}",
                "-" if per_solved is None else f"{per_solved.tokens:.0f}",
                without_seconds(one) if one.seconds is None else f"{one.seconds:.1f}",
            ]
        )
    _table(page, ["arm", "items", "accuracy", "interval", "tokens", "per solved", "seconds"], rows)
    for arm in arms:
        _show_error(page, arm)
        _show_curve(page, arm)
    _show_confidence(page, arms)
    page.line()


def _show_error(page: Page, arm: ComparedArm) -> None:
    one = arm.summary
    notes = list(arm.notes)
    if one.standard_error is not None and one.clusters < one.scored:
        notes.insert(0, f"{one.clusters} families: clustered standard error {100 * one.standard_error:.1f} points")
    if one.ungraded:
        at_least = "" if one.accuracy_at_least is None else f"accuracy {percent(one.accuracy_at_least)}"
        notes.append(f"were all of them wrong: {at_least}")
    if notes:
        page.line(f"{arm.name}: {'; '.join(notes)}", style="magenta")


def _show_curve(page: Page, arm: ComparedArm) -> None:
    if arm.curve is None:
        return
    curve = arm.curve
    left = f", {curve.left_out} items with fewer left out" if curve.left_out else ""
    page.line(f"{arm.name}: {curve.attempts} attempts at each of {curve.items} items{left}", style="dim")
    rows = []
    for point in curve.points:
        best = point.best_of
        rows.append(
            [
                str(point.k),
                percent(point.oracle.mean),
                bound(page, percent(point.oracle.low), percent(point.oracle.high)),
                percent(point.majority.mean),
                "-" if best is None else percent(best.mean),
                f"{100 * point.selection_gap:.1f}",
                percent(point.reliability),
                f"{point.completion_tokens:.0f}",
            ]
        )
    _table(page, ["k", "pass@k", "interval", "maj@k", "best@k", "gap", "all@k", "tokens"], rows, indent=2)
    error = max(point.vote_error for point in curve.points)
    if error:
        page.line(
            f"maj@k was partly drawn: standard error at most {100 * error:.1f} points", style="dim", indent=2
        )
    if arm.variance is not None:
        between, within = (100 * part**0.5 for part in (arm.variance.between, arm.variance.within))
        page.line(
            f"standard error: {between:.1f} points from the choice of items, {within:.1f} from sampling",
            style="dim",
            indent=2,
        )
    law, forecast = arm.law, arm.forecast
    if law is not None:
        page.line(
            f"coverage law exp({law.a:.3g} k^{law.b:.3g}), R² {law.r_squared:.2f}, fitted to k = 1 to {law.largest_k}",
            style="dim",
            indent=2,
        )
    if forecast is not None:
        band = bound(page, percent(forecast.low), percent(forecast.high))
        page.line(
            f"by this law pass@{forecast.k} would be {percent(forecast.coverage)} ({band});"
            f" {percent(forecast.unsolved)} of the items were never solved",
            style="dim",
            indent=2,
        )


def _show_confidence(page: Page, arms: Sequence[ComparedArm]) -> None:
    known = [(arm.name, arm.confidence) for arm in arms if arm.confidence is not None]
    if not known:
        return
    rows = [
        [
            name,
            str(one.answers),
            str(one.unanswered),
            f"{one.brier:.3f}",
            f"{one.ece:.3f}",
            f"{one.aurc:.3f}",
            *(percent(share) for share in one.selective.values()),
        ]
        for name, one in known
    ]
    surest = [f"at {float(name):.0%}" for name in known[0][1].selective]
    _table(page, ["confidence", "answers", "none", "Brier", "ECE", "AURC", *surest], rows)
    page.line("at 50%: the accuracy of the surest half of the answers", style="dim")


def _show_differences(page: Page, comparison: Comparison) -> None:
    several = len(comparison.pairs) > 1
    corrected = ["Holm p"] if several else []
    rows = []
    for pair in comparison.pairs:
        one = pair.difference
        rows.append(
            [
                f"{pair.second} vs {pair.first}",
                str(one.items),
                points(page, one.difference),
                bound(page, points(page, one.low, sign=False), points(page, one.high, sign=False)),
                f"{one.better}/{one.worse}",
                p_value(one.p),
                *([p_value(pair.p_holm)] if several else []),
            ]
        )
    page.line("differences on common items", style="bold")
    _table(page, ["arms", "items", "points", "interval", "better/worse", "p", *corrected], rows)
    if several:
        page.line(f"Holm p: corrected for {len(comparison.pairs)} comparisons", style="dim")


def _show_pair(page: Page, pair: PairComparison, comparisons: int, flips: int) -> None:
    page.line()
    where = f"{pair.dataset}: " if comparisons > 1 else ""
    page.line(f"{where}{pair.second} vs {pair.first}", style="bold")
    page.line(verdict_sentence(page, pair, comparisons))
    page.line(power_sentence(page, pair))
    for note in (equal_token_sentence(page, pair), overuse_sentence(pair), *_left_out(pair), *pair.notes):
        if note:
            page.line(note, style="magenta")
    for grouping, rows in pair.groups.items():
        _show_groups(page, pair, grouping, rows)
    for title, listed in ((f"{pair.second} is better on", pair.gained), (f"{pair.second} is worse on", pair.lost)):
        if listed and flips:
            _show_flips(page, f"{title} {len(listed)}", listed, flips, pair)


def _left_out(pair: PairComparison) -> list[str]:
    counts = [
        (pair.only_first, f"only {pair.first} has tried"),
        (pair.only_second, f"only {pair.second} has tried"),
        (pair.edited, "were edited between the two (same id, other question, choices or reference)"),
        (pair.ungraded, "have no grade in one of them"),
    ]
    told = [f"{count} {why}" for count, why in counts if count]
    return [f"items not compared: {'; '.join(told)}"] if told else []


def _show_groups(page: Page, pair: PairComparison, grouping: str, rows: Sequence[GroupDifference]) -> None:
    cells = [
        [
            one_line(row.name, 28),
            str(row.items),
            percent(row.first),
            percent(row.second),
            points(page, row.difference),
            bound(page, points(page, row.low, sign=False), points(page, row.high, sign=False)),
            p_value(row.p_holm),
        ]
        for row in rows
    ]
    sides = [one_line(name, 12) for name in (pair.first, pair.second)]
    _table(page, [f"by {grouping}", "items", *sides, "points", "interval", "Holm p"], cells, indent=2)


def _show_flips(page: Page, title: str, flips: Sequence[Flip], most: int, pair: PairComparison) -> None:
    page.line(f"{title}:", indent=2)
    rows = [
        [one_line(flip.problem_id, 28), *(page.math(one_line(text, 18)) for text in _answers(flip))]
        for flip in flips[:most]
    ]
    _table(page, ["item", "right", one_line(pair.first, 18), one_line(pair.second, 18)], rows, indent=4)
    if len(flips) > most:
        page.line(f"and {len(flips) - most} more (--flips {len(flips)})", style="dim", indent=4)


def _answers(flip: Flip) -> tuple[str, str, str]:
    """The reference and each arm's answer, or the share of its attempts that is right."""
    sides = ((flip.first_answers, flip.first_score), (flip.second_answers, flip.second_score))
    first, second = (
        (answers[0] or "none") if len(answers) == 1 else f"{percent(score)} right" for answers, score in sides
    )
    return flip.reference, first, second


def _table(page: Page, names: Sequence[str], rows: Sequence[Sequence[str]], *, indent: int = 0) -> None:
    """Prints rows under their names: names of arms and items to the left, numbers to the right.

    Where a terminal is too narrow the first column is folded; what goes into a pipe has one line a row, however long.
    """
    lefts = [place == 0 or names[0] == "item" for place in range(len(names))]
    cells = [[page.fit(cell) for cell in row] for row in [names, *rows]]
    if not page.styled:
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            padded = [
                cell + " " * (width - cell_len(cell)) if left else " " * (width - cell_len(cell)) + cell
                for cell, width, left in zip(row, widths, lefts, strict=True)
            ]
            page.line("  ".join(padded), indent=indent)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, (name, left) in enumerate(zip(cells[0], lefts, strict=True)):
        table.add_column(
            Text(name), justify="left" if left else "right", no_wrap=place > 0, overflow="fold", min_width=4
        )
    for row in cells[1:]:
        table.add_row(*map(Text, row))
    page.console.print(Padding(table, (0, 0, 0, indent), expand=False))
