"""Tokens found again in their text, and texts as words."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathagent.models.chunks import Chunk, token_starts, words
from mathagent.types import Completion, TokenLogprob, Usage

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So, we have 3 apples. ", ["So,", " we", " have", " 3", " apples.", " "]),
        ("\n\nStep 1:\n x", ["\n\nStep", " 1:", "\n x"]),
        ("答案是5。 所以,我", ["答", "案", "是", "5", "。", " 所", "以", ",", "我"]),
        ("カタ、か", ["カ", "タ、", "か"]),
        (r"$x=\frac{-b\pm\sqrt{d}}{2a}$ is", ["$x=", r"\frac", "{-b", r"\pm", r"\sqrt", "{d}}{2a}$", " is"]),
        (r"a \\ b\, \operatorname*{x}", ["a", r" \\", " b", r"\,", r" \operatorname*", "{x}"]),
        ("\\", ["\\"]),
        (" \n", [" \n"]),
        ("", []),
    ],
)
def test_words_end_at_blanks_at_characters_of_scripts_without_them_and_before_commands(
    text: str, expected: list[str]
) -> None:
    assert words(text) == expected


@UNHURRIED
@given(st.text())
def test_words_lose_nothing(text: str) -> None:
    assert "".join(words(text)) == text


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("Hello the world", ["Hello", " the", " world"], (0, 5, 9)),
        ("Hello the world", ["Hello", "the", "world"], (0, 5, 9)),  # as SentencePiece decodes one token
        ("the cat", [" the", " cat"], (0, 3)),  # the reply's first blank is not told
        ("你好 5", ["\ufffd", "\ufffd", "好", " ", "5"], (0, 0, 1, 2, 3)),
        ("😀😁x", ["\ufffd"] * 7 + ["x"], (0, 0, 0, 0, 0, 0, 0, 2)),
        ("a 世", ["a", " \ufffd", "\ufffd"], (0, 1, 2)),
        ("Yes.", ["Yes", ".", "<|im_end|>"], (0, 3, 4)),
        ("", ["<|im_end|>"], (0,)),
        ("ab", ["a", "token_id:17", "b"], (0, 1, 1)),
        ("aab", ["a", "b"], (0, 1)),  # a token is not looked for further on
    ],
)
def test_where_tokens_begin(text: str, tokens: list[str], expected: tuple[int, ...]) -> None:
    assert token_starts(text, tokens) == expected


@UNHURRIED
@given(st.lists(st.text(min_size=1), max_size=12))
def test_tokens_that_are_their_text_are_found(tokens: list[str]) -> None:
    whole = [token for token in tokens if "\ufffd" not in token]
    expected = tuple(len("".join(whole[:index])) for index in range(len(whole)))
    assert token_starts("".join(whole), whole) == expected


@UNHURRIED
@given(st.text(), st.lists(st.text(), max_size=12))
def test_whatever_the_tokens_are_their_places_rise_within_the_text(text: str, tokens: list[str]) -> None:
    starts = token_starts(text, tokens)
    assert len(starts) == len(tokens)
    assert list(starts) == sorted(starts)
    assert all(0 <= start <= len(text) for start in starts)


def chunk(*tokens: tuple[str, float], text: str | None = None, finish: str = "length") -> Chunk:
    """Of (token, probability of the likeliest one)."""
    logprobs = tuple(TokenLogprob(token=token, logprob=math.log(sure)) for token, sure in tokens)
    written = "".join(token for token, _ in tokens) if text is None else text
    usage = Usage(calls=1, completion_tokens=len(tokens))
    return Chunk.of(
        Completion.model_validate({"text": written, "finish_reason": finish, "usage": usage, "logprobs": logprobs})
    )


def test_the_first_unsure_token_and_what_stands_before_it() -> None:
    one = chunk(("It", 0.2), (" is", 0.9), (" 5", 0.29))
    assert one.first == "It"
    assert (one.sure_until(0.3), one.sure_until(0.3, len(one.first)), one.sure_until(0.1)) == (0, 5, None)
    assert [one.tokens_until(end) for end in (0, 2, 5, 7)] == [0, 1, 2, 3]
    assert not one.sure_of_first(0.3)
    assert one.sure_of_first(0.2)


def test_a_character_of_several_tokens_is_granted_as_a_whole() -> None:
    one = chunk(("\ufffd", 0.9), ("\ufffd", 0.1), ("好", 0.9), text="你好")
    assert one.first == "你"
    assert not one.sure_of_first(0.3)
    assert one.sure_until(0.3, len(one.first)) is None


def test_a_character_that_was_cut_short_is_no_text() -> None:
    tokens = [("好", 0.9), ("\ufffd", 0.9), ("\ufffd", 0.1)]
    cut = chunk(*tokens, text="好\ufffd")
    assert (cut.text, cut.starts, cut.sure_until(0.3)) == ("好", (0, 1, 1), 1)
    assert chunk(*tokens, text="好\ufffd", finish="stop").text == "好\ufffd"  # the model's own


def test_the_sureness_is_that_of_the_likeliest_token_whichever_was_drawn() -> None:
    drawn = TokenLogprob(token="a", logprob=math.log(0.1), top=(("b", math.log(0.6)),))
    assert Chunk.of(Completion(text="a", logprobs=(drawn,))).sureness == pytest.approx((0.6,))


def test_without_log_probs_tokens_are_counted_by_their_share_in_the_text() -> None:
    one = Chunk.of(Completion(text="So we begin", usage=Usage(completion_tokens=4)))
    assert [one.tokens_until(end) for end in (2, 5, 11)] == [1, 2, 4]
    assert one.first == "So we begin"
