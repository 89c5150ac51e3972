"""What a model wrote, fitted to the schema of a typed reply. Pure.

``fit`` puts right what says clearly enough what is meant; whether it is valid is for the reply's type to say.
"""

from __future__ import annotations

import re

from pydantic import JsonValue

from mathagent.agents.reply_schema import Schema
from mathagent.answers.normal import normalize
from mathagent.answers.rational import exact_value

MAX_LITERAL = 200
"""Characters of a text that may still be a number or a word for nothing."""

_NOTHING = re.compile(r"\W*(?:(?:none|null|nil|n/?a|nothing)\b)?\W*", re.IGNORECASE)
_BEGINS_WITH_NONE = re.compile(r"\W{0,8}(?:none|null|no)\b", re.IGNORECASE)
_WHOLE = re.compile(r"(?<!\w)[-+]?\d+(?:\.0*)?(?![\d.])")
_FIGURE = re.compile(r"(?<!\w)[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_SHARE = re.compile(rf"({_FIGURE.pattern})\s*(?:(%|percent\b)|(?:/|out of)\s*(\d+))?")


def fit(value: JsonValue, schema: Schema, *, exact: bool = False) -> JsonValue:
    """``value`` with what is clearly meant put right: names of keys, an envelope, a lone element, "none", "90%".

    Keys that nobody asked for, and elements beyond a list's allowed length, are left out. ``exact``: nothing is left
    out (but keys of the reply itself) and nothing guessed: a text is a number only as a whole ("72.0", "$1,234"), a
    lone element is no list.
    """
    if "properties" in schema:
        return _fit_object(value, schema, exact, outermost=True)
    return _fit(value, schema, exact)


def _fit(value: JsonValue, schema: Schema, exact: bool) -> JsonValue:
    if "properties" in schema:
        return _fit_object(value, schema, exact)
    if "anyOf" in schema:
        return _fit_variant(value, schema["anyOf"], exact)
    if "enum" in schema:
        alike = [one for one in schema["enum"] if isinstance(value, str) and _plain(str(one)) == _plain(value)]
        return value if _holds(value, schema) or not alike else alike[0]
    match schema.get("type"):
        case "array":
            return _fit_list(value, schema, exact)
        case "object" if isinstance(value, dict) and "additionalProperties" in schema:
            return {name: _fit(one, schema["additionalProperties"], exact) for name, one in value.items()}
        case "string":
            return _as_text(value, exact)
        case "integer" | "number" if isinstance(value, str) and len(value) <= MAX_LITERAL:
            return (_as_exact_number if exact else _as_number)(value, whole=schema["type"] == "integer")
        case _:
            return value


def _fit_list(value: JsonValue, schema: Schema, exact: bool) -> JsonValue:
    if exact and not isinstance(value, list):
        return value
    elements = value if isinstance(value, list) else [] if value is None else [value]
    kept = elements if exact else elements[: schema.get("maxItems")]
    parts = schema.get("prefixItems") or [schema.get("items", {})] * len(kept)
    fitted = [_fit(element, part, exact) for element, part in zip(kept, parts, strict=False)]
    return fitted + kept[len(fitted) :]


def _fit_object(value: JsonValue, schema: Schema, exact: bool, *, outermost: bool = False) -> JsonValue:
    properties: dict[str, Schema] = schema["properties"]
    loose = outermost or not exact
    if isinstance(value, list) and loose:
        lists = [name for name, one in properties.items() if one.get("type") == "array"]
        return _fit_object({lists[0]: value}, schema, exact) if len(lists) == 1 else value
    if not isinstance(value, dict):
        return value
    names = {_plain(name): name for name in properties} | {name: name for name in properties}
    known = {name: one for key, one in value.items() if (name := names.get(key) or names.get(_plain(key)))}
    known |= {key: one for key, one in value.items() if key in properties}
    envelopes = [one for one in value.values() if isinstance(one, dict)]
    if outermost and not known and len(envelopes) == 1:
        # {"name": "reply", "arguments": {…}}, a call written as text
        return _fit_object(envelopes[0], schema, exact)
    fitted = {name: _fit(one, properties[name], exact) for name, one in known.items()}
    if loose:
        return fitted
    return {key: one for key, one in value.items() if not (names.get(key) or names.get(_plain(key)))} | fitted


def _fit_variant(value: JsonValue, variants: list[Schema], exact: bool) -> JsonValue:
    others = [one for one in variants if one.get("type") != "null"]
    if len(others) < len(variants) and _is_nothing(value, others, exact):
        return None
    if len(others) > 1:
        if isinstance(value, dict):
            others = [one for one in others if _is_variant(value, one)] or others
        alike = next((one for one in others if _holds(value, one)), None)
        fitting = (one for one in others if _holds(_fit(value, one, exact), one))
        chosen = alike or next(fitting, None)
        if chosen is None and exact:
            return value
        others = [chosen or others[0]]
    return _fit(value, others[0], exact) if others else value


def _is_nothing(value: JsonValue, others: list[Schema], exact: bool) -> bool:
    if value is None or not isinstance(value, str) or len(value) > MAX_LITERAL:
        return value is None
    if exact:  # where a text may stand, it is one
        return _NOTHING.fullmatch(value) is not None and not any(_holds(value, one) for one in others)
    number = all(one.get("type") in ("integer", "number") for one in others)
    return (_BEGINS_WITH_NONE.match if number else _NOTHING.fullmatch)(value) is not None


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


def _holds(value: JsonValue, schema: Schema) -> bool:
    """Whether ``value`` is of the JSON type that ``schema`` asks for; an object may lack keys, but has no others."""
    if "anyOf" in schema:
        return any(_holds(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return any(type(value) is type(one) and value == one for one in schema["enum"])
    match schema.get("type"):
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list) and _holds_elements(value, schema)
        case "object":
            return isinstance(value, dict) and _holds_members(value, schema)
        case _:
            return True


def _holds_elements(value: list[JsonValue], schema: Schema) -> bool:
    parts = schema.get("prefixItems") or [schema.get("items", {})] * len(value)
    return len(parts) == len(value) and all(map(_holds, value, parts))


def _holds_members(value: dict[str, JsonValue], schema: Schema) -> bool:
    if "properties" not in schema:
        rest = schema.get("additionalProperties", {})
        return all(_holds(one, rest) for one in value.values())
    properties: dict[str, Schema] = schema["properties"]
    return value.keys() <= properties.keys() and all(_holds(one, properties[name]) for name, one in value.items())


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _as_text(value: JsonValue, exact: bool) -> JsonValue:
    if isinstance(value, int | float) and not (exact and isinstance(value, bool)):
        return str(value)
    if isinstance(value, list) and not exact and all(isinstance(line, str) for line in value):
        return "\n".join(str(line) for line in value)
    return value


def _as_number(text: str, *, whole: bool) -> JsonValue:
    """The first number in ``text``, as a share where it is a percentage or "a out of b"; ``text`` if there is none."""
    found = (_WHOLE if whole else _SHARE).search(text)
    if found is None:
        return text
    if whole:
        return int(found[0].partition(".")[0])
    number = float(found[1])
    if found[2]:
        return number / 100
    return number / float(found[3]) if found[3] and float(found[3]) else number


def _as_exact_number(text: str, *, whole: bool) -> JsonValue:
    """The number that all of ``text`` is: "72.0", "$1,234", "3/4", "90%"; ``text`` if it is none."""
    value = exact_value(text)
    if value is None:
        value = exact_value(normalize(text))
    if value is None or (whole and value.denominator != 1):
        return text
    try:
        return int(value) if whole else float(value)
    except OverflowError:
        return text
