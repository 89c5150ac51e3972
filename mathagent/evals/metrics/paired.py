"""Two arms on the same items: how far apart, is it more than chance, and on which items? Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from mathagent.evals.metrics.intervals import Z_95, standard_error
from mathagent.evals.metrics.items import Item
from mathagent.evals.metrics.power import detectable_difference, items_needed
from mathagent.evals.metrics.resampling import Bootstrap, bootstrap_mean
from mathagent.evals.metrics.significance import McNemar, holm, mcnemar, paired_interval, sign_flip
from mathagent.types import Value

Test = Literal["exact McNemar", "sign flips of items", "sign flips of families"]


class Pair(Value):
    """One item that both arms have tried: ``first`` and ``second`` are their items, each with a score."""

    first: Item
    second: Item

    @property
    def difference(self) -> float:
        """second - first."""
        return (self.second.score or 0.0) - (self.first.score or 0.0)


class Pairing(Value):
    """The common items of two arms, and why others are not among them (by problem id).

    ``edited`` have the same id in both, but another question, choices or reference; ``ungraded`` have no attempt in
    one of the arms whose grade is known; ``only_first`` and ``only_second`` were not tried by the other arm.
    """

    pairs: tuple[Pair, ...]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    ungraded: tuple[str, ...] = ()


class GroupDifference(Value):
    """The difference within the items of one subject or level: second - first, with its interval and p value."""

    name: str
    items: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float = 1.0


class Difference(Value):
    """Two arms on their ``items`` common items: accuracies, and second - first with all that belongs to it.

    ``low`` and ``high`` are the 95% interval: Newcombe's for right-or-wrong scores of items that stand alone, else the
    normal one with the clustered ``standard_error``; ``bootstrap`` is the paired bootstrap's. ``p`` is two-sided, from
    ``test``: McNemar's exact test where each item was tried once and stands alone (then ``mcnemar`` is set), else the
    permutation test of the same hypothesis. ``better`` and ``worse`` count items where second is above or below first.
    ``needed`` is how many items tell a difference of this size with power 80% at level 5%, None where there is none;
    ``detectable`` is the least difference that this many items tell.
    """

    items: int
    clusters: int
    first: float
    second: float
    difference: float
    standard_error: float | None
    low: float
    high: float
    bootstrap: Bootstrap
    test: Test
    p: float
    mcnemar: McNemar | None
    better: int
    worse: int
    needed: int | None
    detectable: float | None


def pair_items(first: Sequence[Item], second: Sequence[Item]) -> Pairing:
    """The pairs of two arms' items by key, in the order of the first arm."""
    others = {item.key: item for item in second}
    ours = {item.key for item in first}
    ids_left = {item.problem_id for item in second if item.key not in ours}
    pairs: list[Pair] = []
    only_first: list[str] = []
    edited: list[str] = []
    ungraded: list[str] = []
    for item in first:
        other = others.get(item.key)
        if other is None:
            (edited if item.problem_id in ids_left else only_first).append(item.problem_id)
        elif item.score is None or other.score is None:
            ungraded.append(item.problem_id)
        else:
            pairs.append(Pair(first=item, second=other))
    left = [item.problem_id for item in second if item.key not in ours and item.problem_id not in set(edited)]
    return Pairing(
        pairs=tuple(pairs),
        only_first=tuple(only_first),
        only_second=tuple(left),
        edited=tuple(edited),
        ungraded=tuple(ungraded),
    )


def compare_pairs(pairs: Sequence[Pair], *, seed: int = 0) -> Difference:
    """The difference of the two arms over ``pairs``, with its tests and its power. Raises ValueError without pairs."""
    if not pairs:
        raise ValueError("without common items there is no comparison")
    values = [pair.difference for pair in pairs]
    clusters = [pair.first.cluster for pair in pairs]
    count, mean = len(values), sum(values) / len(values)
    plain = _each_alone(pairs)
    error = standard_error(values, clusters)
    variance = error * error * count  # of an item's difference, with what families add
    low, high = _interval(pairs, mean, error)
    test, p, table = _test(pairs, seed)
    known = len(set(clusters)) > 1
    discordance = _discordant(pairs) / count
    return Difference(
        items=count,
        clusters=len(set(clusters)),
        first=_mean([pair.first.score or 0.0 for pair in pairs]),
        second=_mean([pair.second.score or 0.0 for pair in pairs]),
        difference=mean,
        standard_error=error if known else None,
        low=low,
        high=high,
        bootstrap=bootstrap_mean(values, None if plain else clusters, seed=seed),
        test=test,
        p=p,
        mcnemar=table,
        better=sum(value > 0 for value in values),
        worse=sum(value < 0 for value in values),
        needed=items_needed(mean, variance, discordance=discordance) if known else None,
        detectable=detectable_difference(count, variance + mean * mean) if known else None,
    )


