"""The typed answer protocol: what is asked, what is asked again, when it ends. From AskIt's card (arXiv 2308.15645)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mathagent import ask, define
from mathagent.budget import Budget
from mathagent.errors import BackendError, FunctionError, LimitReached, UsageError
from mathagent.functions import Called, Example
from mathagent.functions.defining import ask_async
from mathagent.models.scripted import Reply
from mathagent.types import SamplingParams, Usage
from tests.unit.functions.scripted_solver import fenced, scripted


def test_a_reply_without_json_is_asked_for_again() -> None:
    with scripted("no json", '```json\n{"reason": "..", "answer": 7}\n```') as (backend, options):
        assert ask(int, "six plus {{x}}", options, x=1) == 7
    first, second = backend.requests
    assert backend.roles == ["function", "function"]
    assert len(second.messages) == len(first.messages) + 2
    assert "'x' = 1" in first.messages[-1].content
    assert "six plus 'x'" in first.messages[-1].content
    assert second.messages[-2].content == "no json"
    assert "cannot be used" in second.messages[-1].content
    assert "<whole number>" in second.messages[-1].content


def test_a_text_is_a_number_unless_it_must_not_be() -> None:
    with scripted(fenced('"7"')) as (_, options):
        assert ask(int, "six plus one", options) == 7
    with scripted(fenced('"7"'), fenced("7"), strict=True) as (_, options):
        assert ask(int, "six plus one", options) == 7


def test_ten_bad_replies_are_an_error() -> None:
    with (
        scripted(*["no json"] * 10) as (backend, options),
        pytest.raises(
            FunctionError, match="none of 10 replies was a value of int; the last problem: the reply"
        ) as raised,
    ):
        ask(int, "six plus one", options)
    assert len(raised.value.problems) == 10
    # two replies a conversation, then afresh: sampled otherwise, else it would go the same way
    assert [len(request.messages) for request in backend.requests] == [2, 4] * 5
    assert [request.first_sample for request in backend.requests] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    temperatures = [request.params.temperature for request in backend.requests]
    assert temperatures == [0, 0, *[0.7] * 8]


def test_fewer_attempts_and_a_fallback() -> None:
    with scripted(*["no json"] * 3, attempts=3, fallback=None) as (_, options):
        called = define(int, "six plus one", options=options).call()
    assert called.value is None
    assert called.fell_back
    assert len(called.problems) == 3


def test_a_validator_is_told_to_the_model() -> None:
    def odd(value: int) -> str | None:
        return None if value % 2 else "it is even."

    replies = (
        fenced("8", "6 + 2"),
        Reply(text=fenced("7"), contains=("because it is even. Give the whole answer", "6 + 2")),
    )
    with scripted(*replies, validator=odd) as (backend, options):
        called = define(int, "an odd number", options=options).call()
    assert called == Called(7, "so", ("it is even.",), 2, usage=called.usage)
    assert called.usage.calls == 2
    assert len(backend.requests[1].messages) == len(backend.requests[0].messages) + 2


def test_a_validator_that_takes_nothing() -> None:
    with (
        scripted(*[fenced("8")] * 11, validator=lambda value: "no") as (_, options),
        pytest.raises(FunctionError, match="not after 10 corrections; of the last one it said: no"),
    ):
        ask(int, "a number", options)


def test_a_validator_may_call_other_functions() -> None:
    with scripted(fenced("8"), fenced("true")) as (_, options):

        def even(value: int) -> str | None:
            return None if ask(bool, "Is {{n}} even?", options, n=value) else "it is odd"

        checked = type(options)(solver=options.solver, validator=even)
        assert ask(int, "an even number", checked) == 8


@dataclass
class Split:
    whole: int
    rest: int


def test_examples_are_two_turns_each() -> None:
    examples = [({"a": 7, "b": 2}, Split(3, 1)), Example({"a": 4, "b": 2}, Split(2, 0), reasoning="4 = 2 * 2")]
    with scripted(fenced('{"whole": 2, "rest": 2}')) as (backend, options):
        function = define(Split, "{{a}} divided by {{b}}", examples=examples, options=options)
        assert function(8, 3) == Split(2, 2)
    roles = [message.role for message in backend.requests[0].messages]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    shown = backend.requests[0].messages
    assert "'a' = 7" in shown[1].content
    assert '"answer": {"whole": 3, "rest": 1}' in shown[2].content
    assert '"reasoning": "4 = 2 * 2"' in shown[4].content


def test_positional_arguments_in_the_order_of_first_appearance() -> None:
    with scripted(fenced("4")) as (backend, options):
        assert define(int, "{{x}} + {{y}} + {{x}}", options=options)(1, 2) == 4
    assert backend.requests[0].messages[-1].content.startswith("'x' + 'y' + 'x'\n\nwhere\n'x' = 1\n'y' = 2\n")


async def test_async_from_any_loop() -> None:
    with scripted(fenced("7"), fenced('["a"]')) as (_, options):
        assert await ask_async(int, "six plus one", options) == 7

        @define(options=options)
        async def letters(word: str) -> list[str]:
            """The letters of {{word}}."""
            raise AssertionError("never run")

        assert await letters("a") == ["a"]


def test_variables_that_do_not_fit() -> None:
    with scripted() as (_, options):
        with pytest.raises(UsageError, match=r"has no value for \{\{y\}\}"):
            ask(int, "{{x}} + {{y}}", options, x=1)
        with pytest.raises(UsageError, match=r"\{\{z\}\} does not stand in it"):
            ask(int, "{{x}}", options, x=1, z=2)
        with pytest.raises(UsageError, match="argument x of x cannot be written as JSON"):
            ask(int, "{{x}}", options, x=object())


def test_a_budget_ends_it() -> None:
    with (
        scripted("no json", "no json", budget=Budget(max_calls=2)) as (_, options),
        pytest.raises(LimitReached) as raised,
    ):
        ask(int, "six plus one", options)
    assert raised.value.limit == "max_calls"


def test_a_dead_model_is_an_error() -> None:
    with scripted(Reply(error="gone")) as (_, options), pytest.raises(BackendError, match="gone"):
        ask(int, "six plus one", options)


def test_usage_and_sampling() -> None:
    with scripted(fenced("7"), params=SamplingParams(temperature=0.3, max_tokens=99)) as (backend, options):
        called = define(int, "six plus one", options=options).call()
    assert isinstance(called.usage, Usage)
    assert called.attempts == called.usage.calls == 1
    assert not called.by_code
    assert backend.requests[0].params == SamplingParams(temperature=0.3, max_tokens=99)
