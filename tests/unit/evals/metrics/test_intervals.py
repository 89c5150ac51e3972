"""Wilson's interval and clustered standard errors against SciPy, statsmodels, closed forms and their laws."""

from __future__ import annotations

from math import isinf, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.evals.metrics.intervals import estimate, standard_error, variance_parts, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # scipy.stats.binomtest(...).proportion_ci(method="wilson"), SciPy 1.17.1
        (7, 10, 0.39677814746114526, 0.892208732593699),
        (1000, 1319, 0.7343131251145445, 0.7804877948740896),
        (0, 10, 0.0, 0.27753279986288926),
        (29, 30, 0.8332960900859083, 0.9940914096183875),
    ],
)
def test_wilson_as_scipy(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=1e-12)


def test_clustered_error_as_statsmodels() -> None:
    """OLS on a constant, cov_type="cluster" without correction, statsmodels 0.15."""
    values = [1, 0.5, 0, 0.25, 1, 1, 0, 0.75, 0.5, 0, 1, 0.25]
    clusters = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 5]
    assert standard_error(values, clusters, small_sample=False) == pytest.approx(0.06865875, abs=5e-9)


def test_clustered_error_by_hand() -> None:
    groups = [[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0]]
    values = [value for group in groups for value in group]
    clusters = [place for place, group in enumerate(groups) for _ in group]
    # The sums of deviations from .5625 are .75, -2.25, 1.75 and -.25; their squares add up to 8.75.
    assert standard_error(values, clusters, small_sample=False) == pytest.approx(sqrt(8.75) / 16)
    assert standard_error(values, clusters) == pytest.approx(sqrt(8.75 * 4 / 3) / 16)


def test_values_alone_give_the_textbook_error() -> None:
    values = [0.5, -0.25, 0.25, 0.75, 0.0, 0.5, -0.5, 0.25, 1.0, 0.25]
    assert standard_error(values) == pytest.approx(0.14166666666666666)  # scipy.stats.sem


def test_one_cluster_shows_nothing() -> None:
    assert isinf(standard_error([1, 0, 1], ["a", "a", "a"]))
    assert isinf(standard_error([1]))
    with pytest.raises(ValueError, match="no mean"):
        standard_error([])


@given(st.lists(st.booleans(), min_size=2, max_size=200))
def test_independent_right_or_wrong_is_plain_wilson(right: list[bool]) -> None:
    found = estimate([float(one) for one in right])
    assert (found.low, found.high) == wilson_interval(sum(right), len(right))
    assert found.clusters == found.items == len(right)


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.integers(2, 5))
def test_copies_of_an_item_add_nothing(right: list[bool], copies: int) -> None:
    """Each item ``copies`` times in one cluster: as sure as each once, whatever their number."""
    once = estimate([float(one) for one in right])
    scores = [float(one) for one in right for _ in range(copies)]
    clustered = estimate(scores, [place for place in range(len(right)) for _ in range(copies)])
    assert clustered.mean == pytest.approx(once.mean)
    assert clustered.standard_error == pytest.approx(once.standard_error)
    assert (clustered.low, clustered.high) == pytest.approx((once.low, once.high))


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=1, max_size=60))
def test_interval_holds_the_mean_and_stays_inside(pairs: list[tuple[float, int]]) -> None:
    found = estimate([score for score, _ in pairs], [cluster for _, cluster in pairs])
    assert -1e-9 <= found.low <= found.mean + 1e-9
    assert found.mean - 1e-9 <= found.high <= 1 + 1e-9


def test_parts_of_variance_add_up() -> None:
    attempts = [[1, 0], [1, 1], [0, 0], [1, 0]]
    parts = variance_parts(attempts)
    # Item means 0.5, 1, 0, 0.5 have variance 1/6; within items 1/2, 0, 0, 1/2, over two attempts each.
    assert parts.between + parts.within == pytest.approx(1 / 6 / 4)
    assert parts.within == pytest.approx((1 / 4 + 0 + 0 + 1 / 4) / 4 / 4)


def test_parts_of_variance_need_repetition() -> None:
    with pytest.raises(ValueError, match="two attempts"):
        variance_parts([[1], [0]])
