"""Every two arms of a data set against each other, corrected for how many there are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from mathagent.evals.metrics import ArmRecords
from mathagent.evals.metrics.items import hashed, items
from mathagent.evals.metrics.paired import Difference, compare_pairs, pair_items
from mathagent.evals.metrics.significance import holm
from mathagent.types import Value


class PairReport(Value):
    """Two arms, by their numbers, on the items that both have a grade for; differences are second - first.

    ``p_holm`` is corrected for all pairs of the data set. ``only_first`` and ``only_second`` are the keys of the flips:
    the items on which that arm does better. ``unpaired`` counts items that one arm lacks, that are not graded in one,
    or that were edited in between.
    """

    first: int
    second: int
    difference: Difference
    p_holm: float
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    unpaired: int


def ids_only(groups: Sequence[ArmRecords]) -> bool:
    """Whether the items of these arms of one data set must be told apart by their ids: some records have no hash."""
    return not all(hashed(group.records) for group in groups)


def pair_reports(numbered: Sequence[tuple[int, ArmRecords]]) -> list[PairReport]:
    """The pairs of these arms, numbered as in the report, that have items in common."""
    by_id = ids_only([group for _, group in numbered])
    own = {number: items(group.records, by_id=by_id) for number, group in numbered}
    found = []
    for (first, _), (second, _) in combinations(numbered, 2):
        pairing = pair_items(own[first], own[second])
        if not pairing.pairs:
            continue
        left = (pairing.only_first, pairing.only_second, pairing.edited, pairing.ungraded)
        found.append(
            PairReport(
                first=first,
                second=second,
                difference=compare_pairs(pairing.pairs),
                p_holm=1.0,
                only_first=tuple(pair.first.key for pair in pairing.pairs if pair.difference < 0),
                only_second=tuple(pair.first.key for pair in pairing.pairs if pair.difference > 0),
                unpaired=sum(map(len, left)),
            )
        )
    corrected = holm([pair.difference.p for pair in found])
    return [pair.model_copy(update={"p_holm": p}) for pair, p in zip(found, corrected, strict=True)]
