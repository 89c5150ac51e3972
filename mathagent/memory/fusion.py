"""Rankings put together, and hits chosen that do not repeat each other. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]], k: int = 60) -> dict[int, float]:
    """The score of each item: the sum of 1/(k + rank) over the rankings that have it, ranks from 1; higher is better.

    Cormack, Clarke and Büttcher, SIGIR 2009, whose k is 60. An item that a ranking repeats counts where it first is.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(dict.fromkeys(ranking), start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    return scores


def maximal_marginal_relevance(
    pool: Sequence[int],
    scores: Mapping[int, float],
    vectors: Mapping[int, NDArray[np.float32]],
    *,
    limit: int,
    diversity: float,
) -> list[int]:
    """At most ``limit`` items of ``pool``, the next always the one with the highest
    (1 - diversity) × relevance - diversity × likeness (Carbonell and Goldstein, SIGIR 1998).

    Relevance is the score, scaled so that the best in the pool has 1; likeness the highest cosine with an item chosen
    before (0 at least, and 0 for items without a vector; vectors have length 1). ``diversity`` in [0, 1]; of equals,
    the earlier in ``pool`` comes first.
    """
    items = list(dict.fromkeys(pool))
    best = max((scores[item] for item in items), default=0.0) or 1.0
    relevance = {item: scores[item] / best for item in items}
    likeness = dict.fromkeys(items, 0.0)
    chosen: list[int] = []
    while likeness and len(chosen) < limit:
        item = max(likeness, key=lambda one: (1 - diversity) * relevance[one] - diversity * likeness[one])
        chosen.append(item)
        del likeness[item]
        if (vector := vectors.get(item)) is None:
            continue
        for other in likeness:
            if (other_vector := vectors.get(other)) is not None:
                likeness[other] = max(likeness[other], float(vector @ other_vector))
    return chosen
