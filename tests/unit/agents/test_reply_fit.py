"""What of a typed reply is put right: forgivingly for a judge's reply, exactly where every part counts."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.agents.reply_fit import fit
from mathagent.agents.reply_schema import wire_schema
from mathagent.types import Value
from tests.unit.agents.test_reply_schema import Plain, Proposal


@pytest.mark.parametrize(
    ("value", "fitted"),
    [
        ({"Score": "90%", "Step": "Step 3 (the sum)"}, {"score": 0.9, "step": 3}),
        ({"score": "9/10", "step": "none of the 4"}, {"score": 0.9, "step": None}),
        ({"score": "0.9 out of 1", "step": "step-2"}, {"score": 0.9, "step": 2}),
        ({"score": 1, "step": "10000000000000001.0"}, {"score": 1, "step": 10000000000000001}),
        ({"score": 1, "answer": 42}, {"score": 1, "answer": "42"}),
        ({"score": 1, "answer": "N/A"}, {"score": 1, "answer": None}),
        ({"score": 1, "answer": "no solution"}, {"score": 1, "answer": "no solution"}),
        ({"score": 1, "reasons": "one"}, {"score": 1, "reasons": ["one"]}),
        ({"score": 1, "reasons": None, "confidence": 7}, {"score": 1, "reasons": []}),
        ({"name": "reply", "arguments": {"score": 0.5}}, {"score": 0.5}),
        ({"score": 1, "reasons": list("abcd")}, {"score": 1, "reasons": ["a", "b", "c"]}),
        ({"a": {"b": {"score": 1}}}, {}),
        ({"score": "high"}, {"score": "high"}),
        ("text", "text"),
    ],
)
def test_fit(value: Any, fitted: object) -> None:
    assert fit(value, wire_schema(Plain)) == fitted


def test_fit_of_lists_of_variants() -> None:
    schema = wire_schema(Proposal)
    written = {
        "verdict": "Not sure.",
        "checks": {"Kind": "RANGE", "low": "1", "high": "null", "why": "because"},
    }
    fitted = fit(written, schema)
    assert fitted == {"verdict": "not-sure", "checks": [{"kind": "range", "low": 1, "high": None}]}
    assert fit([{"kind": "substitution", "equation": ["x", "= 1"]}], schema) == {
        "checks": [{"kind": "substitution", "equation": "x\n= 1"}]
    }


class Wide(Value):
    sign: Literal["+", "-", "a", "A"] = "+"
    either: int | str = 0
    pair: tuple[int, str] = (0, "")
    counts: dict[str, int] = {}  # noqa: RUF012
    x_1: int = 0
    x1: int = 0


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("value", "fitted"),
    [
        ({"sign": "-"}, {"sign": "-"}),  # not the first that looks alike without its signs
        ({"sign": "A"}, {"sign": "A"}),
        ({"either": "room 5"}, {"either": "room 5"}),
        ({"either": 5}, {"either": 5}),
        ({"pair": ["7.0", 5]}, {"pair": [7, "5"]}),
        ({"counts": {"Big One": "3"}}, {"counts": {"Big One": 3}}),
        ({"x1": 1, "x_1": 2}, {"x1": 1, "x_1": 2}),
    ],
)
def test_fit_takes_what_is_right_already(value: Any, fitted: object, exact: bool) -> None:
    assert fit(value, wire_schema(Wide), exact=exact) == fitted


@pytest.mark.parametrize(
    ("value", "fitted"),
    [
        ({"score": "90%", "step": "Step 3"}, {"score": 0.9, "step": "Step 3"}),
        ({"score": "0.9 of 1"}, {"score": "0.9 of 1"}),
        ({"step": "3.5"}, {"step": "3.5"}),
        ({"step": "none"}, {"step": None}),
        ({"answer": "N/A"}, {"answer": "N/A"}),  # where a text may stand, it is one
        ({"reasons": "one"}, {"reasons": "one"}),
        ({"reasons": list("abcd")}, {"reasons": ["a", "b", "c", "d"]}),
        ({"right": "yes", "why": "because"}, {"right": "yes"}),
    ],
)
def test_an_exact_fit_guesses_nothing(value: Any, fitted: object) -> None:
    assert fit(value, wire_schema(Plain), exact=True) == fitted


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12), st.sampled_from(["{}", "{}.0", "${:,}", "{:,}", " {} ", "{} dollars"]))
def test_a_number_in_other_words_is_that_number(number: int, form: str) -> None:
    fitted = fit({"step": form.format(number)}, wire_schema(Plain), exact=True)
    assert fitted == {"step": number}
    assert type(fitted["step"]) is int


@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["{} or {}", "{} and {}", "{}; {}", "x_{} = {}"])
)
def test_two_numbers_are_none(a: int, b: int, form: str) -> None:
    text = form.format(a, b)
    assert fit({"step": text}, wire_schema(Plain), exact=True) == {"step": text}
