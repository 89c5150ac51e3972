"""The ladder of a typed reply: how a model is held to it, and how it is read, rung by rung.

From the top: a tool call, a JSON schema (or a grammar), a JSON block in the text, labelled lines. A reply is read by
the rung that it was asked on and by all below: a model that answers in text where a tool was offered has answered.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import JsonValue, ValidationError

from mathagent.agents.blocks.sample import FREE_TEXT, ReplyForm
from mathagent.agents.lenient_json import json_values
from mathagent.agents.reply_fit import fit
from mathagent.agents.reply_schema import REASONING, describe, labels, wire_schema
from mathagent.events import RUNGS, Rung
from mathagent.models.base import Capabilities, ToolSpec
from mathagent.prompts import render
from mathagent.types import Completion, Value

R = TypeVar("R", bound=Value)

FORM_PROMPTS = ("ask/tool_call", "ask/schema", "ask/block", "ask/labels")
TOOL_NAME = "reply"
MAX_PROBLEMS = 5

Care = Literal["forgiving", "exact", "strict"]
"""How a reply is taken. "forgiving": what is clearly enough meant is put right, wrong elements of its lists are left
out, a reply that was cut counts as far as it goes. "exact": nothing is left out or guessed, but "72.0" is a number.
"strict": its values are of the JSON types that were asked for."""

# Any JSON object that begins with the reasoning: for servers that know grammars but no schemas.
GRAMMAR = r"""
root ::= "{" ws "\"reasoning\"" ws ":" ws string ("," ws string ":" ws value)* ws "}"
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? ws "}"
array ::= "[" ws (value ("," ws value)*)? ws "]"
string ::= "\"" ([^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\""
number ::= "-"? [0-9]+ ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
ws ::= [ \n]{0,8}
"""


@dataclass(frozen=True)
class Reading(Generic[R]):
    """A reply that was read on ``rung``: ``dropped`` elements of its lists did not validate and are left out."""

    rung: Rung
    reply: R
    reasoning: str
    dropped: int = 0


@dataclass(frozen=True)
class Unreadable:
    """Why a reply could not be read: one line, for the model."""

    problem: str


def rungs_for(capabilities: Capabilities, kind: type[Value]) -> tuple[Rung, ...]:
    """The rungs open to a backend of ``capabilities`` for replies of ``kind``, from the top.

    Labelled lines are open to replies of plain values only.
    """
    closed: set[Rung] = set()
    if not capabilities.tool_calls:
        closed.add("tool-call")
    if not (capabilities.json_schema or capabilities.grammar):
        closed.add("schema")
    if labels(wire_schema(kind)) is None:
        closed.add("labels")
    return tuple(rung for rung in RUNGS if rung not in closed)


def form_of(rung: Rung, capabilities: Capabilities, kind: type[Value]) -> ReplyForm:
    """What the request of ``rung`` holds the model to."""
    if rung == "tool-call":
        parameters = wire_schema(kind)
        tool = ToolSpec(name=TOOL_NAME, description="Takes your reply.", parameters=parameters)
        return ReplyForm(tools=(tool,))
    if rung == "schema" and capabilities.json_schema:
        return ReplyForm(json_schema=wire_schema(kind))
    if rung == "schema":
        return ReplyForm(grammar=GRAMMAR)
    return FREE_TEXT


def instructions(rung: Rung, kind: type[Value]) -> str:
    """What the model is told about the form of its reply on ``rung``."""
    schema = wire_schema(kind)
    if rung == "tool-call":
        return render("ask/tool_call", tool=TOOL_NAME)[0].content
    if rung == "labels":
        return render("ask/labels", lines=labels(schema))[0].content
    return render(f"ask/{rung}", shape=describe(schema))[0].content


def read(
    completion: Completion, asked_on: Rung, kind: type[R], care: Care = "forgiving"
) -> Reading[R] | Unreadable:
    """Reads a reply on the rung that it was asked on, or on the first one below where it validates.

    A forgivingly read reply that was cut counts as far as it is complete, if that is all that its type needs. The
    problem of an unreadable one is that of the highest rung on which anything stood.
    """
    cut = completion.finish_reason == "length"
    schema = wire_schema(kind)
    problem = ""
    for rung in RUNGS[RUNGS.index(asked_on) :]:
        if (cut and care != "forgiving") or (rung == "labels" and care == "strict"):
            break  # half of what was meant; lines without a type
        for value in _values(completion, rung, schema, cut):
            reading = _validated(value, rung, kind, care)
            if isinstance(reading, Reading):
                return reading
            problem = problem or reading.problem
    if cut:
        tokens = completion.usage.completion_tokens
        problem = f"the reply was cut at {tokens} tokens before it was complete; keep it much shorter"
    return Unreadable(problem or "the reply has not the form that was asked for")


def _values(completion: Completion, rung: Rung, schema: dict[str, Any], cut: bool) -> list[JsonValue]:
    """What stands in a reply in the form of ``rung``, the likeliest first."""
    if rung == "tool-call":
        # A wrong name is forgiven: one tool only was offered.
        return [value for call in completion.tool_calls for value in json_values(call.arguments, cut=cut)]
    if rung == "labels":
        return _labelled(completion.text, schema, cut)
    values = json_values(completion.text, cut=cut)
    if rung == "schema":  # the text is nothing but one object
        return values if len(values) == 1 and completion.text.lstrip()[:1] in ("{", "[") else []
    return values[::-1]  # the last one is the answer; earlier ones are examples and thoughts


def _labelled(text: str, schema: dict[str, Any], cut: bool) -> list[JsonValue]:
    """The values behind the reply's labels, as one object; [] where there is no label. A later label wins."""
    names = labels(schema)
    if names is None:
        return []
    patterns = {name: re.sub("_", "[ _-]?", name) for name in names}
    alternatives = "|".join(f"(?P<{name}>{pattern})" for name, pattern in patterns.items())
    label = re.compile(
        rf"^[ \t>*#\-\"'{{,]{{0,16}}(?:{alternatives})[\"'*]{{0,4}}[ \t]{{0,4}}[:=：][ \t*]*", re.I | re.M
    )
    found = list(label.finditer(text))
    ends = [match.start() for match in found[1:]]
    if not cut:  # else the last value may be half of what was meant
        ends.append(len(text))
    value: dict[str, JsonValue] = {}
    for match, end in zip(found, ends, strict=False):
        name = str(match.lastgroup)
        value[name] = _labelled_value(text[match.end() : end], schema["properties"][name])
    return [value] if value.keys() - {REASONING} else []


def _labelled_value(segment: str, schema: dict[str, Any]) -> JsonValue:
    kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
    if "array" in kinds:
        lines = [re.sub(r"^\s*(?:[-*•]|\d{1,3}[.)])\s+", "", line).strip() for line in segment.splitlines()]
        return [line for line in lines if line]
    if "string" in kinds and not any("enum" in one for one in schema.get("anyOf", [schema])):
        return segment.strip()
    lines = segment.strip().splitlines()
    return lines[0].strip(" \t,.*\"'}") if lines else ""


def _validated(value: JsonValue, rung: Rung, kind: type[R], care: Care) -> Reading[R] | Unreadable:
    """The reply in ``value``. Of a forgivingly read one, elements of a list that are wrong are left out where others of
    the list are right."""
    if care != "strict":
        value = fit(value, wire_schema(kind), exact=care == "exact")
    if not isinstance(value, dict) or not value.keys() - {REASONING}:
        return Unreadable(f"the reply has none of the keys that were asked for: {', '.join(kind.model_fields)}")
    told = value.get(REASONING)
    reasoning = told if isinstance(told, str) else ""
    fields = {name: one for name, one in value.items() if name != REASONING}
    if care != "forgiving":
        return _as_written(fields, reasoning, rung, kind, strict=care == "strict")
    try:
        return Reading(rung, kind.model_validate(fields), reasoning)
    except ValidationError as error:
        sound, unreadable = _sound_parts(fields, error), Unreadable(_problem(error))
    try:
        reply = kind.model_validate(sound)
    except ValidationError:
        return unreadable
    return Reading(rung, reply, reasoning, dropped=_elements(fields) - _elements(sound)) if sound else unreadable


def _as_written(
    fields: dict[str, JsonValue], reasoning: str, rung: Rung, kind: type[R], *, strict: bool
) -> Reading[R] | Unreadable:
    """The reply in ``fields``, all of it; in JSON's own types where ``strict``."""
    asked = {name: one for name, one in fields.items() if name in kind.model_fields}
    try:
        return Reading(rung, kind.model_validate_json(json.dumps(asked), strict=strict), reasoning)
    except ValidationError as error:
        return Unreadable(_problem(error))
    except RecursionError:
        return Unreadable("the reply is nested too deeply")


def _sound_parts(fields: dict[str, JsonValue], error: ValidationError) -> dict[str, JsonValue]:
    """``fields`` without the elements of its lists that are wrong; {} where that leaves a list empty or an error."""
    wrong: dict[str, set[int]] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        name, index = [*one["loc"], None, None][:2]
        if not isinstance(index, int) or not isinstance(fields.get(str(name)), list):
            return {}
        wrong.setdefault(str(name), set()).add(index)
    sound = dict(fields)
    for name, indices in wrong.items():
        elements = fields[name]
        assert isinstance(elements, list)
        sound[name] = kept = [element for index, element in enumerate(elements) if index not in indices]
        if not kept:
            return {}
    return sound


def _elements(fields: dict[str, JsonValue]) -> int:
    return sum(len(one) for one in fields.values() if isinstance(one, list))


def _problem(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, one['loc'])) or 'the reply'}: {one['msg']}"
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return "; ".join(problems[:MAX_PROBLEMS])
