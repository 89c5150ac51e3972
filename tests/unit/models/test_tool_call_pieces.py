"""Tool calls put together from the pieces that servers send, with and without an index or an id of their own."""

from __future__ import annotations

from typing import Any

import pytest

from mathagent.models.openai_reply import StreamedReply, completions_from_reply


def piece(
    index: int | None = None, call_id: str | None = None, name: str | None = None, arguments: str | None = None
) -> dict[str, Any]:
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}


def streamed(*pieces: dict[str, Any]) -> list[tuple[str, str, str]]:
    reply = StreamedReply("b")
    for one in pieces:
        reply.add({"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]})
    reply.add({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    (done,) = reply.completions(1)
    return [(call.id, call.name, call.arguments) for call in done.tool_calls]


TWO = [("a", "f", '{"x": 1}'), ("b", "g", '{"y": 2}')]


@pytest.mark.parametrize(
    "pieces",
    [
        # as OpenAI sends them, the calls mixed
        [
            piece(1, "b", "g", ""),
            piece(0, "a", "f", ""),
            piece(1, None, None, '{"y"'),
            piece(0, None, None, '{"x": 1}'),
            piece(1, None, None, ": 2}"),
        ],
        # all with index 0, or none
        [piece(0, "a", "f", '{"x": 1}'), piece(0, "b", "g", '{"y": 2}')],
        [piece(None, "a", "f", '{"x"'), piece(arguments=": 1}"), piece(None, "b", "g", '{"y": 2}')],
        # an id with each piece, the same or another one, and a name with each piece
        [piece(0, "a", "f", '{"x": '), piece(0, "a", "f", "1}"), piece(1, "b", "g", '{"y": 2}')],
        [piece(0, "a", "f", '{"x": '), piece(0, "a2", None, "1}"), piece(1, "b", "g", '{"y": 2}')],
    ],
)
def test_two_calls_stay_two(pieces: list[dict[str, Any]]) -> None:
    assert streamed(*pieces) == TWO


def test_calls_without_any_id_are_told_apart_by_arguments_that_are_whole() -> None:
    calls = streamed(piece(0, "", "f", '{"x": 1}'), piece(0, "", "f", '{"x": 2}'))
    assert calls == [("", "f", '{"x": 1}'), ("", "f", '{"x": 2}')]
    assert streamed(piece(0, "", "f", '{"x": '), piece(0, "", "f", "1}")) == [("", "f", '{"x": 1}')]


def test_each_call_of_a_whole_reply_is_one() -> None:
    message = {"content": None, "tool_calls": [piece(0, "a", "f", '{"x": 1}'), piece(0, "b", "g", '{"y": 2}')]}
    (done,) = completions_from_reply({"choices": [{"index": 0, "message": message}]}, "b")
    assert [(call.id, call.name, call.arguments) for call in done.tool_calls] == TWO


@pytest.mark.parametrize(
    ("given", "text"), [(None, ""), ({"x": "é"}, '{"x": "é"}'), ([1, 2], "[1, 2]"), (7, "7"), ("{", "{")]
)
def test_arguments_are_text_whatever_they_came_as(given: Any, text: str) -> None:
    message = {"content": None, "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": given}}]}
    (done,) = completions_from_reply({"choices": [{"index": 0, "message": message}]}, "b")
    assert done.tool_calls[0].arguments == text
