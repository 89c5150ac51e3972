"""What more attempts at each item, or samples of it, bring an arm: coverage and votes, for a report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mathagent.answers.compare import AnswerComparer
from mathagent.evals.metrics import ArmRecords
from mathagent.evals.metrics.coverage import FARTHEST, coverage_curve, pools_power_law
from mathagent.evals.metrics.items import items
from mathagent.evals.pools import attempt_pools, candidate_pools
from mathagent.types import Value

REPEATED_SAMPLING = frozenset({"monkeys", "best-of-n"})
"""Strategies whose candidates are independent samples of a fixed number."""
_ALONE = re.compile(r"([\w.:-]+)(?:\([^|&]*\))?")


class CoveragePoint(Value):
    """With ``k`` attempts: ``oracle`` is pass@k with its 95% interval, ``majority`` maj@k, ``best_of`` best-of-k by
    confidence (None where an answer has none)."""

    k: int
    oracle: float
    low: float
    high: float
    majority: float
    best_of: float | None

    @property
    def gap(self) -> float:
        """How much a perfect selector would gain over the better of the two."""
        return self.oracle - max(self.majority, self.best_of or 0.0)


class ArmCoverage(Value):
    """The curve over ``items`` with enough attempts (``left_out`` have fewer), and the fitted law c(k) = exp(a k^b).

    ``fitted`` are the law's points up to the farthest k that it may be asked for; without a law it is empty.
    """

    items: int
    left_out: int
    points: tuple[CoveragePoint, ...]
    law: str = ""
    fitted: tuple[tuple[float, float], ...] = ()


def is_sampled(group: ArmRecords) -> bool:
    """Whether there is anything to say of more samples: several attempts at an item, or a strategy that draws them."""
    return any(record.attempt > 0 or bare_name(record.strategy) in REPEATED_SAMPLING for record in group.records)


def bare_name(strategy: str) -> str:
    """The name of a strategy without the settings in its brackets; "" for a composition of several."""
    alone = _ALONE.fullmatch(strategy)
    return alone[1] if alone else ""


async def coverages(groups: Sequence[ArmRecords], comparer: AnswerComparer) -> dict[int, ArmCoverage]:
    """The coverage of each arm whose items were tried more than once, by its number among ``groups``.

    Where each was tried once, by repeated sampling, its candidates count as the attempts.
    """
    found = {}
    for number, group in enumerate(groups):
        if is_sampled(group):
            repeated = any(record.attempt > 0 for record in group.records)
            coverage = await _coverage(group, comparer, candidates=not repeated)
            if coverage is not None:
                found[number] = coverage
    return found


async def _coverage(group: ArmRecords, comparer: AnswerComparer, *, candidates: bool) -> ArmCoverage | None:
    pools_of = candidate_pools if candidates else attempt_pools
    pools = await pools_of(items(group.records), comparer)
    if not pools:
        return None
    curve = coverage_curve(pools)
    if curve.attempts < 2:
        return None
    law = pools_power_law([pool for pool in pools if pool.attempts >= curve.attempts])
    points = tuple(
        CoveragePoint(
            k=one.k,
            oracle=one.oracle.mean,
            low=one.oracle.low,
            high=one.oracle.high,
            majority=one.majority.mean,
            best_of=None if one.best_of is None else one.best_of.mean,
        )
        for one in curve.points
    )
    if law is None:
        return ArmCoverage(items=curve.items, left_out=curve.left_out, points=points)
    last = FARTHEST * law.largest_k
    return ArmCoverage(
        items=curve.items,
        left_out=curve.left_out,
        points=points,
        law=f"c(k) = exp({law.a:.3g} k^{law.b:.3g}), R² {law.r_squared:.3f}, fitted up to k = {law.largest_k}",
        fitted=tuple((k, law.at(k)) for k in _steps(last)),
    )


def _steps(last: int) -> list[float]:
    """From 1 to ``last``, even on a logarithmic axis."""
    return [min(float(last), last ** (place / 24)) for place in range(25)]
