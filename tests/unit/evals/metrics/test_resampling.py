"""The bootstrap: reproducible, paired, clustered, and near its closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from mathagent.evals.metrics.intervals import standard_error
from mathagent.evals.metrics.resampling import bootstrap_mean, bootstrap_ratio, resampled_sums

DIFFERENCES = [int(x) - int(y) for x, y in zip("1101011011", "1001001010", strict=True)]


def test_the_draws_are_numpys() -> None:
    """Ten thousand resamples of ten with default_rng(0), drawn at once: 275 have no difference above 0."""
    chosen = np.random.default_rng(0).integers(0, 10, (10_000, 10))
    means = np.array(DIFFERENCES)[chosen].mean(axis=1)
    found = bootstrap_mean(DIFFERENCES, seed=0)
    assert (found.low, found.high) == pytest.approx((0.0, 0.6))
    assert found.not_above == pytest.approx(((means <= 1e-12).sum() + 1) / 10_001)
    assert found.not_above == pytest.approx(276 / 10_001)
    assert bootstrap_mean(DIFFERENCES, seed=1) == bootstrap_mean(DIFFERENCES, seed=1)


def test_many_values_give_the_normal_interval() -> None:
    values = np.random.default_rng(7).normal(0.2, 1.0, 2000).tolist()
    found = bootstrap_mean(values, draws=4000)
    half = 1.96 * standard_error(values)
    mean = sum(values) / len(values)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half), abs=0.1 * half)


def test_copies_in_a_family_do_not_narrow_it() -> None:
    values = [float(value) for value in DIFFERENCES]
    copied = [value for value in values for _ in range(6)]
    families = [place for place in range(len(values)) for _ in range(6)]
    clustered = bootstrap_mean(copied, families, seed=5)
    alone = bootstrap_mean(values, seed=5)
    assert (clustered.low, clustered.high) == pytest.approx((alone.low, alone.high))
    loose = bootstrap_mean(copied, seed=5)
    assert loose.high - loose.low < 0.6 * (clustered.high - clustered.low)


def test_sums_are_of_the_same_items() -> None:
    sums = resampled_sums([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]], draws=50)
    assert sums.shape == (50, 3)
    assert np.allclose(sums[:, 1], 10 * sums[:, 0])
    assert (sums[:, 2] == 3).all()


def test_ratio() -> None:
    found = bootstrap_ratio([100.0] * 40, [1.0, 0.0] * 20)
    assert found is not None
    assert found.low < 200 < found.high
    constant = bootstrap_ratio([100.0] * 40, [0.5] * 40)
    assert constant is not None
    assert (constant.low, constant.high) == pytest.approx((200, 200))
    assert bootstrap_ratio([100.0, 100.0], [0.0, 0.0]) is None


def test_nothing_to_resample() -> None:
    with pytest.raises(ValueError, match="nothing to resample"):
        bootstrap_mean([])
