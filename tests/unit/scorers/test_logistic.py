"""Logistic regression against closed forms, against its own optimality, and where there is no best line."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.scorers.logistic import Line, fit_line


def table(counts: dict[tuple[float, bool], int]) -> tuple[list[list[float]], list[bool]]:
    rows = [[value] for (value, _), count in counts.items() for _ in range(count)]
    return rows, [right for (_, right), count in counts.items() for _ in range(count)]


def test_without_features_it_is_the_log_odds_of_the_share() -> None:
    line = fit_line([[]] * 10, [True] * 7 + [False] * 3, 1.0)
    assert line.weights == ()
    assert line.intercept == pytest.approx(log(7 / 3))


def test_one_yes_or_no_feature_gives_the_log_odds_of_each_group() -> None:
    rows, outcomes = table({(1.0, True): 30, (1.0, False): 10, (0.0, True): 5, (0.0, False): 15})
    line = fit_line(rows, outcomes, 0.0)
    assert line.log_odds([1.0]) == pytest.approx(log(30 / 10))
    assert line.log_odds([0.0]) == pytest.approx(log(5 / 15))
    assert line.weights[0] / line.scale[0] == pytest.approx(log(30 * 15 / (10 * 5)))


def test_the_weight_of_two_equal_groups_solves_its_equation() -> None:
    """Half the rows at -1, half at 1, mirrored outcomes: the intercept is 0 and n (sigmoid(w) - share) + C w = 0."""
    rows, outcomes = table({(1.0, True): 9, (1.0, False): 1, (-1.0, True): 1, (-1.0, False): 9})
    weight = fit_line(rows, outcomes, 2.0).weights[0]
    assert 20 * (1 / (1 + exp(-weight)) - 0.9) + 2.0 * weight == pytest.approx(0, abs=1e-6)


def test_separable_outcomes_need_a_penalty() -> None:
    rows, outcomes = table({(0.0, False): 10, (1.0, True): 10})
    with pytest.raises(ValueError, match="separable"):
        fit_line(rows, outcomes, 0.0)
    line = fit_line(rows, outcomes, 1.0)
    assert line.log_odds([1.0]) == pytest.approx(-line.log_odds([0.0]))
    assert 1 < line.log_odds([1.0]) < 10


def test_a_greater_penalty_makes_smaller_weights_and_leaves_the_share() -> None:
    rows, outcomes = table({(1.0, True): 30, (1.0, False): 10, (0.0, True): 5, (0.0, False): 15})
    weights = [abs(fit_line(rows, outcomes, penalty).weights[0]) for penalty in (0.1, 1, 10, 100, 1e6)]
    assert weights == sorted(weights, reverse=True)
    line = fit_line(rows, outcomes, 1e9)
    assert line.log_odds([1.0]) == pytest.approx(log(35 / 25), abs=1e-4)


def test_a_feature_that_never_changes_weighs_nothing() -> None:
    rows, outcomes = table({(1.0, True): 30, (1.0, False): 10, (0.0, True): 5, (0.0, False): 15})
    for penalty in (0.0, 1.0):
        alone = fit_line(rows, outcomes, penalty)
        beside = fit_line([[0.1, *row, 7.0] for row in rows], outcomes, penalty)
        assert beside.weights == pytest.approx((0.0, alone.weights[0], 0.0))
        assert beside.log_odds([5.0, 1.0, -3.0]) == pytest.approx(alone.log_odds([1.0]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 1.0, 30.0]))
def test_the_gradient_vanishes(seed: int, penalty: float) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(40, 6)) * random.uniform(0.01, 100, size=6)
    outcomes = random.random(40) < 0.4
    outcomes[:2] = [True, False]
    line = fit_line(rows.tolist(), outcomes.tolist(), penalty)
    standard = (rows - np.array(line.mean)) / np.array(line.scale)
    odds = np.array([line.log_odds(row) for row in rows.tolist()])
    errors = 1 / (1 + np.exp(-odds)) - outcomes
    assert abs(errors.sum()) < 1e-6
    assert np.abs(standard.T @ errors + penalty * np.array(line.weights)).max() < 1e-6


def test_units_do_not_matter() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(50, 2))
    outcomes = (rows[:, 0] + random.normal(size=50) > 0).tolist()
    one = fit_line(rows.tolist(), outcomes, 1.0)
    other = fit_line((rows * [1000, 0.001] + [5, -5]).tolist(), outcomes, 1.0)
    assert other.weights == pytest.approx(one.weights)


def test_outcomes_of_one_kind_have_no_line() -> None:
    with pytest.raises(ValueError, match="one kind"):
        fit_line([[1.0], [2.0]], [True, True], 1.0)


def test_a_row_of_another_length_is_refused() -> None:
    line = Line(intercept=0.0, weights=(1.0,), mean=(0.0,), scale=(1.0,))
    with pytest.raises(ValueError, match=r"longer|shorter"):
        line.log_odds([1.0, 2.0])
