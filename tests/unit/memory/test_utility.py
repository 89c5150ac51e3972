"""What a full store drops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.memory.experience import TRUST_ORDER
from mathagent.memory.utility import (
    HALF_LIFE_S,
    LEAST_RECENCY,
    PRIOR_SUCCESS,
    Standing,
    least_useful,
    recency,
    success_rate,
    utility,
)

NOW = 1e9


def standing(number: int, **fields: float) -> Standing:
    usual = {"trust": 2, "uses": 0, "successes": 0, "last_time": NOW, "shape": number}
    return Standing(number=number, **{**usual, **fields})  # type: ignore[arg-type]


def test_every_trust_has_a_prior_and_more_trust_a_higher_one() -> None:
    assert len(PRIOR_SUCCESS) == len(TRUST_ORDER)
    assert sorted(PRIOR_SUCCESS) == list(PRIOR_SUCCESS)
    assert [success_rate(0, 0, trust) for trust in range(5)] == pytest.approx(PRIOR_SUCCESS)


def test_the_prior_gives_way_to_what_happened() -> None:
    assert success_rate(1000, 900, 0) == pytest.approx(0.9, abs=0.01)
    assert success_rate(2, 2, 2) > success_rate(1, 1, 2) > success_rate(0, 0, 2) > success_rate(1, 0, 2)
    assert success_rate(100, 90, 2) > success_rate(1, 1, 2)


def test_age() -> None:
    assert recency(0) == recency(-5) == 1
    assert recency(HALF_LIFE_S) == pytest.approx((1 + LEAST_RECENCY) / 2)
    assert recency(1e12) == pytest.approx(LEAST_RECENCY)


def test_utility_is_rate_times_recency_shared_by_the_alike() -> None:
    one = standing(1, uses=4, successes=4, last_time=NOW - HALF_LIFE_S)
    assert utility(one, now=NOW, better_alike=0) == pytest.approx((4 + 4 * 0.6) / 8 * 0.75)
    assert utility(one, now=NOW, better_alike=2) == pytest.approx((4 + 4 * 0.6) / 8 * 0.75 / 3)


def test_what_goes_first() -> None:
    best = standing(1, uses=9, successes=9)
    unproved = standing(2)
    old = standing(3, last_time=NOW - 9 * HALF_LIFE_S)
    useless = standing(4, uses=9)
    assert least_useful([best, unproved, old, useless], 3, now=NOW) == [4, 3, 2]


def test_of_many_alike_one_stays_before_what_is_alone_goes() -> None:
    alike = [standing(number, trust=4, shape=7) for number in (1, 2, 3)]
    alone = standing(4, trust=0)
    assert least_useful([*alike, alone], 2, now=NOW) == [1, 4]
    assert least_useful([*alike, alone], 3, now=NOW) == [1, 4, 2]


standings = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 5), st.floats(0, NOW), st.integers(0, 3)),
    max_size=20,
).map(
    lambda rows: [
        standing(number, trust=row[0], uses=max(row[1:3]), successes=min(row[1:3]), last_time=row[3], shape=row[4])
        for number, row in enumerate(rows)
    ]
)


@given(standings=standings, count=st.integers(0, 25))
def test_the_order_is_one_whatever_the_count_and_the_order_of_rows(standings: list[Standing], count: int) -> None:
    whole = least_useful(standings, len(standings), now=NOW)
    assert sorted(whole) == sorted(one.number for one in standings)
    assert least_useful(reversed(standings), count, now=NOW) == whole[:count]
