"""Chat requests as the tokens that a model reads, and its replies as the tool calls that they write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from mathagent.errors import UsageError
from mathagent.models.base import ChatRequest, ToolSpec
from mathagent.models.hf.constraints import is_constrained
from mathagent.models.hf.settings import HfSettings
from mathagent.models.openai_wire import message_dict
from mathagent.models.thinking_text import CLOSING, OPENING
from mathagent.types import ToolCall

_CALL_MARKS = (("<tool_call>", "</tool_call>"), ("[TOOL_CALLS]", ""), ("<|python_tag|>", ""))


@dataclass(frozen=True)
class Prompt:
    """``ids`` is what the model reads. ``opened``: the template has begun the thinking section, so that the reply
    begins within it. ``continued``: the reply goes on with a turn of the assistant."""

    ids: tuple[int, ...]
    opened: bool = False
    continued: bool = False


def render(tokenizer: Any, request: ChatRequest, settings: HfSettings) -> Prompt:
    """The tokens of ``request``. Raises UsageError where the messages do not fit the model's chat template."""
    messages = [_template_message(message_dict(message)) for message in request.messages]
    last = messages[-1]["role"] if messages else None
    if request.continue_assistant != (last == "assistant"):
        raise UsageError(
            "the last message must be an assistant turn where continue_assistant is set, and only there:"
            f" it is {last or 'missing'}"
        )
    begun = messages.pop()["content"] if request.continue_assistant else ""
    arguments: dict[str, Any] = dict(settings.template_arguments)
    if is_constrained(request):
        arguments["enable_thinking"] = False  # the reply must be what was asked for from its first token on
    if request.tools:
        arguments["tools"] = [{"type": "function", "function": tool.model_dump()} for tool in request.tools]
    text = _rendered(tokenizer, messages, arguments)
    continued, opened = bool(begun), text.rstrip().endswith(OPENING)
    is_to_think = arguments.get("enable_thinking", True)  # some templates begin to, whatever they are told
    if opened and CLOSING not in begun and (continued or not is_to_think):
        begun = f"\n{CLOSING}\n\n{begun}"
    opened = opened and CLOSING not in begun
    text += begun
    # Templates write the token that begins a text themselves; plain text gets it where the model was trained with it.
    ids = tokenizer(text, add_special_tokens=settings.template == "plain")["input_ids"]
    return Prompt(ids=tuple(ids), opened=opened, continued=continued)


def _template_message(message: dict[str, Any]) -> dict[str, Any]:
    """Templates want the arguments of a call as a dict, which the wire has as JSON text."""
    for call in message.get("tool_calls", ()):
        call["function"]["arguments"] = _read_json(call["function"]["arguments"])
    return message


def _rendered(tokenizer: Any, messages: list[dict[str, Any]], arguments: dict[str, Any]) -> str:
    def apply(turns: list[dict[str, Any]]) -> str:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **arguments)
        assert isinstance(text, str)
        return text

    try:
        return apply(messages)
    except (TemplateError, ValueError, TypeError, KeyError) as error:
        failure = error
    folded = _without_system(messages)
    if folded is not None:  # Gemma and others have no place for a system message
        try:
            return apply(folded)
        except (TemplateError, ValueError, TypeError, KeyError) as error:
            failure = error
    reason = " ".join(str(failure).split())[:200]
    raise UsageError(f"the model's chat template refuses these messages: {reason}") from failure


def _without_system(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The messages with the system's words before those of the first user; None where there is no such pair."""
    if len(messages) < 2 or messages[0]["role"] != "system" or messages[1]["role"] != "user":
        return None
    said = f"{messages[0]['content']}\n\n{messages[1]['content']}"
    return [{**messages[1], "content": said}, *messages[2:]]


def knows_tools(tokenizer: Any) -> bool:
    """Whether the chat template can show tools."""
    template = tokenizer.chat_template
    return "tools" in (template if isinstance(template, str) else " ".join(template or ()))


def tool_calls(text: str, tools: Sequence[ToolSpec]) -> tuple[str, tuple[ToolCall, ...]]:
    """The reply without its calls, and the calls, of the families that write them as JSON (Qwen and Hermes, Mistral,
    Llama 3). What names no tool of ``tools``, or cannot be read, stays text. Pure."""
    names = {tool.name for tool in tools}
    for opening, closing in _CALL_MARKS:
        if opening in text:
            before, *sections = text.split(opening)
            written = [section.partition(closing) if closing else (section, "", "") for section in sections]
            found = [_calls(part[0], names) for part in written]
            if all(found):
                rest = "".join([before, *(part[2] for part in written)]).strip()
                return rest, _numbered([call for calls in found for call in calls])
    calls = _calls(text, names)
    return ("", _numbered(calls)) if calls else (text, ())


def _calls(text: str, names: set[str]) -> list[tuple[str, str]]:
    value = _read_json(text)
    listed = value if isinstance(value, list) else [value]
    calls = []
    for one in listed:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str) or one["name"] not in names:
            return []
        given = one.get("arguments", one.get("parameters", {}))
        calls.append(
            (str(one["name"]), given if isinstance(given, str) else json.dumps(given, ensure_ascii=False))
        )
    return calls


def _numbered(calls: Sequence[tuple[str, str]]) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(id=f"call_{n}", name=name, arguments=given) for n, (name, given) in enumerate(calls))


def _read_json(text: str) -> Any:
    """The value of a JSON text; the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a model may write nothing but opening brackets
        return text
