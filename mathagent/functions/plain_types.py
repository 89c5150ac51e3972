"""Types as the code of a typed function meets them: plain JSON data, written as Python annotations. Pure.

Records (dataclasses, models) are dicts, tuples and sets are lists, enums are their values, dates are texts: what runs
in the sandbox knows none of the caller's classes.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from mathagent.functions.signature import Signature

RETURN = "return"
_INDENT = "    "
_SCALARS = {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "null": "None"}


def stub(signature: Signature) -> str:
    """The function that is to be written: its types, its signature, its task as a comment, and "pass"."""
    named = {**signature.adapters, RETURN: signature.returned}
    inputs = [(name, "validation" if name == RETURN else "serialization", one) for name, one in named.items()]
    schemas, shared = TypeAdapter.json_schemas(inputs)  # type: ignore[arg-type]
    by_name = {name: schema for (name, _), schema in schemas.items()}
    definitions: dict[str, Any] = shared.get("$defs", {})
    annotations = {name: annotation(schema) for name, schema in by_name.items()}
    parameters = ", ".join(f"{name}: {annotations[name]}" for name in signature.parameters)
    classes = "".join(f"{_definition(name, schema)}\n\n\n" for name, schema in definitions.items())
    head = f"def {signature.name}({parameters}) -> {annotations[RETURN]}:"
    task = "\n".join(f"{_INDENT}# {line}".rstrip() for line in signature.template.plain.splitlines())
    body = f"{classes}{head}\n{task}\n{_INDENT}pass"
    names = [name for name in ("Any", "Literal", "TypedDict") if re.search(rf"\b{name}\b", body.replace(task, ""))]
    typing = f"from typing import {', '.join(names)}\n\n\n" if names else ""
    return f"from __future__ import annotations\n\n{typing}{body}" if typing else body


def annotation(schema: Mapping[str, Any]) -> str:
    """A JSON schema as a Python annotation."""
    if "$ref" in schema:
        return _class_name(schema["$ref"].rpartition("/")[2])
    if "const" in schema or "enum" in schema:
        values = schema.get("enum") or [schema["const"]]
        return f"Literal[{', '.join(map(repr, values))}]"
    variants = schema.get("anyOf") or schema.get("oneOf")
    if variants:
        return " | ".join(dict.fromkeys(map(annotation, variants)))
    match schema.get("type"):
        case "array":
            return f"list[{_element(schema)}]"
        case "object":
            rest = schema.get("additionalProperties")
            return f"dict[str, {annotation(rest) if isinstance(rest, Mapping) else 'Any'}]"
        case kind:
            return _SCALARS.get(str(kind), "Any")


def _element(schema: Mapping[str, Any]) -> str:
    parts = schema.get("prefixItems") or [schema.get("items", {})]
    return " | ".join(dict.fromkeys(map(annotation, parts)))


def _definition(name: str, schema: Mapping[str, Any]) -> str:
    """What a named type is: a record, or another name for a type."""
    if "properties" not in schema:
        return f"{_class_name(name)} = {annotation(schema)!r}"
    fields = {field: annotation(one) for field, one in schema["properties"].items()}
    if any(not field.isidentifier() or keyword.iskeyword(field) for field in fields):
        members = ", ".join(f"{field!r}: {kind!r}" for field, kind in fields.items())
        return f"{_class_name(name)} = TypedDict({_class_name(name)!r}, {{{members}}})"
    lines = [f"{_INDENT}{field}: {kind}" for field, kind in fields.items()] or [f"{_INDENT}pass"]
    return "\n".join([f"class {_class_name(name)}(TypedDict):", *lines])


def _class_name(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")
