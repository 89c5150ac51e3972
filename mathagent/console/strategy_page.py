"""The page of a strategy as Markdown: its table row, its docstring, its settings and its graph (docs/strategies/)."""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from typing import TYPE_CHECKING

from mathagent.console.graph_view import graph_of
from mathagent.console.strategy_settings import calls_words, described_settings, needs_words
from mathagent.strategies import STRATEGIES

if TYPE_CHECKING:
    from mathagent.agents.strategy import Strategy, StrategyConfig
    from mathagent.console.graph_layers import Graph


def about(name: str) -> str:
    """The docstring of the strategy's module: what is computed, and how."""
    module = import_module(STRATEGIES.path(name).partition(":")[0])
    return inspect.cleandoc(module.__doc__ or "")


def strategy_page(name: str, strategy: Strategy, config: StrategyConfig) -> str:
    """The whole page of ``strategy``, called ``name``, with the values of ``config``."""
    rows = {
        "paper": strategy.paper,
        "kind": strategy.kind or "",
        "calls at default": calls_words(strategy),
        "needs": needs_words(strategy),
        "training-free": "yes"
        if strategy.training_free
        else "no: the paper trains models; here prompts take their part",
        "code": f"`{STRATEGIES.path(name)}`",
        "prompts": ", ".join(f"`{prompt}`" for prompt in sorted(set(strategy.prompts))),
    }
    settings = [
        f"| `{one.name}` | {_cell(one.type)} | `{_cell(json.dumps(one.default, ensure_ascii=False))}` |"
        f" {_cell(one.description)} |"
        for one in described_settings(config)
    ]
    quoted = f"'{name}'" if re.search(r"[^\w-]", name) else name
    return "\n".join(
        [
            f"# {name}",
            strategy.summary,
            "",
            "```console",
            f'$ mathagent solve --strategy {quoted} "What is 6*7?"',
            "```",
            "",
            "| | |",
            "|---|---|",
            *(f"| {label} | {_cell(value)} |" for label, value in rows.items() if value),
            "",
            "## What it does",
            about(name),
            "",
            "## Settings",
            "Given with `--set name=value`, or in brackets behind the name.",
            "",
            "| setting | type | default | |",
            "|---|---|---|---|",
            *settings,
            "",
            "## Graph",
            "```mermaid",
            *mermaid_lines(graph_of(strategy, config)),
            "```",
            "",
        ]
    )


def mermaid_lines(graph: Graph) -> list[str]:
    """``graph`` as a Mermaid flowchart, in an order that does not change from run to run. Pure."""
    place = {node.id: number for number, node in enumerate(graph.nodes)}
    shapes = {"start": "([{}])", "end": "([{}])", "step": "[{}]"}
    nodes = [
        f"  n{place[node.id]}{shapes[node.kind].format(json.dumps(node.label, ensure_ascii=False))}"
        for node in graph.nodes
    ]
    edges = []
    for edge in sorted(graph.edges, key=lambda one: (place[one.source], place[one.target])):
        arrow = "-.->" if edge.conditional else "-->"
        label = f"|{json.dumps(edge.label, ensure_ascii=False)}|" if edge.label else ""
        edges.append(f"  n{place[edge.source]} {arrow}{label} n{place[edge.target]}")
    return ["flowchart TD", *nodes, *edges]


def _cell(text: str) -> str:
    """``text`` as it may stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
