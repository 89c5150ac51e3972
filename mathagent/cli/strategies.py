"""mathagent strategies: the table of them, and what one is: paper, settings and graph."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from mathagent.agents.composition_text import canonical
from mathagent.console.graph_view import graph_lines, graph_of, mermaid_of
from mathagent.console.page import Page
from mathagent.console.strategies_view import default_mark, show_strategies
from mathagent.console.strategy_page import about, strategy_page
from mathagent.console.strategy_settings import described_settings, table_row, table_words
from mathagent.errors import UsageError
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES

if TYPE_CHECKING:
    from mathagent.agents.strategy import Strategy, StrategyConfig
    from mathagent.console.graph_layers import Graph

FORMS = ("text", "mermaid", "json", "markdown")
INDENT = 2


def list_command(*, as_json: bool) -> int:
    """Prints the strategies; one that cannot be loaded is reported on stderr, and the others are listed."""
    found: list[tuple[str, Strategy]] = []
    for name in STRATEGIES.names():
        try:
            found.append((name, STRATEGIES.load(name)))
        except UsageError as error:
            typer.echo(f"mathagent: {error}", err=True)
    if as_json:
        rows = [
            {
                "name": name,
                "summary": strategy.summary,
                "paper": strategy.paper,
                **table_row(strategy),
                "default": name == DEFAULT_STRATEGY,
                "object": STRATEGIES.path(name),
            }
            for name, strategy in found
        ]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    show_strategies(Console(), found)
    return 0


def show_command(name: str, *, config: Mapping[str, Any], form: str) -> int:
    """Prints what the strategy is, with ``config`` over its defaults; raises UsageError for a wrong name or value."""
    if form not in FORMS:
        raise UsageError(f"--format {form} is not known; it is one of {', '.join(FORMS)}")
    name = canonical(name)
    strategy: Strategy = STRATEGIES.load(name)
    configured = strategy.configure(config)
    if form == "mermaid":
        sys.stdout.write(mermaid_of(strategy, configured))
    elif form == "markdown":
        sys.stdout.write(strategy_page(name, strategy, configured))
    elif form == "json":
        sys.stdout.write(json.dumps(_as_json(name, strategy, configured), indent=2, ensure_ascii=False) + "\n")
    else:
        _show(Page(Console()), name, strategy, configured)
    return 0


def _show(page: Page, name: str, strategy: Strategy, config: StrategyConfig) -> None:
    page.parts((name, "bold"), (default_mark(name), "dim"))
    page.line(strategy.summary)
    page.line()
    page.field("paper", strategy.paper)
    page.field("table", page.dot.join(table_words(strategy)))
    page.field("object", STRATEGIES.path(name))
    for paragraph in about(name).split("\n\n"):
        page.line()
        page.prose(" ".join(paragraph.split()), indent=0)
    page.line()
    page.line("Settings, given with --set name=value:", style="bold")
    page.table(
        [
            (one.name, f"{one.type}; default {json.dumps(one.default, ensure_ascii=False)}. {one.description}", "")
            for one in described_settings(config)
        ]
    )
    page.line()
    page.line("Graph:", style="bold")
    for line in graph_lines(graph_of(strategy, config), page.width - INDENT, unicode=page.draws_boxes):
        page.line(line, indent=INDENT)


def _as_json(name: str, strategy: Strategy, config: StrategyConfig) -> dict[str, Any]:
    graph: Graph = graph_of(strategy, config)
    return {
        "name": name,
        "summary": strategy.summary,
        "paper": strategy.paper,
        **table_row(strategy),
        "default": name == DEFAULT_STRATEGY,
        "object": STRATEGIES.path(name),
        "about": about(name),
        "settings": [one.model_dump(mode="json") for one in described_settings(config)],
        "graph": graph.model_dump(mode="json"),
        "mermaid": mermaid_of(strategy, config),
    }
