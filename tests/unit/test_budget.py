"""Budget and Meter: the arithmetic of limits."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mathagent.budget import Budget, Meter
from mathagent.errors import LimitReached
from mathagent.types import Usage


def used(tokens: int = 0, calls: int = 0) -> Usage:
    return Usage(calls=calls, completion_tokens=tokens)


@pytest.mark.parametrize("field", ["max_tokens", "max_calls", "max_seconds"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_budget_of_nothing_is_refused(field: str, value: int) -> None:
    with pytest.raises(ValidationError):
        Budget(**{field: value})


def test_no_budget_is_no_limit() -> None:
    meter = Meter()
    meter.add(used(10**9, 10**6))
    assert meter.limit_reached() is None
    assert meter.seconds_left() is None
    assert meter.reserve(1024, 10**6).max_tokens == 10**6


def test_each_limit_names_itself() -> None:
    now = [100.0]
    meter = Meter(Budget(max_tokens=10, max_calls=2, max_seconds=5), clock=lambda: now[0])
    assert meter.limit_reached() is None
    meter.add(used(10, 1))
    assert meter.limit_reached().limit == "max_tokens"  # type: ignore[union-attr]
    meter.add(used(0, 1))
    assert meter.limit_reached().limit == "max_calls"  # type: ignore[union-attr]
    now[0] = 104.0
    assert meter.seconds_left() == 1.0
    now[0] = 105.0
    assert meter.limit_reached().limit == "max_seconds"  # type: ignore[union-attr]
    meter.interrupt()
    assert meter.limit_reached().limit == "interrupted"  # type: ignore[union-attr]
    assert meter.seconds == 5.0


def test_tokens_are_divided_over_the_samples() -> None:
    meter = Meter(Budget(max_tokens=100))
    assert meter.reserve(3, 50).max_tokens == 33
    with pytest.raises(LimitReached):
        meter.reserve(2, 50)
    assert meter.reserve(1, 50).max_tokens == 1


def test_a_reservation_gives_back_what_was_not_used() -> None:
    meter = Meter(Budget(max_tokens=100, max_calls=4))
    reservation = meter.reserve(2, 40)
    meter.add(used(15, 1), reservation)
    other = meter.reserve(1, 100)
    assert other.max_tokens == 20
    meter.release(reservation)
    meter.release(reservation)  # twice is once
    assert meter.reserve(1, 100).max_tokens == 65


def test_usage_beyond_a_reservation_comes_out_of_no_other() -> None:
    meter = Meter(Budget(max_tokens=100))
    greedy, modest = meter.reserve(1, 30), meter.reserve(1, 30)
    meter.add(used(50, 2), greedy)
    meter.release(greedy)
    assert (modest.tokens, meter.reserve(1, 100).max_tokens) == (30, 20)


def test_cached_calls_count_like_the_calls_they_repeat() -> None:
    meter = Meter(Budget(max_calls=1))
    meter.add(Usage(calls=1, cached_calls=1))
    assert meter.limit_reached() is not None


async def test_interrupt_wakes_who_waits() -> None:
    meter = Meter()
    waiting = meter.interruption()
    await asyncio.sleep(0)
    assert not waiting.done()
    meter.interrupt()
    await asyncio.wait_for(waiting, 5)
    assert meter.interrupted


@given(
    st.integers(1, 500),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(1, 8), st.integers(1, 200), st.floats(0, 1), st.booleans()), max_size=40),
)
def test_reservations_never_overdraw(tokens: int, calls: int, steps: list[tuple[int, int, float, bool]]) -> None:
    meter = Meter(Budget(max_tokens=tokens, max_calls=calls))
    waiting = []
    for n, longest, share, ends in steps:
        try:
            reservation = meter.reserve(n, longest)
        except LimitReached:
            continue
        assert 1 <= reservation.max_tokens <= longest
        waiting.append((reservation, n, round(share * reservation.max_tokens) * n))
        if ends:
            first, count, spent = waiting.pop(0)
            meter.add(used(spent, count), first)
            meter.release(first)
    for reservation, count, spent in waiting:
        meter.add(used(spent, count), reservation)
        meter.release(reservation)
    assert meter.usage.completion_tokens <= tokens
    assert meter.usage.calls <= calls
    assert (meter._reserved_tokens, meter._reserved_calls) == (0, 0)
