"""The wire format, both ways: bodies that say everything, replies of every shape, errors of one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import BackendError
from mathagent.models.base import ChatRequest, ToolSpec
from mathagent.models.openai_errors import not_json, retry_after_seconds, status_error
from mathagent.models.openai_reply import (
    StreamedReply,
    completions_from_reply,
    error_message,
    sound_text,
)
from mathagent.models.openai_wire import request_arguments
from mathagent.models.token_counts import completion_tokens
from mathagent.types import Message, SamplingParams, ToolCall

USER = Message(role="user", content="hi")


def choice(text: Any = "x", index: int | None = 0, finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    return {"index": index, "message": {"content": text, **message}, "finish_reason": finish}


def reply(*choices: Any, usage: Any = None) -> dict[str, Any]:
    return {"choices": list(choices), "usage": usage}


def test_body_spells_out_every_sampling_parameter() -> None:
    body = request_arguments(ChatRequest(messages=(USER,)), "m", tokens_field="max_tokens")
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.0,
        "top_p": 1.0,
        "n": 1,
        "max_tokens": 1024,
    }


def test_body_of_everything() -> None:
    call = ToolCall(id="c1", name="add", arguments='{"a": 1}')
    messages = (USER, Message(role="assistant", content="", tool_calls=(call,)))
    request = ChatRequest(
        messages=(*messages, Message(role="tool", content="2", tool_call_id="c1")),
        params=SamplingParams(temperature=0.7, top_p=0.9, n=3, max_tokens=5, stop=("END",), seed=100),
        first_sample=8,
        tools=(ToolSpec(name="add", description="adds", parameters={"type": "object"}),),
        json_schema={"type": "object"},
        grammar="root ::= [0-9]",
        logprobs=2,
    )
    body = request_arguments(request, "m", tokens_field="max_completion_tokens")
    json.dumps(body)
    assert body["seed"] == 108
    assert body["max_completion_tokens"] == 5
    assert "max_tokens" not in body
    assert (body["stop"], body["logprobs"], body["top_logprobs"]) == (["END"], True, 2)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert body["tools"][0]["function"]["name"] == "add"
    assert body["messages"][1]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1}'}
    assert body["messages"][2] == {"role": "tool", "content": "2", "tool_call_id": "c1"}


def test_seeds_are_distinct_and_the_same_however_samples_are_grouped() -> None:
    whole = ChatRequest(messages=(USER,), params=SamplingParams(n=8, seed=2**31 - 3), first_sample=4)
    singles = [whole.samples(index, 1).sample_seed() for index in range(8)]
    assert len(set(singles)) == 8
    assert singles == [whole.sample_seed(index) for index in range(8)]
    assert all(seed is not None and 0 <= seed < 2**31 for seed in singles)


def test_choices_come_in_the_order_of_their_index_with_exact_usage() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 11}
    done = completions_from_reply(reply(choice("bbbbbb", 1), choice("a", 0, "length"), usage=usage), "b")
    assert [(c.text, c.finish_reason) for c in done] == [("a", "length"), ("bbbbbb", "stop")]
    assert [c.usage.prompt_tokens for c in done] == [7, 0]
    assert sum(c.usage.completion_tokens for c in done) == 11
    assert [c.usage.calls for c in done] == [1, 1]


def test_more_choices_than_wanted_lose_no_tokens() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 11}
    done = completions_from_reply(reply(choice("aaaa", 0), choice("b", 1), usage=usage), "b", 1)
    assert [(c.text, c.usage.completion_tokens) for c in done] == [("aaaa", 11)]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (choice(None), ""),
        (choice([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "ab"),
        (choice("a", None), "a"),
        ({"message": {"content": "a"}}, "a"),
        (choice("a", finish=None), "a"),
        (choice("a", finish="eos"), "a"),
        (choice("", reasoning_content="thinking"), ""),
        (choice("\ud83d\ude00\ud800"), "\U0001f600\ufffd"),
    ],
)
def test_lenient_choices(given: dict[str, Any], text: str) -> None:
    (done,) = completions_from_reply(reply(given), "b")
    assert (done.text, done.finish_reason) == (text, "stop")
    done.model_dump_json()


def test_samples_that_all_have_the_same_index_stay_apart() -> None:
    done = completions_from_reply(reply(choice("A", 0), choice("B", 0)), "b")
    assert [one.text for one in done] == ["A", "B"]


def test_thinking_that_is_a_part_of_the_content_is_told_apart() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm, "}, {"type": "text", "text": "6·7"}]},
        {"type": "image_url", "text": None},
        {"type": "text", "text": "42"},
    ]
    (done,) = completions_from_reply(reply(choice(parts)), "b")
    assert (done.text, done.reasoning) == ("42", "hm, 6·7")


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
def test_a_reply_that_was_cut_says_so_in_any_words(reason: str) -> None:
    assert completions_from_reply(reply(choice(finish=reason)), "b")[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("stated", "prompt", "completion"),
    [
        ({"prompt_tokens": 10**400, "completion_tokens": 10**400}, 200, 10),
        ({"prompt_tokens": 10**12, "completion_tokens": 9}, 200, 9),
        ({"prompt_tokens": 1, "completion_tokens": 9}, 200, 9),  # of 800 characters
        ({"prompt_tokens": 150, "completion_tokens": 1e400}, 150, 10),
    ],
    ids=["digits", "huge", "too few", "infinite"],
)
def test_counts_that_cannot_be_right_are_estimated(stated: object, prompt: int, completion: int) -> None:
    (done,) = completions_from_reply(reply(choice("x" * 40), usage=stated), "b", most=100, prompt_length=800)
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (prompt, completion)


@pytest.mark.parametrize(
    "logprobs",
    [
        [],
        {"tokens": ["x"], "token_logprobs": [-1]},
        {"content": "x"},
        {"content": [{"token": "x", "logprob": None}]},
        {"content": [{"token": "x", "logprob": float("nan")}]},
        {"content": [{"token": "x", "logprob": 10**400}]},
    ],
    ids=str,
)
def test_log_probs_that_are_none_cost_no_reply(logprobs: object) -> None:
    (done,) = completions_from_reply(reply({**choice("x"), "logprobs": logprobs}), "b")
    assert (done.text, done.logprobs) == ("x", ())


def test_alternatives_of_probability_0_are_left_out() -> None:
    top = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": None}, {"token": "c", "logprob": -1e400}]
    logprobs = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": top}]}
    (done,) = completions_from_reply(reply({**choice("a"), "logprobs": logprobs}), "b")
    assert done.logprobs[0].top == (("a", -0.5),)
    assert type(done).model_validate_json(done.model_dump_json()) == done  # as the cache keeps it


def test_missing_usage_is_estimated_from_all_that_was_written() -> None:
    (done,) = completions_from_reply(reply(choice("12345", reasoning_content="123")), "b")
    assert done.usage.completion_tokens == 2
    assert done.usage.prompt_tokens == 0


def test_tool_calls_and_logprobs() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    given = choice(None, finish=None, tool_calls=[call])
    given["logprobs"] = {
        "content": [{"token": "t", "logprob": -1, "top_logprobs": [{"token": "u", "logprob": -2}]}]
    }
    (done,) = completions_from_reply(reply(given), "b")
    assert done.finish_reason == "tool_calls"
    assert done.tool_calls == (ToolCall(id="c", name="add", arguments='{"a": 1}'),)
    assert done.logprobs[0].top == (("u", -2.0),)


@pytest.mark.parametrize(
    "given",
    [
        None,
        3,
        "text",
        [],
        [1],
        {},
        {"choices": None},
        {"choices": []},
        {"choices": "abc"},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"text": "a completion, not a chat"}]},
        {"choices": [{"message": "hi"}]},
        {"choices": [choice({"a": 1})]},
    ],
    ids=str,
)
def test_other_json_is_an_error_that_nobody_retries(given: object) -> None:
    with pytest.raises(BackendError, match="no chat completion") as caught:
        completions_from_reply(given, "openai:m")
    assert not caught.value.retryable
    assert "\n" not in str(caught.value)


def test_a_reply_that_says_it_failed_is_retryable() -> None:
    with pytest.raises(BackendError, match="broke the reply off") as caught:
        completions_from_reply(reply(choice("half", finish="error")), "b")
    assert caught.value.retryable


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**4), min_size=1, max_size=20))
def test_shares_add_up(total: int, lengths: list[int]) -> None:
    shares = completion_tokens(total, lengths)
    assert sum(shares) == total
    assert len(shares) == len(lengths)
    assert min(shares) >= 0


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4), st.randoms())
def test_a_streamed_reply_equals_the_whole_one(texts: list[str], rng: Any) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 17}
    whole = reply(*(choice(text, index) for index, text in enumerate(texts)), usage=usage)
    pieces = [(index, character) for index, text in enumerate(texts) for character in text]
    rng.shuffle(order := [index for index, _ in pieces])
    queues = {index: iter(text) for index, text in enumerate(texts)}
    streamed = StreamedReply("b")
    heard = dict.fromkeys(range(len(texts)), "")
    for index in range(len(texts)):
        streamed.add({"choices": [{"index": index, "delta": {"role": "assistant", "content": ""}}]})
    for index in order:
        new = streamed.add({"choices": [{"index": index, "delta": {"content": next(queues[index])}}]})
        for at, text in new:
            heard[at] += text
    for index in range(len(texts)):
        assert not streamed.finished
        for at, text in streamed.add({"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]}):
            heard[at] += text
    streamed.add({"choices": [], "usage": usage})
    assert streamed.finished
    assert streamed.completions(len(texts)) == completions_from_reply(whole, "b")
    assert list(heard.values()) == texts


def test_a_stream_with_a_count_for_each_sample_and_one_with_running_counts() -> None:
    def piece(index: int, **more: Any) -> dict[str, Any]:
        delta = {"index": index, "delta": {"content": "x"}, "finish_reason": "stop"}
        return {"choices": [delta], **more}

    each, running = StreamedReply("b"), StreamedReply("b")
    for index in range(3):
        usage = {"prompt_tokens": 5, "completion_tokens": index + 1}
        each.add(piece(index))
        each.add({"choices": [], "usage": usage})
        running.add(piece(index, usage=usage))
    assert sum(c.usage.completion_tokens for c in each.completions(3)) == 6
    assert sum(c.usage.completion_tokens for c in running.completions(3)) == 3
    assert [c.usage.prompt_tokens for c in each.completions(3)] == [5, 0, 0]


def test_a_character_cut_in_two_by_the_stream_is_joined() -> None:
    streamed = StreamedReply("b")
    for half in ("\ud83d", "\ude00"):
        ((_, text),) = streamed.add({"choices": [{"index": 0, "delta": {"content": half}}]})
        text.encode()
    assert streamed.completions(1)[0].text == "\U0001f600"


@given(st.text(st.characters(), max_size=20))
def test_sound_text_changes_no_sound_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        sound_text(text).encode()
    else:
        assert sound_text(text) == text


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"error": "no such model"}, "no such model"),
        ({"error": {"message": "no\n such  model"}}, "no such model"),
        ({"message": "no such model"}, "no such model"),
        ({"detail": [{"msg": "no"}]}, "[{'msg': 'no'}]"),
        ("plain", "plain"),
        ("<!DOCTYPE html>\n<html><title>502 Bad\nGateway</title>", "a web page, '502 Bad Gateway'"),
        ("<html>", "a web page"),
        (None, ""),
        ("x" * 10_000, "x" * 299 + "…"),
        ("\ud800", "\ufffd"),
    ],
)
def test_error_message_is_one_short_line(body: object, line: str) -> None:
    assert error_message(body) == line


@pytest.mark.parametrize(
    ("status", "retryable", "advice"),
    [
        (400, False, "change the request"),
        (401, False, "check OPENAI_API_KEY"),
        (403, False, "check OPENAI_API_KEY"),
        (404, False, "check the model's name"),
        (422, False, "change the request"),
        (429, True, "try again in 7 s"),
        (500, True, "try again"),
        (501, False, "change the request"),
        (503, True, "try again"),
        (507, True, "try again"),
        (521, True, "try again"),  # a proxy whose server is down
    ],
)
def test_status_errors(status: int, retryable: bool, advice: str) -> None:
    error = status_error(status, "said this", backend="openai:m", base_url="http://h/v1", retry_after="7")
    assert (error.retryable, error.status) == (retryable, status)
    assert error.retry_after_s == (7.0 if retryable else None)
    assert advice in str(error)
    assert "said this" in str(error)
    assert "http://h/v1" in str(error)


def test_404_offers_v1_only_where_it_is_missing() -> None:
    with_v1 = status_error(404, "", backend="b", base_url="http://h/v1")
    without = status_error(404, "", backend="b", base_url="http://h/")
    assert "should be" not in str(with_v1)
    assert "should be http://h/v1" in str(without)


def test_spent_quota_is_not_retried() -> None:
    assert not status_error(429, "x (insufficient_quota)", backend="b", base_url="u").retryable


def test_a_web_page_is_not_retried_but_cut_json_is() -> None:
    assert not not_json("b", "u", " <html>").retryable
    assert not_json("b", "u", '{"choices"').retryable


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("2.5", 2.5),
        ("0", 0.0),
        ("-3", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0),
        ("Mon, 99 Jan 2001", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


@pytest.mark.parametrize("usegmt", [True, False])
def test_retry_after_date(usegmt: bool) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after_seconds(format_datetime(moment, usegmt=usegmt)) == pytest.approx(90, abs=5)
