"""Tests and corrections against SciPy, statsmodels and published examples."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.evals.metrics.significance import holm, mcnemar, paired_interval, sign_flip


@pytest.mark.parametrize(
    ("first", "second", "exact", "chi_squared"),
    [  # statsmodels 0.15, stats.contingency_tables.mcnemar
        (1, 9, 0.021484375, 0.02685669550752441),
        (10, 25, 0.016673847800120715, 0.01796047752607879),
        (59, 80, 0.08945231499446925, 0.08981434395829568),
        (700, 800, 0.010559255466711506, 0.010583170238765134),  # 2^1500 is no float
    ],
)
def test_mcnemar_as_statsmodels(first: int, second: int, exact: float, chi_squared: float) -> None:
    found = mcnemar(first, second)
    assert found.exact == pytest.approx(exact, rel=1e-9)
    assert found.chi_squared == pytest.approx(chi_squared, rel=1e-9)


def test_mid_p_as_published() -> None:
    """Airway hyper-responsiveness: Fagerland, Lydersen and Laake (2013), BMC Med Res Methodol 13:91."""
    found = mcnemar(1, 7)
    assert found.exact == pytest.approx(0.0703, abs=5e-5)
    assert found.mid_p == pytest.approx(0.0391, abs=5e-5)


def test_mcnemar_without_discordance_and_with_balance() -> None:
    assert mcnemar(0, 0).exact == mcnemar(0, 0).mid_p == 1
    # Fagerland, Lydersen and Laake: 1 - C(10, 5) / 2^11 where both are as frequent.
    assert (mcnemar(5, 5).exact, mcnemar(5, 5).mid_p) == (1, pytest.approx(1 - 252 / 2048))
    assert mcnemar(0, 6).exact == pytest.approx(2 / 64)
    with pytest.raises(ValueError, match="negative"):
        mcnemar(-1, 2)


def test_sign_flip_as_scipy() -> None:
    """scipy.stats.permutation_test(permutation_type="samples"), all 2^10 ways, SciPy 1.17.1."""
    differences = [0.5, -0.25, 0.25, 0.75, 0.0, 0.5, -0.5, 0.25, 1.0, 0.25]
    assert sign_flip(differences) == pytest.approx(0.12109375)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 30))
def test_sign_flip_of_right_or_wrong_is_mcnemar(first: int, second: int, same: int) -> None:
    differences = [-1.0] * first + [1.0] * second + [0.0] * same
    assert sign_flip(differences) == pytest.approx(mcnemar(first, second).exact)


def test_drawn_flips_are_near_the_exact_test() -> None:
    differences = [1.0] * 25 + [-1.0] * 10
    assert sign_flip(differences, draws=20_000) == pytest.approx(mcnemar(10, 25).exact, abs=0.004)
    assert sign_flip(differences, seed=3) == sign_flip(differences, seed=3)


def test_flips_of_families_are_of_whole_families() -> None:
    """Two families of ten that go one way are two observations: p = 2/4, not 2/2^20."""
    assert sign_flip([1.0] * 20, [0] * 10 + [1] * 10) == 0.5
    assert sign_flip([]) == sign_flip([0.0, 0.0]) == 1.0


def test_holm_as_statsmodels() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005, 0.2]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.2])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_order_and_never_lowers(values: list[float]) -> None:
    corrected = holm(values)
    assert all(
        raw <= now <= min(1, raw * len(values)) or now >= raw for raw, now in zip(values, corrected, strict=True)
    )
    ranked = sorted(zip(values, corrected, strict=True))
    assert [now for _, now in ranked] == sorted(corrected)
    assert holm([0.03]) == [0.03]


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        # Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 8: airway
        # hyper-responsiveness, and complete response, as its authors' program gives them.
        ((1, 1, 7, 12), -0.507, -0.026),
        ((59, 6, 16, 80), -0.1186, -0.0046),
    ],
)
def test_paired_interval_as_published(table: tuple[int, int, int, int], low: float, high: float) -> None:
    places = 5e-4 if low < -0.5 else 5e-5
    assert paired_interval(*table) == pytest.approx((low, high), abs=places)


@given(*[st.integers(0, 40)] * 4)
def test_paired_interval_holds_the_difference_and_mirrors(
    both: int, first: int, second: int, neither: int
) -> None:
    if both + first + second + neither == 0:
        with pytest.raises(ValueError, match="without items"):
            paired_interval(both, first, second, neither)
        return
    low, high = paired_interval(both, first, second, neither)
    difference = (first - second) / (both + first + second + neither)
    assert -1 <= low <= difference <= high <= 1
    assert low < high
    assert paired_interval(both, second, first, neither) == pytest.approx((-high, -low))
