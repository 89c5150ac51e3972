"""How uncertain is a share or a mean? Wilson's interval; standard errors, clustered for families. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import sqrt
from statistics import NormalDist

from mathagent.types import Value

Z_95 = 1.959963984540054


class Estimate(Value):
    """The mean of ``items`` scores from 0 to 1, its standard error and 95% interval.

    ``clusters`` is how many independent groups the items form: as many as items where each stands alone. ``low`` and
    ``high`` stay within [0, 1]: Wilson's interval at the effective number of items (see ``estimate``).
    """

    items: int
    clusters: int
    mean: float
    standard_error: float
    low: float
    high: float


def wilson_interval(successes: float, trials: float, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval for a proportion (95% for the default z), within [0, 1]; (0, 1) for no trials.

    Source: Wilson (1927), J. Am. Stat. Assoc. 22, 209-212. Raises ValueError unless 0 <= successes <= trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials is impossible")
    return _wilson(successes / trials, trials, z) if trials else (0.0, 1.0)


def _wilson(share: float, trials: float, z: float = Z_95) -> tuple[float, float]:
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # At the ends rounding could leave the interval or exclude the share itself.
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def standard_error(
    values: Sequence[float], clusters: Sequence[Hashable] | None = None, *, small_sample: bool = True
) -> float:
    """The standard error of the mean of ``values``, one cluster label each (None: each value stands alone).

    sqrt(sum over clusters of (sum of deviations)^2) / n, times sqrt(G / (G - 1)) for G clusters if ``small_sample``:
    then values that stand alone give the textbook's sd / sqrt(n). Infinite for fewer than two clusters, which show
    nothing of the spread. Source: Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 2.2; Liang and Zeger
    (1986), Biometrika 73, 13-22. Raises ValueError without values.
    """
    count = len(values)
    if count == 0:
        raise ValueError("without values there is no mean")
    mean = sum(values) / count
    sums: dict[Hashable, float] = {}
    for label, value in zip(range(count) if clusters is None else clusters, values, strict=True):
        sums[label] = sums.get(label, 0.0) + value - mean
    groups = len(sums)
    if groups < 2:
        return float("inf")
    factor = groups / (groups - 1) if small_sample else 1.0
    return sqrt(factor * sum(value * value for value in sums.values())) / count


def estimate(scores: Sequence[float], clusters: Sequence[Hashable] | None = None) -> Estimate:
    """The mean of ``scores`` (each from 0 to 1) with its clustered error and interval. Raises ValueError without any.

    The interval is Wilson's. For clustered scores, and scores between 0 and 1, n is the effective one: that with which
    independent 0-1 scores would have this standard error (the number of clusters where all scores are the same and no
    error can be seen). So for independent 0-1 scores it is the plain Wilson interval.
    Source: Korn and Graubard (1998), Survey Methodology 24, 193-201 (effective sample size for proportions).
    """
    error = standard_error(scores, clusters)
    items, mean = len(scores), sum(scores) / len(scores)
    groups = items if clusters is None else len(set(clusters))
    binary = all(score in (0, 1) for score in scores)
    if groups == items and binary:
        low, high = wilson_interval(round(sum(scores)), items)
    elif groups < 2 or error == 0:
        low, high = _wilson(mean, groups)
    else:
        # With the factor of standard_error independent 0-1 scores have exactly n effective items.
        effective = mean * (1 - mean) / (error * error) * groups / (groups - 1)
        low, high = _wilson(mean, max(1.0, effective))
    return Estimate(items=items, clusters=groups, mean=mean, standard_error=error, low=low, high=high)


def normal_quantile(probability: float) -> float:
    """z with P(Z <= z) = ``probability``, for more than 0 and less than 1."""
    return NormalDist().inv_cdf(probability)


class VarianceParts(Value):
    """Where the variance of a mean over items with several attempts comes from: ``standard_error``^2 = the sum.

    ``between`` is due to the choice of items, and only more items help; ``within`` to sampling, and more attempts help.
    """

    between: float
    within: float


def variance_parts(attempts: Sequence[Sequence[float]]) -> VarianceParts:
    """The two parts of the variance of the mean score over items with independent ``attempts`` each.

    Var(mean) = Var(x) / n + E[s^2 / K] / n: ``within`` from the spread within items (of those with two attempts or
    more, unbiased), ``between`` what is left of the observed variance of item means, never less than 0. Source: Miller
    (arXiv 2411.00640), section 3.1. Raises ValueError for fewer than two items, or none with two attempts.
    """
    means = [sum(one) / len(one) for one in attempts]
    count = len(means)
    noise = [_variance(one) / len(one) for one in attempts if len(one) > 1]
    if count < 2 or not noise:
        raise ValueError("parts of variance need two items, and one with two attempts")
    within = sum(noise) / len(noise) / count
    return VarianceParts(between=max(0.0, _variance(means) / count - within), within=within)


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
