"""The schema of a typed reply: as a model is told it. Pure.

``wire_schema`` is what servers that hold a model to a schema understand in common: no references, no ranges, every
property required, the reasoning first. ``describe`` is the same for a model to read.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from mathagent.types import Value

REASONING = "reasoning"
REASONING_TEXT = "think here first, step by step, in a few sentences"

MAX_SPELLED_OUT = 6
"""A list of a fixed length up to this is described element by element."""

Schema = dict[str, Any]

_KEPT_KEYS = ("type", "description", "minItems", "maxItems")
_FORMATS = {
    "date": "a date as 2024-05-31",
    "date-time": "a date and time as 2024-05-31T12:30:00Z",
    "time": "a time as 12:30:00",
    "duration": "a duration as P1DT2H30M",
}


@lru_cache(maxsize=1024)
def wire_schema(kind: type[Value]) -> Schema:
    """The JSON schema of ``kind`` with the reasoning as its first property; treat it as immutable.

    A type that refers to itself is any object (or value) where it does so. Raises TypeError where ``kind`` has a field
    of that name.
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
            object_too = definitions[name].get("type") == "object"
            return {"type": "object", "description": f"again a {name}"} if object_too else {}
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
    if "format" in schema:
        told = _FORMATS.get(schema["format"], schema["format"])
        kept["description"] = f"{kept['description']}; {told}" if "description" in kept else told
    if "const" in schema or "enum" in schema:
        return {**kept, "enum": schema.get("enum") or [schema["const"]]}
    if "items" in schema:
        kept["items"] = _inlined(schema["items"], definitions, inside)
    elif schema.get("prefixItems"):
        parts = [_inlined(one, definitions, inside) for one in schema["prefixItems"]]
        alike = all(one == parts[0] for one in parts)
        kept.update({"items": parts[0]} if alike else {"prefixItems": parts})
    if isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = _inlined(schema["additionalProperties"], definitions, inside)
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
        return " or ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if "properties" in schema:
        members = ", ".join(f'"{name}": {_described(one)}' for name, one in schema["properties"].items())
        return f"{{{members}}}"
    told = schema.get("description")
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"[{', '.join(_described(one) for one in schema['prefixItems'])}]"
        case "array":
            element = _described({"description": told, **schema.get("items", {})})
            exact = schema.get("minItems") == schema.get("maxItems")
            if exact and "maxItems" in schema and schema["maxItems"] <= MAX_SPELLED_OUT:
                return f"[{', '.join([element] * schema['maxItems'])}]"
            return f"[{element}, ...]"
        case "object":
            member = _described(schema.get("additionalProperties") or {})
            return "{" + (f"{told}: " if told else "") + f'"<key>": {member}, ...}}'
        case "null":
            return "null"
        case "integer":
            return f"<whole number: {told}>" if told else "<whole number>"
        case "number":
            return f"<number: {told}>" if told else "<number>"
        case "boolean":
            return "true or false" + (f" ({told})" if told else "")
        case None:
            return f"<any JSON value: {told}>" if told else "<any JSON value>"
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
        if any(not _is_plain(variant) for variant in plain):
            return None
        lines[name] = _described(one).replace('"<', "<").replace('>"', ">").replace("null", "none")
    return lines


def _is_plain(schema: Schema) -> bool:
    """Whether a line of text can hold it: no object, no list of lists, not just anything."""
    if schema.get("type") == "array":
        items = schema.get("items")
        return items is not None and items.get("type") != "array" and _is_plain(items)
    return "enum" in schema or schema.get("type") not in (None, "object")
