"""What a search found beside what it chose: whether any leaf of its tree is right, for a report.

The more leaves there are, the more a selector can be misled; how much it loses shows in the oracle beside the choice.
"""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.answers.compare import AnswerComparer
from mathagent.evals.metrics import ArmRecords
from mathagent.evals.metrics.attempts import majority_at_k
from mathagent.evals.metrics.intervals import estimate
from mathagent.evals.metrics.items import items
from mathagent.evals.pools import candidate_pools
from mathagent.evals.report_coverage import bare_name
from mathagent.types import Value

SEARCHES = frozenset({"beam", "fetch", "graph-of-thought", "mcts", "r2", "rebase"})
"""Strategies whose candidates are the leaves of one tree: they share steps, and no two trees have as many."""


class ArmSearch(Value):
    """Of ``solves`` by search: ``leaves`` is their mean number, ``chosen`` the share with a right answer, ``oracle``
    that with a right leaf (its 95% interval from ``low`` to ``high``), ``majority`` that whose most frequent leaf is
    right."""

    solves: int
    leaves: float
    chosen: float
    oracle: float
    low: float
    high: float
    majority: float

    @property
    def gap(self) -> float:
        """What a perfect selector would gain."""
        return self.oracle - self.chosen


def is_search(group: ArmRecords) -> bool:
    """Whether its solves are searches, whatever settings stand in the strategy's brackets."""
    return any(bare_name(record.strategy) in SEARCHES for record in group.records)


async def searches(groups: Sequence[ArmRecords], comparer: AnswerComparer) -> dict[int, ArmSearch]:
    """What each arm of searches found, by its number among ``groups``; of the solves that kept their leaves."""
    found = {number: await _searched(group, comparer) for number, group in enumerate(groups) if is_search(group)}
    return {number: one for number, one in found.items() if one is not None}


async def _searched(group: ArmRecords, comparer: AnswerComparer) -> ArmSearch | None:
    tried = items(group.records)
    pools = await candidate_pools(tried, comparer)
    if not pools:
        return None
    right = {f"{item.key}/{one.attempt}": one.outcome == "correct" for item in tried for one in item.records}
    oracle = estimate([float(pool.correct > 0) for pool in pools], [pool.cluster for pool in pools])
    return ArmSearch(
        solves=len(pools),
        leaves=sum(pool.attempts for pool in pools) / len(pools),
        chosen=sum(right[pool.key] for pool in pools) / len(pools),
        oracle=oracle.mean,
        low=oracle.low,
        high=oracle.high,
        majority=sum(majority_at_k(pool, pool.attempts).value for pool in pools) / len(pools),
    )
