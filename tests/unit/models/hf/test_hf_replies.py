from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from tiny_transformer import tiny_tokenizer

from mathagent.models.hf.replies import ReplyText


@cache
def tokenizer() -> Any:
    return tiny_tokenizer()


def ids(text: str) -> list[int]:
    found: list[int] = tokenizer()(text, add_special_tokens=False)["input_ids"]
    return found


def told(text: str, stop: tuple[str, ...] = (), *, opened: bool = False) -> tuple[ReplyText, str]:
    """The reply, token by token until it stops, and what was heard of it meanwhile."""
    reply, heard = ReplyText(tokenizer(), stop, opened=opened), ""
    for token in ids(text):
        reply.add(token)
        heard += reply.news()
        if reply.stopped:
            break
    reply.end()
    return reply, heard + reply.news()


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_what_is_heard_is_the_text(text: str) -> None:
    reply, heard = told(f"x{text}")
    assert reply.text == heard == f"x{text}"


def test_a_character_of_several_tokens_is_heard_as_a_whole() -> None:
    reply = ReplyText(tokenizer())
    pieces = []
    for token in ids("é€"):
        reply.add(token)
        pieces.append(reply.news())
    assert pieces == ["", "é", "", "", "€"]


def test_half_a_character_at_the_end_is_not_lost() -> None:
    reply = ReplyText(tokenizer())
    for token in ids("a€")[:-1]:
        reply.add(token)
    reply.end()
    assert reply.text == "a\N{REPLACEMENT CHARACTER}"


def test_bytes_that_the_decoder_gives_up_on_lose_nothing_else() -> None:
    class GivesUp:
        def step(self, tokenizer: Any, token: int) -> str | None:
            raise Exception("Invalid prefix encountered")

    reply = ReplyText(tokenizer())
    for place, token in enumerate(ids("one two")):
        if place == 3:
            reply._stream = GivesUp()
        reply.add(token)
    reply.end()
    assert reply.text == "one two"


@pytest.mark.parametrize(
    ("text", "stop", "left"),
    [
        ("one\n\ntwo", ("\n\n",), "one"),
        ("one two", ("nope", "two"), "one "),
        ("aab", ("ab",), "a"),
        ("abc", ("x",), "abc"),
        ("ab", ("abc",), "ab"),
        ("abcabd", ("abd",), "abc"),
        ("xyz", ("yz", "xy"), ""),
    ],
)
def test_nothing_is_heard_from_a_stop_string_on(text: str, stop: tuple[str, ...], left: str) -> None:
    reply, heard = told(text, stop)
    assert reply.text == heard == left
    assert reply.stopped == (left != text)


def test_thinking_is_told_apart() -> None:
    reply, heard = told("<think>\nhm\n</think>\n\n42")
    assert (reply.reasoning, reply.text, heard) == ("hm", "42", "42")


def test_a_section_that_the_prompt_has_opened_is_thinking_from_the_first_token_on() -> None:
    reply, heard = told("hm\n</think>\n\n42", opened=True)
    assert (reply.reasoning, reply.text, heard) == ("hm", "42", "42")
    begun = ReplyText(tokenizer(), opened=True)
    assert begun.thinking
    for token in ids("hm</think>"):
        begun.add(token)
    begun.add(ids("4")[0])
    assert not begun.thinking
