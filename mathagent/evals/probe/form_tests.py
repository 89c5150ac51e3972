"""Tests of the forms that a reply can be held to: JSON, a schema, a grammar, a regular expression, a tool call."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import JsonValue

from mathagent.evals.probe.asking import Asking, Outcome, no, shown, yes
from mathagent.models.base import ToolSpec

SUBJECTS = ("river Nile", "river Danube")
SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "kilometres": {"type": "integer"},
        "large": {"type": "boolean"},
        "places": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
    },
    "required": ["kilometres", "large", "places"],
    "additionalProperties": False,
}
COLOURS = ("red", "blue")
GRAMMAR = 'root ::= "red" | "blue"'
PATTERN = r"[A-Z]{3}-\d{2}"
TOOL = ToolSpec(
    name="add_integers",
    description="Adds two whole numbers.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
)
NUMBERS = {"a": 17, "b": 25}


async def json_object(asking: Asking) -> Outcome:
    """JSON mode: some object, whatever is in it."""
    found = await asking.reply("facts", {"subject": SUBJECTS[0]}, json_schema={"type": "object"})
    if isinstance(_parsed(found.text), dict):
        return yes("the reply is a JSON object")
    return no(f"the reply is no JSON object: {shown(found.text)}")


async def json_schema(asking: Asking) -> Outcome:
    """A reply of a given schema, to two questions."""
    for subject in SUBJECTS:
        found = await asking.reply("facts", {"subject": subject}, json_schema=SCHEMA)
        if found.finish_reason == "length":
            return no(f"the reply did not end within {found.usage.completion_tokens} tokens", "json_schema")
        if not _fits(_parsed(found.text)):
            return no(f"the reply does not fit the schema: {shown(found.text)}", "json_schema")
    return yes("both replies fit the schema", "json_schema")


def _fits(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"kilometres", "large", "places"}
        and type(value["kilometres"]) is int
        and type(value["large"]) is bool
        and isinstance(value["places"], list)
        and 1 <= len(value["places"]) <= 2
        and all(isinstance(one, str) for one in value["places"])
    )


async def grammar(asking: Asking) -> Outcome:
    """A reply of a grammar (GBNF), where the question asks for something else."""
    found = (await asking.reply("choice", grammar=GRAMMAR, max_tokens=16)).text
    if found in COLOURS:
        return yes("the reply is of the grammar", "grammar")
    return no(f"the reply is not of the grammar: {shown(found)}", "grammar")


async def regular_expression(asking: Asking) -> Outcome:
    """A reply that matches a regular expression, where the question asks for something else."""
    found = (await asking.reply("choice", regex=PATTERN, max_tokens=16)).text
    if re.fullmatch(PATTERN, found):
        return yes("the reply matches", "regex")
    return no(f"the reply does not match: {shown(found)}", "regex")


async def tool_call(asking: Asking) -> Outcome:
    """A call of the tool that the question names, with the right arguments."""
    found = await asking.reply("tool", {**NUMBERS, "tool": TOOL.name}, tools=(TOOL,))
    if not found.tool_calls:
        return no(f"it wrote text instead: {shown(found.text)}", "tool_calls")
    call = found.tool_calls[0]
    if call.name != TOOL.name or _parsed(call.arguments) != NUMBERS:
        return no(f"it called {shown(f'{call.name}({call.arguments})')}", "tool_calls")
    return yes("it called the tool with the right arguments", "tool_calls")


def _parsed(text: str) -> Any:
    """``text`` as JSON; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
