"""What an experience is worth keeping for, and which ones a full store drops. Pure."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

PRIOR_SUCCESS = (0.3, 0.45, 0.6, 0.7, 0.8)
"""Success expected of an experience that nobody has used yet, by trust (TRUST_ORDER)."""
PRIOR_USES = 4.0
"""How many uses the prior weighs."""
HALF_LIFE_S = 180 * 86_400.0
LEAST_RECENCY = 0.5
"""What is left of the worth of a very old experience: a theorem does not age, a model's habits do."""


class Standing(NamedTuple):
    """What decides over an experience: its number in the store, trust (place in TRUST_ORDER), counts, when it was made
    or last used (Unix time, seconds), and the shape that it shares with others."""

    number: int
    trust: int
    uses: int
    successes: int
    last_time: float
    shape: int


def success_rate(uses: int, successes: int, trust: int) -> float:
    """The share of solves that came out right among those that were shown it, with a prior of PRIOR_USES solves."""
    return (successes + PRIOR_USES * PRIOR_SUCCESS[trust]) / (uses + PRIOR_USES)


def recency(age_s: float) -> float:
    """In [LEAST_RECENCY, 1]: what age leaves, halving every HALF_LIFE_S towards LEAST_RECENCY."""
    return LEAST_RECENCY + (1 - LEAST_RECENCY) * math.exp2(-max(0.0, age_s) / HALF_LIFE_S)


def utility(standing: Standing, *, now: float, better_alike: int) -> float:
    """Success rate × recency, divided by 1 + the number of better experiences of the same shape."""
    rate = success_rate(standing.uses, standing.successes, standing.trust)
    return rate * recency(now - standing.last_time) / (1 + better_alike)


def least_useful(standings: Iterable[Standing], count: int, *, now: float) -> list[int]:
    """The numbers of the ``count`` experiences of least utility, worst first; of equal ones the older."""
    alike: defaultdict[int, list[Standing]] = defaultdict(list)
    for standing in standings:
        alike[standing.shape].append(standing)
    worth = []
    for group in alike.values():
        group.sort(key=lambda one: (utility(one, now=now, better_alike=0), one.number), reverse=True)
        worth += [(utility(one, now=now, better_alike=rank), one.number) for rank, one in enumerate(group)]
    return [number for _, number in heapq.nsmallest(count, worth)]
