"""The schema of a typed reply: as a model is told it, and how what it wrote is fitted to it. Pure.

``wire_schema`` is what servers that hold a model to a schema understand in common: no references, no ranges, every
property required, the reasoning first. ``describe`` is the same for a model to read. ``fit`` forgives what says clearly
enough what is meant; whether it is valid is for the reply's type to say.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic import JsonValue

from mathagent.types import Value

REASONING = "reasoning"
REASONING_TEXT = "think here first, step by step, in a few sentences"

MAX_LITERAL = 200
"""Characters of a text that may still be a number or a word for nothing."""

Schema = dict[str, Any]

_KEPT_KEYS = ("type", "description", "minItems", "maxItems")
_NOTHING = re.compile(r"\W*(?:(?:none|null|nil|n/?a|nothing)\b)?\W*", re.IGNORECASE)
_BEGINS_WITH_NONE = re.compile(r"\W{0,8}(?:none|null|no)\b", re.IGNORECASE)
_WHOLE = re.compile(r"(?<!\w)[-+]?\d+(?:\.0*)?(?![\d.])")
_FIGURE = re.compile(r"(?<!\w)[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_SHARE = re.compile(rf"({_FIGURE.pattern})\s*(?:(%|percent\b)|(?:/|out of)\s*(\d+))?")


@cache
def wire_schema(kind: type[Value]) -> Schema:
    """The JSON schema of ``kind`` with the reasoning as its first property; treat it as immutable.

    Raises TypeError where ``kind`` has a field of that name or refers to itself.
    """
    whole = kind.model_json_schema()
    schema = _inlined(whole, whole.get("$defs", {}), ())
    if REASONING in schema["properties"]:
        raise TypeError(f"{kind.__name__} may have no field '{REASONING}': every reply begins with one")
    properties = {REASONING: {"type": "string", "description": REASONING_TEXT}, **schema["properties"]}
    return _object(properties)


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _inlined(schema: Schema, definitions: dict[str, Schema], inside: tuple[str, ...]) -> Schema:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name in inside:
            raise TypeError(f"a reply's type may not refer to itself: {name}")
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        return _inlined(definitions[name] | siblings, definitions, (*inside, name))
    variants = schema.get("anyOf") or schema.get("oneOf")
    if variants:
        described = {"description": schema["description"]} if "description" in schema else {}
        return {"anyOf": [_inlined(one, definitions, inside) for one in variants], **described}
    if "properties" in schema:
        properties = {name: _inlined(one, definitions, inside) for name, one in schema["properties"].items()}
        return _object(properties)
    kept = {key: schema[key] for key in _KEPT_KEYS if key in schema}
    if "const" in schema or "enum" in schema:
        return {**kept, "enum": schema.get("enum") or [schema["const"]]}
    if "items" in schema:
        kept["items"] = _inlined(schema["items"], definitions, inside)
    return kept


def describe(schema: Schema) -> str:
    """The form of a reply as an example object whose values say what belongs there."""
    lines = [f'  "{name}": {_described(one)}' for name, one in schema["properties"].items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _described(schema: Schema) -> str:
    if "anyOf" in schema:
        variants = [one for one in schema["anyOf"] if one.get("type") != "null"]
        texts = [_described({"description": schema.get("description"), **one}) for one in variants]
        nullable = ["null"] if len(variants) < len(schema["anyOf"]) else []
        objects = any("properties" in one for one in variants)
        return ("\n    or " if objects else " or ").join([*texts, *nullable])
    if "enum" in schema:
        return " or ".join(f'"{one}"' for one in schema["enum"])
    if "properties" in schema:
        members = ", ".join(f'"{name}": {_described(one)}' for name, one in schema["properties"].items())
        return f"{{{members}}}"
    told = schema.get("description")
    match schema.get("type"):
        case "array":
            return f"[{_described({'description': told, **schema['items']})}, ...]"
        case "integer":
            return f"<whole number: {told}>" if told else "<whole number>"
        case "number":
            return f"<number: {told}>" if told else "<number>"
        case "boolean":
            return "true or false" + (f" ({told})" if told else "")
        case _:
            return f'"<{told or "text"}>"'


def labels(schema: Schema) -> dict[str, str] | None:
    """The reply's form as lines ``name: what belongs there``; None where it holds more than plain values."""
    lines: dict[str, str] = {}
    for name, one in schema["properties"].items():
        plain = [variant for variant in one.get("anyOf", [one]) if variant.get("type") != "null"]
        if any("properties" in variant or "properties" in variant.get("items", {}) for variant in plain):
            return None
        if any("anyOf" in variant.get("items", {}) for variant in plain):
            return None
        lines[name] = _described(one).replace('"<', "<").replace('>"', ">").replace("null", "none")
    return lines