def compare_groups(groups: Mapping[str, Sequence[Pair]], *, seed: int = 0) -> list[GroupDifference]:
    """The difference within each group, by name; ``p_holm`` is corrected for their number.

    Raises ValueError for an empty group.
    """
    found = []
    for name, pairs in sorted(groups.items(), key=lambda group: natural_order(group[0])):
        values = [pair.difference for pair in pairs]
        mean = sum(values) / len(values)
        low, high = _interval(pairs, mean, standard_error(values, [pair.first.cluster for pair in pairs]))
        found.append(
            GroupDifference(
                name=name,
                items=len(pairs),
                first=_mean([pair.first.score or 0.0 for pair in pairs]),
                second=_mean([pair.second.score or 0.0 for pair in pairs]),
                difference=mean,
                low=low,
                high=high,
                p=_test(pairs, seed)[1],
            )
        )
    corrected = holm([one.p for one in found])
    return [one.model_copy(update={"p_holm": p}) for one, p in zip(found, corrected, strict=True)]


def natural_order(name: str) -> list[tuple[int, str]]:
    """Sorts "Level 10" behind "Level 9"."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _each_alone(pairs: Sequence[Pair]) -> bool:
    """Whether no two items are of one family."""
    return len({pair.first.cluster for pair in pairs}) == len(pairs)


def _right_or_wrong(pairs: Sequence[Pair]) -> bool:
    return all(item.score in (0, 1) and item.counted == 1 for pair in pairs for item in (pair.first, pair.second))


def _table(pairs: Sequence[Pair]) -> tuple[int, int, int, int]:
    """How many items second and first have both right, only second, only first, neither."""
    outcomes = [(pair.second.score == 1, pair.first.score == 1) for pair in pairs]
    return tuple(outcomes.count(one) for one in ((True, True), (True, False), (False, True), (False, False)))  # type: ignore[return-value]


def _arms(pair: Pair) -> tuple[Item, Item]:
    return pair.first, pair.second


def _discordant(pairs: Sequence[Pair]) -> int:
    """How many of what the test flips, items or families, differ at all."""
    sums: dict[str, float] = {}
    for pair in pairs:
        sums[pair.first.cluster] = sums.get(pair.first.cluster, 0.0) + pair.difference
    return sum(abs(one) > 1e-12 for one in sums.values())


def _interval(pairs: Sequence[Pair], mean: float, error: float) -> tuple[float, float]:
    if _each_alone(pairs) and _right_or_wrong(pairs):
        return paired_interval(*_table(pairs))
    if error == 0:  # all families differ alike: as many items with those shares would
        groups = len({pair.first.cluster for pair in pairs})
        first, second = (_mean([one.score or 0.0 for one in arm]) for arm in zip(*map(_arms, pairs), strict=True))
        shares = (min(first, second), max(0.0, mean), max(0.0, -mean), 1 - max(first, second))
        return paired_interval(*(round(share * groups, 9) for share in shares))
    half = Z_95 * error
    return max(-1.0, mean - half), min(1.0, mean + half)


def _test(pairs: Sequence[Pair], seed: int) -> tuple[Test, float, McNemar | None]:
    alone, binary = _each_alone(pairs), _right_or_wrong(pairs)
    table = None
    if binary and alone:
        _, only_second, only_first, _ = _table(pairs)
        table = mcnemar(only_first, only_second)
        return "exact McNemar", table.exact, table
    values = [pair.difference for pair in pairs]
    if alone:
        return "sign flips of items", sign_flip(values, seed=seed), table
    p = sign_flip(values, [pair.first.cluster for pair in pairs], seed=seed)
    return "sign flips of families", p, table


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
