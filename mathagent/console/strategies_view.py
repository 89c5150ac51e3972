"""What a person sees of the strategies: one table by kind; plain: a line each, for grep."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console

from mathagent.agents.strategy import Strategy
from mathagent.console.page import Page
from mathagent.console.strategy_settings import calls_words, needs_words, table_words
from mathagent.strategies import DEFAULT_STRATEGY

_ARXIV = re.compile(r"\d{4}\.\d{4,5}")
_ELSEWHERE = "other"
"""The kind of a strategy that states none, as one of another package may."""
_LEAST_WIDTH = 76  # columns: below, the table would be wrapped line by line


def show_strategies(console: Console, rows: Sequence[tuple[str, Strategy]]) -> None:
    """The table of strategies, each under its name: kind, calls at default settings, needs, papers, summary."""
    page = Page(console)
    if not page.styled or console.width < _LEAST_WIDTH:
        for name, one in rows:
            about = page.dot.join([one.summary + default_mark(name), *table_words(one), one.paper])
            page.parts((name, "bold"), (f"  {about}", "dim"), hang=4)
        return
    widest = max(len(name) for name, _ in rows) + 2
    calls_width = max(len(calls_words(one)) for _, one in rows)
    needs_width = max(len(_needed(one)) for _, one in rows) + 2
    for kind in sorted({one.kind or _ELSEWHERE for _, one in rows}):
        page.line(kind, style="bold underline")
        for name, one in rows:
            if (one.kind or _ELSEWHERE) != kind:
                continue
            unit = "call " if calls_words(one) == "1" else "calls"
            calls = f"{calls_words(one):>{calls_width}} {unit}   "
            page.parts(
                (f"  {name:<{widest}}", "bold cyan"),
                (f"{calls}{_needed(one):<{needs_width}}", ""),
                (f"{'' if one.training_free else 'trained':<9}{' '.join(_ARXIV.findall(one.paper))}", "dim"),
                hang=4,
            )
            page.line(one.summary + default_mark(name), style="dim", indent=4)
        page.line()
    page.line("calls: at default settings. trained: its paper trains models; here prompts take their part.", "dim")
    page.line("mathagent strategies show NAME: settings, paper and graph.", "dim")


def _needed(strategy: Strategy) -> str:
    words = needs_words(strategy)
    return "" if words in ("", "nothing") else words


def default_mark(name: str) -> str:
    """What is said of the strategy that a solve takes unless told otherwise."""
    return " (the default)" if name == DEFAULT_STRATEGY else ""
