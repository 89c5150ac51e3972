"""The coverage curve and the law that it follows."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.evals.metrics.attempts import Pool
from mathagent.evals.metrics.coverage import (
    coverage_curve,
    fit_power_law,
    forecast_coverage,
    pools_power_law,
    power_law_band,
    powers_of_two,
)

KS = [1, 2, 4, 8, 16, 32, 64, 128]


def pools(chances: list[float], attempts: int, *, seed: int = 0) -> list[Pool]:
    generator = np.random.default_rng(seed)
    found = []
    for number, chance in enumerate(chances):
        right = tuple(bool(one) for one in generator.random(attempts) < chance)
        voted = tuple(0 if one else int(generator.integers(1, 30)) for one in right)
        found.append(
            Pool(
                key=str(number),
                cluster=str(number),
                right=right,
                voted=voted,
                scores=(None,) * attempts,
                completion_tokens=(100,) * attempts,
            )
        )
    return found


@given(st.floats(-3, -0.1), st.floats(-1, -0.05))
def test_the_law_is_found_again(a: float, b: float) -> None:
    law = fit_power_law(KS, [exp(a * k**b) for k in KS])
    assert law is not None
    assert (law.a, law.b) == pytest.approx((a, b), rel=1e-9)
    assert law.r_squared == pytest.approx(1)
    assert law.at(256) == pytest.approx(exp(a * 256**b))


def test_the_law_does_not_reach_far() -> None:
    law = fit_power_law(KS, [exp(-1.2 * k**-0.3) for k in KS])
    assert law is not None
    with pytest.raises(ValueError, match="too far"):
        law.at(513)


def test_too_few_points_are_no_law() -> None:
    assert fit_power_law([1, 2, 4, 8], [0.2, 0.4, 1.0, 1.0]) is None
    assert fit_power_law([1, 2, 4], [0.0, 0.0, 0.0]) is None


def test_curve_of_a_pool() -> None:
    curve = coverage_curve(pools([0.5] * 40, 16))
    assert [point.k for point in curve.points] == [1, 2, 4, 8, 16]
    assert (curve.items, curve.left_out, curve.attempts) == (40, 0, 16)
    coverage = [point.oracle.mean for point in curve.points]
    assert coverage == sorted(coverage)
    first, last = curve.points[0], curve.points[-1]
    assert first.oracle.mean == first.majority.mean == first.reliability
    assert first.selection_gap == 0
    assert last.selection_gap == pytest.approx(last.oracle.mean - last.majority.mean)
    assert last.best_of is None
    assert last.completion_tokens == 1600


def test_all_points_are_of_the_same_items() -> None:
    uneven = [*pools([0.5] * 19, 8), *pools([0.5], 3, seed=9)]
    curve = coverage_curve(uneven)
    assert (curve.items, curve.left_out, curve.attempts) == (19, 1, 8)
    with pytest.raises(ValueError, match="no item has 9"):
        coverage_curve(uneven, [9])
    with pytest.raises(ValueError, match="without attempts"):
        coverage_curve([])


def test_the_law_forecasts_a_beta_population() -> None:
    """Chances from a beta(0.5, 2) distribution: fitted to k = 1 to 32, the law is near the truth at 64."""
    chances = np.random.default_rng(1).beta(0.5, 2, size=600).tolist()
    made = pools(chances, 64)
    law = pools_power_law(made)
    assert law is not None
    assert law.largest_k == 32
    assert law.at(64) == pytest.approx(
        0.8360593126807727, abs=0.06
    )  # 1 - scipy.stats.betabinom(64, 0.5, 2).pmf(0)
    [(low, high)] = power_law_band(made, [64], draws=100)
    assert low < law.at(64) < high
    assert high - low < 0.2


def test_forecast_is_of_twice_the_attempts() -> None:
    made = pools(np.random.default_rng(2).beta(0.5, 2, size=200).tolist(), 32)
    law, found = pools_power_law(made), forecast_coverage(made)
    assert law is not None
    assert found is not None
    assert found.k == 64
    assert found.coverage == law.at(64)
    assert found.low < found.coverage < found.high
    assert found.unsolved == sum(not any(pool.right) for pool in made) / 200
    assert forecast_coverage(pools([0.5] * 5, 2)) is None


def test_steps_of_k() -> None:
    assert powers_of_two(1) == [1]
    assert powers_of_two(6) == [1, 2, 4, 6]
    assert powers_of_two(8) == [1, 2, 4, 8]
