"""The settings of a strategy, and what stands of it in the table of strategies, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mathagent.types import Value

if TYPE_CHECKING:
    from mathagent.agents.strategy import Strategy, StrategyConfig

_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


class Setting(Value):
    """One field of a strategy's config. ``type`` is in words: ``integer from 1 to 256``; ``default`` is JSON."""

    name: str
    type: str
    default: Any
    description: str


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


def calls_words(strategy: Strategy) -> str:
    """``1–2``: the samples of a solve with default settings, at least and at most; "" where nobody has said."""
    if strategy.calls is None:
        return ""
    least, most = strategy.calls
    return str(least) if least == most else f"{least}–{most}"


def needs_words(strategy: Strategy) -> str:
    """What it uses beside a chat model; "" where nobody has said."""
    return "" if strategy.needs is None else ", ".join(strategy.needs) or "nothing"


def table_words(strategy: Strategy) -> list[str]:
    """What the table of strategies says of it beside its name, summary and paper: only what is known."""
    calls, needs = calls_words(strategy), needs_words(strategy)
    return [
        *([strategy.kind] if strategy.kind else []),
        *([f"{calls} call{'' if calls == '1' else 's'}"] if calls else []),
        *([f"needs {needs}"] if needs else []),
        "training-free" if strategy.training_free else "its paper trains models",
    ]


def table_row(strategy: Strategy) -> dict[str, Any]:
    """The same as data."""
    return {
        "kind": strategy.kind,
        "calls": None
        if strategy.calls is None
        else dict(zip(("minimum", "maximum"), strategy.calls, strict=True)),
        "needs": None if strategy.needs is None else list(strategy.needs),
        "training_free": strategy.training_free,
    }


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
