"""What a person sees of ``mathagent optimize-prompt``: the chosen text on both splits, and what that shows."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from rich.console import Console

from mathagent.console.compare_words import ALPHA, bound, p_words, percent, points
from mathagent.console.page import Page
from mathagent.evals.prompt_search import SearchResult
from mathagent.evals.prompt_search.result import Against, SplitScore, Tried

EMPTY = "(no text)"


def show_search(console: Console, result: SearchResult, path: Path) -> None:
    """Prints the chosen text, its scores beside those of the one to beat and of no text, and how to use it."""
    page = Page(console)
    page.line(
        page.dot.join(
            [
                f"{result.strategy}, {next(iter(result.settings))}",
                result.model,
                f"{result.texts} texts",
                f"{result.solves} solves",
            ]
        ),
        style="bold",
    )
    page.line(f"the best text: {result.chosen.text or EMPTY}")
    for name, one in (("chosen", result.chosen), ("to beat", result.baseline), ("no text", result.empty)):
        _show_row(page, name, one)
    for name, over in (("the text to beat", result.over_baseline), ("the empty text", result.over_empty)):
        page.line(_verdict(page, name, over))
    page.line(
        f"The train scores are those of the best of {result.texts} texts, and so too high; those of the validation"
        " problems are not.",
        style="dim",
    )
    if result.stopped:
        page.line(f"ended early: {result.stopped}", style="dim")
    if result.refused:
        page.line(
            f"{result.refused} edits were refused: none, known already, unfit, or quoting a problem", style="dim"
        )
    page.line(f"use it: {_use(result, path)}", style="dim")


def _use(result: SearchResult, path: Path) -> str:
    """The command that solves a problem as the search did: the text, and the other settings that it was tried with."""
    others = [
        f"--set {shlex.quote(f'{name}={value if isinstance(value, str) else json.dumps(value)}')}"
        for name, value in result.strategy_settings.items()
    ]
    given = ["-s", shlex.quote(result.strategy), "--set", f"@{path}", *others]
    return f"mathagent solve PROBLEM {' '.join(given)}"


def _show_row(page: Page, name: str, one: Tried) -> None:
    shown = [f"train {_score(page, one.train)}"]
    if one.validation is not None:
        shown.append(f"validation {_score(page, one.validation)}")
        shown.append(f"{one.validation.unread} unread, {one.validation.tokens:.0f} tokens")
    page.line(page.dot.join([f"{name}: {shown[0]}", *shown[1:]]), indent=2)


def _score(page: Page, score: SplitScore) -> str:
    interval = bound(page, percent(score.low), percent(score.high))
    return f"{percent(score.accuracy)} ({score.correct}/{score.problems}; {interval})"


def _verdict(page: Page, name: str, over: Against | None) -> str:
    if over is None:
        return f"It is {name} itself."
    shown = (
        f"{points(page, over.difference)} points ({bound(page, points(page, over.low), points(page, over.high))})"
    )
    told = f"{over.test}, {p_words('p', over.p)}"
    if over.p >= ALPHA:
        return f"On the validation problems not told apart from {name}: {shown}, {told}."
    return (
        f"On the validation problems {'better' if over.difference > 0 else 'worse'} than {name}: {shown}, {told}."
    )
