"""Curves over the number of attempts k: coverage, votes, best of k; and the law that coverage follows. Pure.

Source: Brown et al., "Large Language Monkeys" (arXiv 2407.21787).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from mathagent.evals.metrics.attempts import Pool, all_at_k, best_of_k, majority_at_k, pass_at_k
from mathagent.evals.metrics.intervals import Estimate, estimate
from mathagent.evals.metrics.resampling import resampled_sums
from mathagent.types import Value

FEWEST_POINTS = 3
FARTHEST = 4
"""So many times the largest k that was fitted may be extrapolated to."""


class CurvePoint(Value):
    """What ``k`` attempts an item give, as means over items.

    ``oracle`` is coverage, pass@k: what a perfect selector would reach. ``majority`` and ``best_of`` (None without
    scores) are what these selectors reach, and ``reliability`` is all k right. ``vote_error`` is the standard error
    from drawing votes, 0 where all were computed. ``completion_tokens`` are of all k.
    """

    k: int
    oracle: Estimate
    majority: Estimate
    best_of: Estimate | None
    reliability: float
    vote_error: float
    completion_tokens: float

    @property
    def selection_gap(self) -> float:
        """How much a perfect selector would gain over the better of vote and best-of-k."""
        return self.oracle.mean - max(self.majority.mean, self.best_of.mean if self.best_of else 0.0)


class Curve(Value):
    """The points, over ``items`` with at least as many attempts; ``left_out`` items have fewer."""

    items: int
    left_out: int
    attempts: int
    points: tuple[CurvePoint, ...]


class PowerLaw(Value):
    """Coverage c(k) = exp(a k^b), fitted for k up to ``largest_k``; ``r_squared`` is of the line in log k.

    It holds because each item alone decays exponentially and many items are hard: "How Do Large Language Monkeys Get
    Their Power (Laws)?" (arXiv 2502.17578).
    """

    a: float
    b: float
    r_squared: float
    points: int
    largest_k: int

    def at(self, k: float) -> float:
        """The coverage at ``k``. Raises ValueError beyond ``FARTHEST`` times the largest k of the fit."""
        if not 0 < k <= FARTHEST * self.largest_k:
            raise ValueError(f"k = {k} is too far from the fit, which ends at {self.largest_k}")
        return exp(self.a * k**self.b)


class Forecast(Value):
    """The coverage that the fitted law gives for ``k`` attempts, with its 95% bootstrap band over items.

    ``unsolved`` is the share of items that no attempt has solved: of those the attempts cannot say how hard they are.
    """

    k: int
    coverage: float
    low: float
    high: float
    unsolved: float


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4, … up to ``most``, and ``most`` itself."""
    found = [2**place for place in range(most.bit_length()) if 2**place <= most]
    return found if found and found[-1] == most else [*found, most]


