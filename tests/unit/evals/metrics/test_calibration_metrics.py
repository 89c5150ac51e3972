"""Measures of probabilities against values computed by hand, and their laws."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.evals.metrics.calibration import (
    Bin,
    RiskPoint,
    accuracy_at_coverage,
    aurc,
    brier,
    calibration_error,
    reliability,
    risk_coverage,
)

CHANCES = [0.9, 0.8, 0.65, 0.6, 0.3, 0.1]
RIGHT = [True, True, False, True, False, False]

chances_and_outcomes = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def split(pairs: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [chance for chance, _ in pairs], [right for _, right in pairs]


def test_brier() -> None:
    # squares: .01 .04 .4225 .16 .09 .01
    assert brier(CHANCES, RIGHT) == pytest.approx(0.7325 / 6)
    assert brier([0.5, 0.5], [True, False]) == 0.25
    assert brier([1.0, 0.0], [True, False]) == 0.0


def test_reliability_of_equal_width() -> None:
    table = reliability(CHANCES, RIGHT, bins=2)
    assert table[0] == Bin(low=0.0, high=0.5, answers=2, confidence=0.2, accuracy=0.0)
    assert (table[1].answers, table[1].accuracy) == (4, 0.75)
    assert table[1].confidence == pytest.approx(0.7375)
    assert calibration_error(CHANCES, RIGHT, bins=2) == pytest.approx((2 * 0.2 + 4 * 0.0125) / 6)


def test_borders_belong_to_the_bin_below_and_zero_to_the_first() -> None:
    table = reliability([0.0, 0.1, 0.11, 0.5, 1.0], [True] * 5)
    assert [(one.low, one.answers) for one in table] == [(0.0, 2), (0.1, 1), (0.4, 1), (0.9, 1)]
    assert [one.high for one in reliability([0.55], [True], bins=20)] == [0.55]


def test_reliability_of_equal_mass() -> None:
    table = reliability(CHANCES, RIGHT, bins=3, equal_mass=True)
    assert [(one.low, one.high, one.answers) for one in table] == [(0.1, 0.3, 2), (0.6, 0.65, 2), (0.8, 0.9, 2)]
    # |0 - .2|, |.5 - .625|, |1 - .85|, each a third
    assert calibration_error(CHANCES, RIGHT, bins=3, equal_mass=True) == pytest.approx((0.2 + 0.125 + 0.15) / 3)


def test_equal_mass_never_parts_equal_probabilities() -> None:
    chances = [0.2] + [0.5] * 8 + [0.7]
    for outcomes in ([True] * 5 + [False] * 5, [False] * 5 + [True] * 5):
        table = reliability(chances, outcomes, bins=5, equal_mass=True)
        assert [one.answers for one in table] == [9, 1]
    table = reliability([0.1, 0.1, 0.1, 0.4, 0.9], [True] * 5, bins=5, equal_mass=True)
    assert [one.answers for one in table] == [3, 1, 1]


def test_risk_coverage_by_hand() -> None:
    points = risk_coverage(CHANCES, RIGHT)
    risks = [0, 0, 1 / 3, 1 / 4, 2 / 5, 3 / 6]
    assert [point.risk for point in points] == pytest.approx(risks)
    assert [point.coverage for point in points] == pytest.approx([k / 6 for k in range(1, 7)])
    assert aurc(CHANCES, RIGHT) == pytest.approx(sum(risks) / 6)


def test_among_equals_the_wrong_are_spread() -> None:
    assert risk_coverage([0.5, 0.5], [False, True]) == [
        RiskPoint(coverage=0.5, risk=0.5),
        RiskPoint(coverage=1.0, risk=0.5),
    ]
    assert aurc([0.5] * 4, [True, False, True, True]) == pytest.approx(0.25)


def test_accuracy_at_coverage() -> None:
    assert accuracy_at_coverage(CHANCES, RIGHT, 1.0) == 0.5
    assert accuracy_at_coverage(CHANCES, RIGHT, 0.8) == pytest.approx(3 / 5)
    assert accuracy_at_coverage(CHANCES, RIGHT, 1 / 3) == 1.0
    assert accuracy_at_coverage(CHANCES, RIGHT, 0.01) == 1.0
    thirty_five = [number / 100 for number in range(35)]
    right = [False] * 7 + [True] * 28
    assert accuracy_at_coverage(thirty_five, right, 0.8) == 1.0


@given(chances_and_outcomes)
def test_laws(pairs: list[tuple[float, bool]]) -> None:
    chances, right = split(pairs)
    share = sum(right) / len(right)
    for equal_mass in (False, True):
        table = reliability(chances, right, equal_mass=equal_mass)
        assert sum(one.answers for one in table) == len(pairs)
        assert 0 <= calibration_error(chances, right, equal_mass=equal_mass) <= 1
        assert all(one.low - 1e-12 <= one.confidence <= one.high + 1e-12 for one in table)
    assert risk_coverage(chances, right)[-1].risk == pytest.approx(1 - share)
    assert brier([share] * len(right), right) <= brier([0.5] * len(right), right) + 1e-12


@given(chances_and_outcomes, st.randoms())
def test_order_does_not_matter(pairs: list[tuple[float, bool]], random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    measures: tuple[Callable[[list[float], list[bool]], float], ...] = (
        brier,
        aurc,
        calibration_error,
        lambda chances, right: calibration_error(chances, right, equal_mass=True),
        lambda chances, right: accuracy_at_coverage(chances, right, 0.5),
    )
    for measure in measures:
        assert measure(*split(shuffled)) == pytest.approx(measure(*split(pairs)))


@pytest.mark.parametrize(
    ("chances", "right"), [([], []), ([0.5], []), ([1.5], [True]), ([-0.1], [True]), ([float("nan")], [True])]
)
def test_nonsense_is_refused(chances: list[float], right: list[bool]) -> None:
    for measure in (brier, calibration_error, aurc):
        with pytest.raises(ValueError):  # noqa: PT011 - what is wrong differs
            measure(chances, right)


def test_no_coverage_is_refused() -> None:
    for coverage in (0.0, 1.1):
        with pytest.raises(ValueError, match="impossible"):
            accuracy_at_coverage(CHANCES, RIGHT, coverage)
