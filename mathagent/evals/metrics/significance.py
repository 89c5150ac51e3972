"""Is the difference of two arms on the same items more than chance? Tests, and their correction for many. Pure.

``differences`` are score minus score, one an item. p values are two-sided.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import comb, erfc, sqrt

from mathagent.evals.metrics.intervals import Z_95, wilson_interval
from mathagent.types import Value

EXACT_FLIPS = 20
"""So many clusters at most have their signs flipped in every way, 2^20; for more, ways are drawn."""
DRAWS = 10_000


class McNemar(Value):
    """McNemar's test of ``only_first`` against ``only_second``, the items that just one arm has right.

    ``exact`` is conditional and conservative, ``mid_p`` less so; ``chi_squared`` is the large-sample form with
    continuity correction.
    """

    only_first: int
    only_second: int
    exact: float
    mid_p: float
    chi_squared: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """The test for paired right-or-wrong scores of items that stand alone.

    Source: McNemar (1947), Psychometrika 12, 153-157; mid-p: Fagerland, Lydersen and Laake (2013), BMC Medical Research
    Methodology 13:91. Raises ValueError for negative counts.
    """
    if min(only_first, only_second) < 0:
        raise ValueError("counts are not negative")
    total, least = only_first + only_second, min(only_first, only_second)
    if total == 0:
        return McNemar(only_first=0, only_second=0, exact=1.0, mid_p=1.0, chi_squared=1.0)
    tail = sum(comb(total, place) for place in range(least + 1))
    # Whole numbers until the end: 2^n is beyond a float from n = 1024 on.
    exact = min(1.0, 2 * tail / 2**total)
    # Where both are as frequent, the two tails share their middle: it counts half, once.
    middle = comb(total, least) / 2**total
    mid = 1.0 - middle / 2 if only_first == only_second else exact - middle
    gap = max(0, abs(only_first - only_second) - 1)
    return McNemar(
        only_first=only_first,
        only_second=only_second,
        exact=exact,
        mid_p=mid,
        chi_squared=erfc(sqrt(gap * gap / total / 2)),
    )


def sign_flip(
    differences: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> float:
    """The p value of the permutation test that flips the signs of whole clusters' sums (None: each item is one).

    Under "no difference" each arm's place in a cluster is arbitrary. All ways are tried for up to ``EXACT_FLIPS``
    clusters with a difference, else ``draws`` of them, with the observed one added: (hits + 1) / (draws + 1). For
    differences of -1, 0 and 1 of items that stand alone, it is McNemar's exact test. Source: Fisher (1935), The Design
    of Experiments, section 21; Phipson and Smyth (2010), "Permutation P-values Should Never Be Zero"
    (arXiv 1603.05766; adding one).
    """
    import numpy as np

    sums: dict[Hashable, float] = {}
    for label, value in zip(range(len(differences)) if clusters is None else clusters, differences, strict=True):
        sums[label] = sums.get(label, 0.0) + value
    values = np.array([value for value in sums.values() if abs(value) > 1e-12])
    if not len(values):
        return 1.0
    observed = abs(values.sum()) - 1e-9  # the observed way itself must count in spite of rounding
    if len(values) <= EXACT_FLIPS:
        totals = np.zeros(1)
        for value in values:
            totals = np.concatenate([totals + value, totals - value])
        return float((np.abs(totals) >= observed).mean())
    generator = np.random.default_rng(seed)
    hits = 0
    for start in range(0, draws, 500):  # in parts, so that thousands of items need little memory
        signs = generator.integers(0, 2, size=(min(500, draws - start), len(values))) * 2 - 1
        hits += int((np.abs(signs @ values) >= observed).sum())
    return (hits + 1) / (draws + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values corrected for their number: held against alpha, the chance of any false alarm is alpha.

    Source: Holm (1979), Scandinavian Journal of Statistics 6, 65-70 (step-down Bonferroni, adjusted p).
    """
    count = len(p_values)
    corrected, highest = [0.0] * count, 0.0
    for rank, place in enumerate(sorted(range(count), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (count - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def paired_interval(both: float, only_first: float, only_second: float, neither: float) -> tuple[float, float]:
    """The 95% interval of a difference of paired shares, first - second: Newcombe's hybrid score interval.

    Counts of items; fractions where they stand for means. It never leaves [-1, 1], and has a width even where no item
    differs. Source: Newcombe (1998), Statistics in Medicine 17, 2635-2650, method 10. Raises ValueError without items.
    """
    items = both + only_first + only_second + neither
    if items == 0:
        raise ValueError("without items there is no difference")
    first, second = (both + only_first) / items, (both + only_second) / items
    low_first, high_first = wilson_interval(both + only_first, items, Z_95)
    low_second, high_second = wilson_interval(both + only_second, items, Z_95)
    phi = _phi(both, only_first, only_second, neither)
    difference = first - second
    below = _hypotenuse(first - low_first, high_second - second, phi)
    above = _hypotenuse(high_first - first, second - low_second, phi)
    return max(-1.0, difference - below), min(1.0, difference + above)


def _phi(both: float, only_first: float, only_second: float, neither: float) -> float:
    """The correlation of the two arms, with Newcombe's continuity correction where it is positive."""
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    numerator = float(both * neither - only_first * only_second)
    if numerator > 0:
        numerator = max(0.0, numerator - (both + only_first + only_second + neither) / 2)
    return numerator / sqrt(margins)


def _hypotenuse(a: float, b: float, phi: float) -> float:
    return sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))
