"""The schema of a typed reply: what a model is told, and what of its reply is put right."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from mathagent.agents.reply_schema import describe, fit, labels, wire_schema
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
    with pytest.raises(TypeError, match="refer to itself"):
        wire_schema(Node)


class Node(Value):
    children: tuple[Node, ...] = ()


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


@pytest.mark.parametrize(
    ("value", "fitted"),
    [
        ({"Score": "90%", "Step": "Step 3 (the sum)"}, {"score": 0.9, "step": 3}),
        ({"score": "9/10", "step": "none of the 4"}, {"score": 0.9, "step": None}),
        ({"score": "0.9 out of 1", "step": "step-2"}, {"score": 0.9, "step": 2}),
        ({"score": 1, "answer": 42}, {"score": 1, "answer": "42"}),
        ({"score": 1, "answer": "N/A"}, {"score": 1, "answer": None}),
        ({"score": 1, "answer": "no solution"}, {"score": 1, "answer": "no solution"}),
        ({"score": 1, "reasons": "one"}, {"score": 1, "reasons": ["one"]}),
        ({"score": 1, "reasons": None, "confidence": 7}, {"score": 1, "reasons": []}),
        ({"name": "reply", "arguments": {"score": 0.5}}, {"score": 0.5}),
        ({"score": 1, "reasons": list("abcd")}, {"score": 1, "reasons": ["a", "b", "c"]}),
        ({"a": {"b": {"score": 1}}}, {}),
        ({"score": "high"}, {"score": "high"}),
        ("text", "text"),
    ],
)
def test_fit(value: Any, fitted: object) -> None:
    assert fit(value, wire_schema(Plain)) == fitted


def test_fit_of_lists_of_variants() -> None:
    schema = wire_schema(Proposal)
    written = {
        "verdict": "Not sure.",
        "checks": {"Kind": "RANGE", "low": "1", "high": "null", "why": "because"},
    }
    fitted = fit(written, schema)
    assert fitted == {"verdict": "not-sure", "checks": [{"kind": "range", "low": 1, "high": None}]}
    assert fit([{"kind": "substitution", "equation": ["x", "= 1"]}], schema) == {
        "checks": [{"kind": "substitution", "equation": "x\n= 1"}]
    }
