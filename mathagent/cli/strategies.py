"""mathagent strategies: list them, and show what one is: paper, settings and graph."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from mathagent.console.graph_view import graph_lines, graph_of, mermaid_of
from mathagent.console.page import Page
from mathagent.errors import UsageError
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.types import Value

if TYPE_CHECKING:
    from mathagent.agents.strategy import Strategy, StrategyConfig
    from mathagent.console.graph_layers import Graph

FORMS = ("text", "mermaid", "json")
INDENT = 2


class Setting(Value):
    """One field of a strategy's config. ``type`` is in words: ``integer from 1 to 256``; ``default`` is JSON."""

    name: str
    type: str
    default: Any
    description: str


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
                "default": name == DEFAULT_STRATEGY,
                "object": STRATEGIES.path(name),
            }
            for name, strategy in found
        ]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    page = Page(Console())
    page.table(
        [
            (name, page.dot.join([strategy.summary + _default_mark(name), strategy.paper]), "bold")
            for name, strategy in found
        ]
    )
    return 0


def show_command(name: str, *, config: Mapping[str, Any], form: str) -> int:
    """Prints what the strategy is, with ``config`` over its defaults; raises UsageError for a wrong name or value."""
    if form not in FORMS:
        raise UsageError(f"--format {form} is not known; it is one of {', '.join(FORMS)}")
    strategy: Strategy = STRATEGIES.load(name)
    configured = strategy.configure(config)
    if form == "mermaid":
        sys.stdout.write(mermaid_of(strategy, configured))
    elif form == "json":
        sys.stdout.write(json.dumps(_as_json(name, strategy, configured), indent=2, ensure_ascii=False) + "\n")
    else:
        _show(Page(Console()), name, strategy, configured)
    return 0


def described_settings(config: StrategyConfig) -> list[Setting]:
    """The fields of ``config``, with the values that it has as their defaults."""
    schema = type(config).model_json_schema()
    values = config.model_dump(mode="json")
    return [
        Setting(
            name=name,
            type=_type_words(about, schema.get("$defs", {})),
            default=values[name],
            description=about.get("description", ""),
        )
        for name, about in schema.get("properties", {}).items()
    ]


def _show(page: Page, name: str, strategy: Strategy, config: StrategyConfig) -> None:
    page.parts((name, "bold"), (_default_mark(name), "dim"))
    page.line(strategy.summary)
    page.line()
    page.field("paper", strategy.paper)
    page.field("object", STRATEGIES.path(name))
    for paragraph in _about(name).split("\n\n"):
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
        "default": name == DEFAULT_STRATEGY,
        "object": STRATEGIES.path(name),
        "about": _about(name),
        "settings": [one.model_dump(mode="json") for one in described_settings(config)],
        "graph": graph.model_dump(mode="json"),
        "mermaid": mermaid_of(strategy, config),
    }


def _default_mark(name: str) -> str:
    return " (the default)" if name == DEFAULT_STRATEGY else ""


def _about(name: str) -> str:
    """The docstring of the strategy's module: what is computed, and how."""
    module = import_module(STRATEGIES.path(name).partition(":")[0])
    return inspect.cleandoc(module.__doc__ or "")


_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def _type_words(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """A JSON schema in words, as far as settings use it."""
    if "$ref" in schema:
        return _type_words(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return " or ".join(_type_words(one, defs) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        choices = schema.get("enum", [schema.get("const")])
        return " or ".join(json.dumps(one, ensure_ascii=False) for one in choices)
    if schema.get("type") == "array":
        return f"list of {_type_words(schema.get('items', {}), defs)}"
    words = {"null": "null", "string": "text", "boolean": "true or false"}
    kind = words.get(schema.get("type", ""), schema.get("type", "any value"))
    if {"minimum", "maximum"} <= schema.keys():
        return f"{kind} from {schema['minimum']} to {schema['maximum']}"
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return " ".join([kind, " and ".join(bounds)]).rstrip()