def fit(value: JsonValue, schema: Schema) -> JsonValue:
    """``value`` with what is clearly meant put right: names of keys, an envelope, a lone element, "none", "90%".

    Keys that nobody asked for, and elements beyond a list's allowed length, are left out.
    """
    if "properties" in schema:
        return _fit_object(value, schema, unwrap=True)
    if "anyOf" in schema:
        return _fit_variant(value, schema["anyOf"])
    if "enum" in schema:
        alike = [one for one in schema["enum"] if isinstance(value, str) and _plain(str(one)) == _plain(value)]
        return alike[0] if alike else value
    match schema.get("type"):
        case "array":
            elements = value if isinstance(value, list) else [] if value is None else [value]
            return [fit(element, schema["items"]) for element in elements[: schema.get("maxItems")]]
        case "string":
            return _as_text(value)
        case "integer" | "number" if isinstance(value, str) and len(value) <= MAX_LITERAL:
            return _as_number(value, whole=schema["type"] == "integer")
        case _:
            return value


def _fit_object(value: JsonValue, schema: Schema, *, unwrap: bool) -> JsonValue:
    properties: dict[str, Schema] = schema["properties"]
    if isinstance(value, list):
        lists = [name for name, one in properties.items() if one.get("type") == "array"]
        return _fit_object({lists[0]: value}, schema, unwrap=False) if len(lists) == 1 else value
    if not isinstance(value, dict):
        return value
    names = {_plain(name): name for name in properties}
    known = {names[_plain(key)]: one for key, one in value.items() if _plain(key) in names}
    envelopes = [one for one in value.values() if isinstance(one, dict)]
    if unwrap and not known and len(envelopes) == 1:  # {"name": "reply", "arguments": {…}}, a call written as text
        return _fit_object(envelopes[0], schema, unwrap=False)
    return {name: fit(one, properties[name]) for name, one in known.items()}


def _fit_variant(value: JsonValue, variants: list[Schema]) -> JsonValue:
    others = [one for one in variants if one.get("type") != "null"]
    if len(others) < len(variants):
        number = all(one.get("type") in ("integer", "number") for one in others)
        nothing = _BEGINS_WITH_NONE.match if number else _NOTHING.fullmatch
        short = isinstance(value, str) and len(value) <= MAX_LITERAL
        if value is None or (short and nothing(str(value))):
            return None
    if len(others) > 1 and isinstance(value, dict):
        others = [one for one in others if _is_variant(value, one)] or others
    return fit(value, others[0])


def _is_variant(value: dict[str, JsonValue], schema: Schema) -> bool:
    """Whether the properties of ``schema`` that allow one value only, such as a kind, have it in ``value``."""
    properties: dict[str, Schema] = schema.get("properties", {})
    marks = {
        _plain(name): _plain(str(one["enum"][0]))
        for name, one in properties.items()
        if len(one.get("enum", "")) == 1
    }
    given = {_plain(key): _plain(one) for key, one in value.items() if isinstance(one, str)}
    return bool(marks) and all(given.get(name) == mark for name, mark in marks.items())


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _as_text(value: JsonValue) -> JsonValue:
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(str(line) for line in value)
    return value


def _as_number(text: str, *, whole: bool) -> JsonValue:
    """The first number in ``text``, as a share where it is a percentage or "a out of b"; ``text`` if there is none."""
    found = (_WHOLE if whole else _SHARE).search(text)
    if found is None:
        return text
    if whole:
        return int(float(found[0]))
    number = float(found[1])
    if found[2]:
        return number / 100
    return number / float(found[3]) if found[3] and float(found[3]) else number
