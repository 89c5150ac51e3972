"""The running numbers of a run, against figures worked out by hand and Wilson's interval from SciPy's formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.evals.metrics import wilson_interval
from mathagent.evals.progress import Tally
from mathagent.evals.records import Record
from mathagent.types import Usage


def record(outcome: str = "correct", *, dollars: float | None = None, seconds: float = 1.0) -> Record:
    return Record.model_validate(
        {
            "key": "k",
            "dataset": "d",
            "problem_id": "p",
            "strategy": "cot",
            "config": {},
            "model": "m",
            "reference": "1",
            "answer": None if outcome == "error" else "1",
            "outcome": outcome,
            "reason": "",
            "failure": {"correct": None, "incorrect": "wrong"}.get(outcome, "error"),
            "usage": Usage(completion_tokens=10),
            "dollars": dollars,
            "seconds": seconds,
        }
    )


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left_are_of_what_is_new() -> None:
    clock = Clock()
    tally = Tally("all", 50, clock)
    tally.begin()
    for _ in range(20):
        tally.add(record(), True)
    assert (tally.rate, tally.seconds_left) == (None, None)
    clock.now += 5
    for _ in range(10):
        tally.add(record(), False)
    assert tally.rate == pytest.approx(2.0)
    assert tally.seconds_left == pytest.approx(10.0)
    clock.now += 5
    assert tally.rate == pytest.approx(1.0)  # nothing came: it slows down
    for _ in range(20):
        tally.add(record(), False)
    clock.now += 1000
    assert tally.rate == pytest.approx(3.0)  # the time after the end does not count
    assert tally.seconds_left == 0.0


def test_an_arm_that_begins_later_counts_from_its_first_attempt() -> None:
    clock = Clock()
    tally = Tally("arm", 4, clock)
    clock.now += 500
    tally.add(record(seconds=2.0), False)
    assert tally.rate == pytest.approx(0.5)


def test_errors_and_undecided_grades_are_no_wrong_answers() -> None:
    tally = Tally("all", 10)
    for outcome in ("correct", "correct", "incorrect", "error", "undecided"):
        tally.add(record(outcome), False)
    assert tally.accuracy == (2 / 3, *wilson_interval(2, 3))
    assert tally.failures == {"wrong": 1, "error": 1, "undecided": 1}
    assert tally.tokens == 50


def test_money_is_the_sum_of_what_is_known() -> None:
    tally = Tally("all", 3)
    tally.add(record(dollars=0.0), False)
    assert not tally.priced  # a free model: nothing to show
    tally.add(record(dollars=0.25), False)
    tally.add(record(), False)
    assert (tally.priced, tally.dollars) == (True, 0.25)


@given(st.lists(st.sampled_from(["correct", "incorrect", "error"]), max_size=30), st.integers(0, 40))
def test_what_is_done_and_left_add_up(outcomes: list[str], total: int) -> None:
    tally = Tally("all", max(total, len(outcomes)))
    for outcome in outcomes:
        tally.add(record(outcome), False)
    assert tally.done + tally.left == tally.total
    assert tally.done == tally.right + sum(tally.failures.values())
    assert (tally.accuracy is None) == (tally.graded == 0)
