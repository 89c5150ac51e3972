"""Wilson's interval against published values and its laws; summaries count what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.evals.metrics import summarize, wilson_interval
from mathagent.evals.records import Outcome, Record
from mathagent.types import Usage


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_intervals(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 2000), st.data())
def test_interval_holds_the_share_and_is_symmetric(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert wilson_interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low))


def test_no_trials_and_nonsense() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="impossible"):
        wilson_interval(3, 2)


def record(outcome: Outcome, *, failure: str | None = None, cached: int = 0, seconds: float = 2.0) -> Record:
    return Record(
        key=outcome,
        dataset="d",
        problem_id=outcome,
        strategy="pal",
        config={},
        model="script:x",
        reference="1",
        answer=None,
        outcome=outcome,
        reason="",
        failure=failure,
        usage=Usage(calls=2, prompt_tokens=10, completion_tokens=5, cached_calls=cached),
        seconds=seconds,
    )


def test_undecided_and_errors_are_never_wrong() -> None:
    records = [
        record("correct"),
        record("incorrect", failure="wrong", seconds=4.0),
        record("undecided", failure="wrong", cached=1, seconds=0.0),
        record("error", failure="error"),
    ]
    summary = summarize(records, strategy="pal", model="script:x", dataset="d")
    assert (summary.correct, summary.incorrect, summary.undecided, summary.errors) == (1, 1, 1, 1)
    assert summary.accuracy == 0.5
    assert (summary.low, summary.high) == wilson_interval(1, 2)
    assert summary.seconds == 3.0
    assert summary.calls == 2
    assert summary.failures == {"wrong": 2, "error": 1}


def test_nothing_graded_has_no_accuracy() -> None:
    summary = summarize([record("undecided")], strategy="pal", model="m", dataset="d")
    assert summary.accuracy is None
    assert (summary.low, summary.high) == (0.0, 1.0)
