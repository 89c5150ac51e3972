"""The nouns: immutable, strict, and with an identity that depends on what is asked alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mathagent.types import Check, Completion, Message, Problem, SamplingParams, Usage

USAGES = st.builds(
    Usage, *(), calls=st.integers(0, 9), prompt_tokens=st.integers(0, 9), cached_calls=st.integers(0, 9)
)


def test_values_are_immutable_and_strict() -> None:
    problem = Problem(text="x")
    with pytest.raises(ValidationError):
        problem.text = "y"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Problem.model_validate({"text": "x", "txt": "y"})
    with pytest.raises(ValidationError):
        Message.model_validate({"role": "robot", "content": "x"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"top_p": 0},
        {"top_p": 1.1},
        {"n": 0},
        {"n": 1025},
        {"max_tokens": 0},
        {"temperature": float("nan")},
    ],
    ids=str,
)
def test_sampling_bounds(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SamplingParams.model_validate(wrong)


def test_the_reference_goes_and_is_not_shown() -> None:
    problem = Problem(text="x", id="p", choices=("a",), language="en", reference="42", metadata={"solution": "42"})
    assert "42" not in repr(problem).replace("metadata={'solution': '42'}", "")
    hidden = problem.without_reference()
    assert hidden == Problem(text="x", id="p", choices=("a",), language="en")
    assert "42" not in hidden.model_dump_json()


def test_identity_is_text_and_choices() -> None:
    base = Problem(text="x", choices=("a", "b")).content_hash()
    assert base == Problem(text="x", choices=("a", "b"), id="other", reference="1").content_hash()
    assert base != Problem(text="x", choices=("b", "a")).content_hash()
    assert base != Problem(text="x", choices=("ab",)).content_hash()
    assert len(base) == 16


@given(USAGES, USAGES, USAGES)
def test_usage_adds_up(a: Usage, b: Usage, c: Usage) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Usage() == a
    assert (a + b).total_tokens == a.total_tokens + b.total_tokens


@given(st.text(), st.integers(0, 10**9))
def test_a_completion_survives_json(text: str, tokens: int) -> None:
    completion = Completion(text=text, usage=Usage(calls=1, completion_tokens=tokens))
    assert Completion.model_validate_json(completion.model_dump_json()) == completion


def test_a_check_of_before_claims_still_loads() -> None:
    old = '{"kind": "execution", "program": "6*7", "expected": "42", "outcome": "holds", "seconds": 0.1}'
    check = Check.model_validate_json(old)
    assert (check.claim, check.reason, check.mutations, check.strength) == ("", "", (), "weak")
    assert Check.model_validate_json(check.model_dump_json()) == check
    with pytest.raises(ValidationError):
        Check.model_validate_json(old.replace("execution", "magic"))
    with pytest.raises(ValidationError):  # strength is what the kind says, whatever a file claims
        Check.model_validate_json(old.replace('"seconds"', '"strength": "strong", "seconds"'))
