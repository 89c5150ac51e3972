"""The schema of a typed reply: what a model is told."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from mathagent.agents.reply_schema import describe, labels, wire_schema
from mathagent.types import Value


class Substitution(Value):
    kind: Literal["substitution"] = "substitution"
    equation: str = Field(description="the equation")


class Range(Value):
    kind: Literal["range"] = "range"
    low: float
    high: float | None = None


class Proposal(Value):
    verdict: Literal["correct", "not-sure"]
    checks: tuple[Annotated[Substitution | Range, Field(discriminator="kind")], ...] = Field(max_length=3)


class Plain(Value):
    score: float = Field(ge=0, le=1, description="how likely")
    step: int | None = None
    answer: str | None = None
    right: bool = True
    reasons: tuple[str, ...] = Field(default=(), max_length=3)


def test_wire_schema_is_what_all_servers_understand() -> None:
    schema = wire_schema(Proposal)
    assert list(schema["properties"]) == ["reasoning", "verdict", "checks"]
    assert schema["required"] == ["reasoning", "verdict", "checks"]
    checks = schema["properties"]["checks"]
    assert checks["maxItems"] == 3
    first, second = checks["items"]["anyOf"]
    assert first == {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["substitution"]},
            "equation": {"type": "string", "description": "the equation"},
        },
        "required": ["kind", "equation"],
        "additionalProperties": False,
    }
    assert second["properties"]["high"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}

    def keys(part: Any) -> set[str]:
        if isinstance(part, dict):
            named = set().union(*map(keys, part.get("properties", {}).values()))
            return {key for key in part if key != "properties"}.union(
                named, *(keys(one) for key, one in part.items() if key != "properties")
            )
        return set().union(*map(keys, part)) if isinstance(part, list) else set()

    assert not keys(schema) & {"$ref", "$defs", "oneOf", "discriminator", "title", "default", "const", "minimum"}


def test_reply_types_that_cannot_be() -> None:
    class Reasoned(Value):
        reasoning: str

    with pytest.raises(TypeError, match="no field 'reasoning'"):
        wire_schema(Reasoned)


class Node(Value):
    children: tuple[Node, ...] = ()


class Kinds(Value):
    pair: tuple[int, int]
    mixed: tuple[int, str]
    counts: dict[str, list[int]]
    day: date
    any: Any
    size: Literal[1, "two", None]


def test_a_type_that_refers_to_itself_is_cut_there() -> None:
    schema = wire_schema(Node)["properties"]["children"]
    inner = (
        schema["items"]["properties"]["children"]["items"] if "properties" in schema["items"] else schema["items"]
    )
    assert inner == {"type": "object", "description": "again a Node"}
    assert "again a Node" in describe(wire_schema(Node))


def test_pairs_mappings_dates_and_anything() -> None:
    properties = wire_schema(Kinds)["properties"]
    assert properties["pair"] == {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer"}}
    assert properties["mixed"]["prefixItems"] == [{"type": "integer"}, {"type": "string"}]
    assert properties["counts"]["additionalProperties"] == {"type": "array", "items": {"type": "integer"}}
    text = describe(wire_schema(Kinds))
    for line in (
        '"pair": [<whole number>, <whole number>]',
        '"mixed": [<whole number>, "<text>"]',
        '"counts": {"<key>": [<whole number>, ...], ...}',
        '"day": "<a date as 2024-05-31>"',
        '"any": <any JSON value>',
        '"size": 1 or "two" or null',
    ):
        assert line in text
    assert labels(wire_schema(Kinds)) is None


def test_described_for_a_model() -> None:
    text = describe(wire_schema(Proposal))
    assert text.splitlines()[1].startswith('  "reasoning": "<think here first')
    assert '"verdict": "correct" or "not-sure"' in text
    assert '{"kind": "substitution", "equation": "<the equation>"}\n    or {"kind": "range"' in text
    assert '"score": <number: how likely>' in describe(wire_schema(Plain))
    assert '"step": <whole number> or null' in describe(wire_schema(Plain))


def test_labels_are_for_plain_values() -> None:
    assert labels(wire_schema(Proposal)) is None
    lines = labels(wire_schema(Plain))
    assert lines is not None
    assert list(lines) == ["reasoning", "score", "step", "answer", "right", "reasons"]
    assert lines["step"] == "<whole number> or none"
