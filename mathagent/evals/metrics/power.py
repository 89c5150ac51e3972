"""How many items does it take to tell two arms apart? Pure.

For a paired difference of mean d and variance V an item, a two-sided test at level alpha has the power 1 - beta with
n = (z_(1-alpha/2) + z_(1-beta))^2 V / d^2 items (normal approximation). For right-or-wrong scores V = discordance -
d^2, where discordance is the share of items that just one arm has right. Source: Connor (1987), Biometrics 43, 207-211
(in its simplest form); Miller (arXiv 2411.00640), section 5.
"""

from __future__ import annotations

from math import ceil, sqrt

from mathagent.evals.metrics.intervals import normal_quantile

ALPHA, POWER = 0.05, 0.8
FEWEST_DISCORDANT = 6
"""With fewer items that differ, all one way, the exact test cannot reach a level of 5%: 2 / 2^5 is 0.0625."""


def items_needed(
    difference: float,
    variance: float,
    *,
    discordance: float | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
) -> int | None:
    """Items to tell ``difference`` from 0, given the ``variance`` of an item's difference; None: no number is enough.

    At least 2; for right-or-wrong scores, whose ``discordance`` is given, enough for ``FEWEST_DISCORDANT`` items to
    differ. Raises ValueError for a negative variance.
    """
    if variance < 0:
        raise ValueError("a variance is not negative")
    if difference == 0:
        return None
    least = ceil(FEWEST_DISCORDANT / discordance - 1e-9) if discordance else 2
    return max(least, ceil(_factor(alpha, power) ** 2 * variance / difference**2 - 1e-9))


def discordant_variance(discordance: float, difference: float) -> float:
    """The variance of an item's difference of right-or-wrong scores. Raises ValueError where they contradict."""
    if not abs(difference) <= discordance <= 1:
        raise ValueError(f"a difference of {difference} is impossible where a share of {discordance} differs")
    return discordance - difference**2


def detectable_difference(items: int, mean_square: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """The least true difference that ``items`` find with this power, at most 1.

    ``mean_square`` is of an item's difference (for right-or-wrong scores the discordance): the variance is less by the
    square of the difference that is looked for. So it is the difference for which just ``items`` are needed. Raises
    ValueError without items, or for a negative mean square.
    """
    if items < 1 or mean_square < 0:
        raise ValueError("needs items, and a mean square that is not negative")
    z = _factor(alpha, power)
    return min(1.0, z * sqrt(mean_square / (items + z * z)))


def _factor(alpha: float, power: float) -> float:
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError("alpha and power are more than 0 and less than 1")
    return normal_quantile(1 - alpha / 2) + normal_quantile(power)
