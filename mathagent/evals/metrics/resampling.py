"""Bootstrap over items or whole families, for what has no closed form: differences, ratios, curves. Pure, seeded."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

from mathagent.types import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 10_000
_PART = 250  # draws at a time: 250 x 10,000 items are 20 MB


class Bootstrap(Value):
    """A statistic's 95% percentile interval; ``not_above`` is the share of resamples in which it is not above 0.

    ``not_above`` is (hits + 1) / (draws + 1): the one-sided p value of "it is greater than 0". ``draws`` and
    ``seed`` say how to get the same again. Draws without the statistic (a ratio with 0 below) are left out.
    """

    low: float
    high: float
    not_above: float
    draws: int
    seed: int


def resampled_sums(
    columns: Sequence[Sequence[float]],
    clusters: Sequence[Hashable] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Sums of each column over resampled items, shape (draws, columns + 1); the last is the number of items drawn.

    With ``clusters`` whole clusters are drawn, as many as there are. The columns hold one number an item, and are
    resampled together: paired.
    """
    import numpy as np

    table = np.array([*columns, [1.0] * len(columns[0])], dtype=float).T
    if clusters is not None:
        places: dict[Hashable, int] = {}
        owner = [places.setdefault(label, len(places)) for label in clusters]
        merged = np.zeros((len(places), table.shape[1]))
        np.add.at(merged, owner, table)
        table = merged
    generator = np.random.default_rng(seed)
    parts = []
    for start in range(0, draws, _PART):
        rows = min(_PART, draws - start)
        chosen = generator.integers(0, len(table), size=(rows, len(table)))
        # How often each was drawn, row by row: one product then sums all columns.
        drawn = (chosen + len(table) * np.arange(rows)[:, None]).ravel()
        often = np.bincount(drawn, minlength=rows * len(table)).reshape(rows, len(table))
        parts.append(often.astype(float) @ table)
    return np.concatenate(parts)


def bootstrap_mean(
    values: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Bootstrap:
    """The bootstrap of a mean; of differences of two arms, that is the paired bootstrap.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 8 and 13 (percentile interval).
    Raises ValueError without values.
    """
    _need(values)
    sums = resampled_sums([values], clusters, draws=draws, seed=seed)
    return interval_of(sums[:, 0] / sums[:, 1], draws, seed)


def bootstrap_ratio(
    above: Sequence[float],
    below: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Bootstrap | None:
    """The bootstrap of sum(above) / sum(below), such as tokens per solved problem; None where ``below`` is all 0."""
    import numpy as np

    _need(above)
    sums = resampled_sums([above, below], clusters, draws=draws, seed=seed)
    exists = sums[:, 1] != 0
    if not exists.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return interval_of(sums[exists, 0] / sums[exists, 1], draws, seed)


def interval_of(statistics: Any, draws: int, seed: int) -> Bootstrap:
    """The percentile interval of resampled ``statistics`` (an array)."""
    import numpy as np

    low, high = np.quantile(statistics, [0.025, 0.975])
    hits = int((statistics <= 1e-12).sum())
    return Bootstrap(
        low=float(low), high=float(high), not_above=(hits + 1) / (len(statistics) + 1), draws=draws, seed=seed
    )


def _need(values: Sequence[float]) -> None:
    if not values:
        raise ValueError("without values there is nothing to resample")
