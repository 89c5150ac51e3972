from __future__ import annotations

from functools import cache
from typing import Any

import pytest

pytest.importorskip("torch")

from tiny_transformer import ask, tiny_tokenizer

from mathagent.errors import UsageError
from mathagent.models.base import ToolSpec
from mathagent.models.hf.prompts import knows_tools, render, tool_calls
from mathagent.models.hf.settings import HfSettings
from mathagent.types import Message, ToolCall

TOOL = ToolSpec(name="add", description="Adds.", parameters={"type": "object"})


@cache
def tokenizer() -> Any:
    return tiny_tokenizer()


def shown(settings: HfSettings | None = None, **request: Any) -> str:
    text = tokenizer().decode(render(tokenizer(), ask(**request), settings or HfSettings()).ids)
    assert isinstance(text, str)
    return text


def test_a_request_is_written_as_the_template_says() -> None:
    assert shown(text="Hi.") == "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n"
    assert '"name": "add"' in shown(tools=(TOOL,))
    assert knows_tools(tokenizer())


def test_thinking_is_switched_by_the_settings_but_never_on_under_a_constraint() -> None:
    on = HfSettings(thinking=True)
    prompt = render(tokenizer(), ask(), on)
    assert prompt.opened
    assert not render(tokenizer(), ask(), HfSettings(thinking_tokens=0)).opened
    for constraint in ({"json_schema": {"type": "object"}}, {"grammar": "root ::= 1"}, {"regex": "a"}):
        assert not render(tokenizer(), ask(**constraint), on).opened


def test_where_the_template_thinks_whatever_it_is_told_the_section_is_closed() -> None:
    own = tiny_tokenizer()
    own.chat_template = own.chat_template.replace("enable_thinking is defined and enable_thinking", "true")

    def end(settings: HfSettings, **request: Any) -> str:
        prompt = render(own, ask(**request), settings)
        assert not prompt.continued
        assert prompt.opened == (not str(own.decode(prompt.ids)).endswith("</think>\n\n"))
        return str(own.decode(prompt.ids)).rpartition("<|im_start|>assistant\n")[2]

    assert end(HfSettings()) == "<think>\n"
    for constraint in ({"json_schema": {"type": "object"}}, {"grammar": "root ::= 1"}, {"regex": "a"}):
        assert end(HfSettings(), **constraint) == "<think>\n\n</think>\n\n"
    for settings in (HfSettings(thinking=False), HfSettings(thinking_tokens=0)):
        assert end(settings) == "<think>\n\n</think>\n\n"


def test_a_turn_is_gone_on_with_to_the_letter() -> None:
    begun = (Message(role="user", content="Code."), Message(role="assistant", content="def f():\n    "))
    text = shown(messages=begun, continue_assistant=True)
    assert text.endswith("<|im_start|>assistant\ndef f():\n    ")
    thinking = shown(HfSettings(thinking=True), messages=begun, continue_assistant=True)
    assert thinking.endswith("<think>\n\n</think>\n\ndef f():\n    ")


def test_a_turn_of_the_assistant_comes_last_only_where_it_is_gone_on_with() -> None:
    with pytest.raises(UsageError, match="continue_assistant"):
        shown(continue_assistant=True)
    with pytest.raises(UsageError, match="continue_assistant"):
        shown(messages=(Message(role="assistant", content="x"),))


def test_a_template_without_a_place_for_the_system_gets_it_in_the_first_turn() -> None:
    own = tiny_tokenizer()
    own.chat_template = own.chat_template.replace("and no_system", "")
    turns = (Message(role="system", content="Be short."), Message(role="user", content="Hi."))
    text = own.decode(render(own, ask(messages=turns), HfSettings()).ids)
    assert text.startswith("<|im_start|>user\nBe short.\n\nHi.<|im_end|>")
    with pytest.raises(UsageError, match="no place for a system message"):
        render(own, ask(messages=turns[:1]), HfSettings())


def test_earlier_calls_are_shown_as_values_not_as_text() -> None:
    call = ToolCall(id="1", name="add", arguments='{"a": 1}')
    turns = (
        Message(role="user", content="?"),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="3", tool_call_id="1"),
    )
    assert '{"a": 1}<|im_end|>' in shown(messages=turns)


@pytest.mark.parametrize(
    ("text", "rest", "arguments"),
    [
        ('<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>', "", ['{"a": 1}']),
        ('So:\n<tool_call>{"name": "add", "arguments": {}}</tool_call>', "So:", ["{}"]),
        ('{"name": "add", "parameters": {"a": "é"}}', "", ['{"a": "é"}']),
        (
            '[TOOL_CALLS] [{"name": "add", "arguments": {"a": 1}}, {"name": "add", "arguments": {"a": 2}}]',
            "",
            ['{"a": 1}', '{"a": 2}'],
        ),
        ('{"name": "other", "arguments": {}}', '{"name": "other", "arguments": {}}', []),
        ("<tool_call>broken</tool_call>", "<tool_call>broken</tool_call>", []),
        ("The answer is 3.", "The answer is 3.", []),
        ("[]", "[]", []),
        ('{"name": ["add"], "arguments": {}}', '{"name": ["add"], "arguments": {}}', []),
        ("[" * 100_000, "[" * 100_000, []),
    ],
)
def test_calls_are_read_from_what_models_write(text: str, rest: str, arguments: list[str]) -> None:
    left, calls = tool_calls(text, [TOOL])
    assert left == rest
    assert [call.arguments for call in calls] == arguments
    assert all(call.name == "add" for call in calls)
    assert len({call.id for call in calls}) == len(calls)


def test_a_base_model_is_shown_questions_and_answers() -> None:
    from mathagent.models.plain_chat import plain_template

    base = tiny_tokenizer()
    base.chat_template = plain_template()
    turns = (
        Message(role="system", content="Be short."),
        Message(role="user", content="1+1?"),
        Message(role="assistant", content="2"),
        Message(role="user", content="2+2?"),
    )
    settings = HfSettings(template="plain")
    begun = (*turns, Message(role="assistant", content="It is"))
    shown = [
        base.decode(render(base, ask(**request), settings).ids)
        for request in ({"messages": turns}, {"messages": begun, "continue_assistant": True})
    ]
    text = "Be short.\n\nQuestion: 1+1?\n\nAnswer:\n2\n\nQuestion: 2+2?\n\nAnswer:\n"
    assert shown == [text, f"{text}It is"]
    assert not knows_tools(base)