def coverage_curve(pools: Sequence[Pool], ks: Sequence[int] | None = None, *, seed: int = 0) -> Curve:
    """The curve of ``pools``; by default for 1, 2, 4, … up to the attempts that at least nine in ten items have.

    Items with fewer attempts than the largest k are left out of the whole curve, so that all points are of the same
    items. Raises ValueError without pools, or where no item has so many attempts.
    """
    if not pools:
        raise ValueError("without attempts there is no curve")
    by_attempts = sorted((pool.attempts for pool in pools), reverse=True)
    chosen = sorted(ks) if ks else powers_of_two(by_attempts[max(0, -(-9 * len(pools) // 10) - 1)])
    kept = [pool for pool in pools if pool.attempts >= chosen[-1]]
    if not kept:
        raise ValueError(f"no item has {chosen[-1]} attempts")
    return Curve(
        items=len(kept),
        left_out=len(pools) - len(kept),
        attempts=chosen[-1],
        points=tuple(_point(kept, k, seed) for k in chosen),
    )


def _point(pools: Sequence[Pool], k: int, seed: int) -> CurvePoint:
    clusters = [pool.cluster for pool in pools]
    votes = [majority_at_k(pool, k, seed=seed) for pool in pools]
    best = [found for found in (best_of_k(pool, k) for pool in pools) if found is not None]
    tokens = [sum(pool.completion_tokens) / pool.attempts for pool in pools]
    return CurvePoint(
        k=k,
        oracle=estimate([pass_at_k(pool.attempts, pool.correct, k) for pool in pools], clusters),
        majority=estimate([vote.value for vote in votes], clusters),
        best_of=estimate(best, clusters) if len(best) == len(pools) else None,
        reliability=sum(all_at_k(pool.attempts, pool.correct, k) for pool in pools) / len(pools),
        vote_error=sum(vote.error**2 for vote in votes) ** 0.5 / len(votes),
        completion_tokens=k * sum(tokens) / len(tokens),
    )


def fit_power_law(ks: Sequence[int], coverage: Sequence[float]) -> PowerLaw | None:
    """The exponentiated power law through (k, coverage); None where fewer than three points are between 0 and 1.

    Least squares of log(-log c) on log k: b is the slope and a = -exp(intercept). Points at 0 and 1 are dropped: they
    have no logarithm. Source: arXiv 2407.21787, section 3.
    """
    points = [(log(k), log(-log(c))) for k, c in zip(ks, coverage, strict=True) if 0 < c < 1]
    if len(points) < FEWEST_POINTS:
        return None
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    intercept = mean_y - slope * mean_x
    total = sum((y - mean_y) ** 2 for _, y in points)
    rest = sum((y - intercept - slope * x) ** 2 for x, y in points)
    return PowerLaw(
        a=-exp(intercept),
        b=slope,
        r_squared=1 - rest / total if total > 0 else 1.0,
        points=count,
        largest_k=max(k for k, c in zip(ks, coverage, strict=True) if 0 < c < 1),
    )


def pools_power_law(pools: Sequence[Pool]) -> PowerLaw | None:
    """The law fitted to the coverage of ``pools`` at k = 1, 2, 4, … up to half the attempts of the least.

    Beyond half, pass@k of an item rests on few independent draws. None where that leaves too few points.
    """
    if not pools:
        return None
    ks = powers_of_two(max(1, min(pool.attempts for pool in pools) // 2))
    return fit_power_law(ks, [_mean_coverage(pools, k) for k in ks])


def power_law_band(
    pools: Sequence[Pool], ks: Sequence[int], *, draws: int = 1000, seed: int = 0
) -> list[tuple[float, float]]:
    """The 95% band of the fitted law at ``ks``: refitted to resampled families (bootstrap).

    Empty where there is no law. Resamples whose coverage cannot be fitted (all items solved, say) are left out.
    """
    import numpy as np

    law = pools_power_law(pools)
    if law is None:
        return []
    fit_ks = powers_of_two(max(1, min(pool.attempts for pool in pools) // 2))
    columns = [[pass_at_k(pool.attempts, pool.correct, k) for pool in pools] for k in fit_ks]
    sums = resampled_sums(columns, [pool.cluster for pool in pools], draws=draws, seed=seed)
    curves = []
    for means in sums[:, :-1] / sums[:, -1:]:
        found = fit_power_law(fit_ks, means.tolist())
        if found is not None:
            curves.append([exp(found.a * k**found.b) for k in ks])
    if not curves:
        return []
    low, high = np.quantile(np.array(curves), [0.025, 0.975], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def forecast_coverage(pools: Sequence[Pool], *, draws: int = 300, seed: int = 0) -> Forecast | None:
    """What twice the attempts would give, by the law; None where there is none."""
    law = pools_power_law(pools)
    if law is None:
        return None
    k = min(FARTHEST * law.largest_k, 2 * min(pool.attempts for pool in pools))
    band = power_law_band(pools, [k], draws=draws, seed=seed)
    low, high = band[0] if band else (0.0, 1.0)
    unsolved = sum(pool.correct == 0 for pool in pools) / len(pools)
    return Forecast(k=k, coverage=law.at(k), low=low, high=high, unsolved=unsolved)


def _mean_coverage(pools: Sequence[Pool], k: int) -> float:
    return sum(pass_at_k(pool.attempts, pool.correct, k) for pool in pools) / len(pools)
