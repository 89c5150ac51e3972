"""How many items: the closed form, statsmodels' number, and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.evals.metrics.power import detectable_difference, discordant_variance, items_needed


def test_as_statsmodels() -> None:
    """normal_sample_size_one_tail(.03, .8, .025, std_null=sqrt(.1491)) is 1300.2977 (statsmodels 0.15)."""
    assert items_needed(0.03, discordant_variance(0.15, 0.03)) == 1301


def test_simulated_power_is_what_was_asked_for() -> None:
    gain, loss = 0.15, 0.07
    count = items_needed(gain - loss, discordant_variance(gain + loss, gain - loss))
    assert count is not None
    generator = np.random.default_rng(0)
    differences = generator.choice([1, -1, 0], p=[gain, loss, 1 - gain - loss], size=(2000, count))
    z = differences.mean(axis=1) / (differences.std(axis=1, ddof=1) / np.sqrt(count))
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.03)


@given(st.floats(0.01, 0.5), st.floats(0.01, 1.0))
def test_what_is_needed_detects_it(difference: float, variance: float) -> None:
    count = items_needed(difference, variance)
    assert count is not None
    assert detectable_difference(count, variance + difference**2) <= difference * (1 + 1e-6)
    if count > 2:
        assert detectable_difference(count - 1, variance + difference**2) > difference * (1 - 1e-6)


def test_ends() -> None:
    assert items_needed(0.0, 0.2) is None
    assert items_needed(1.0, 0.0) == 2
    for wrong in (
        lambda: items_needed(0.1, -1),
        lambda: discordant_variance(0.1, 0.2),
        lambda: detectable_difference(0, 1),
    ):
        with pytest.raises(ValueError, match=r"."):
            wrong()


def test_never_fewer_than_the_exact_test_needs() -> None:
    """Where all items differ one way, six are needed: 2 / 2^6 is 0.031; where one in ten does, sixty."""
    assert items_needed(1.0, 0.0, discordance=1.0) == 6
    assert items_needed(0.1, discordant_variance(0.1, 0.1), discordance=0.1) == 71
    assert items_needed(0.5, discordant_variance(0.5, 0.5), discordance=0.5) == 12
    assert 0 < detectable_difference(6, 1.0) < 1
