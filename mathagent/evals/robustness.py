"""Pairs records of originals and of their variants by family, and reports each variant's drop.

Variants are perturbed problems, instances of templates, and the paired sets that exist (GSM-Plus, GSM-Hard, MGSM,
ReDial, …): whatever says which problem it stems from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from mathagent.errors import UsageError
from mathagent.evals.metrics.arms import ArmRecords, arms
from mathagent.evals.metrics.items import Item, items
from mathagent.evals.metrics.paired import Pair
from mathagent.evals.metrics.robustness import DistractorUse, Drop, Spread, drop_of, spread_of
from mathagent.evals.perturb.run import number_of
from mathagent.evals.records import Record
from mathagent.types import Value

_MADE = re.compile(r"/(?P<kind>[a-z]\w*)/(?P<seed>-?\d+)-(?P<number>\d+)$")
_NUMBER = re.compile(r"-(\d+)$")
_FIRST = ("original", "symbolic", "standard", "vanilla", "seed question", "en")


class VariantDrop(Value):
    """One arm on the variants ``variant``; ``unpaired`` of them have no original among the records."""

    arm: str
    variant: str
    drop: Drop | None
    unpaired: int
    spread: Spread | None = None
    distractors: DistractorUse | None = None


class RobustnessReport(Value):
    """Every arm's drop from ``original`` to each set of variants."""

    original: str
    variants: tuple[VariantDrop, ...]


def robustness(
    records: Sequence[Record],
    *,
    original: str | None = None,
    distractors: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
) -> RobustnessReport:
    """The report over ``records`` of one or more arms. Sets are named dataset, or dataset:what they are apart.

    ``original`` names the set of originals (None: the one whose items the others stem from). ``distractors`` are the
    irrelevant numbers by problem id. Raises UsageError where there are no two sets, or ``original`` is none of them.
    """
    by_arm: dict[str, list[ArmRecords]] = {}
    for arm in arms(records, all_copies=True):  # versions are found by the ids of their originals
        by_arm.setdefault(_method(arm), []).append(arm)
    names = _arm_names(by_arm)
    sets = {key: _sets(group) for key, group in by_arm.items()}
    labels = list(dict.fromkeys(label for one in sets.values() for label in one))
    if len(labels) < 2:
        raise UsageError(
            f"the records are of one set only ({', '.join(labels)}); give the originals and their variants, which"
            " `mathagent perturb` makes, in one run or in two"
        )
    chosen = _original(labels, sets, original)
    rows = []
    for key, found in sets.items():
        for label, series in found.items():
            if label != chosen:
                rows.append(_row(names[key], label, found.get(chosen, []), series, distractors or {}, seed))
    return RobustnessReport(original=chosen, variants=tuple(rows))


def _row(
    arm: str,
    label: str,
    originals: list[Item],
    variants: list[Item],
    distractors: Mapping[str, Sequence[str]],
    seed: int,
) -> VariantDrop:
    pairs, unpaired = pair_by_family(originals, variants)
    whole = [item.score for item in originals if item.score is not None]
    return VariantDrop(
        arm=arm,
        variant=label,
        drop=drop_of(pairs, seed=seed) if pairs else None,
        unpaired=unpaired,
        spread=_spread(variants, pairs, sum(whole) / len(whole) if whole else None),
        distractors=_use(variants, distractors),
    )


def pair_by_family(originals: Sequence[Item], variants: Sequence[Item]) -> tuple[list[Pair], int]:
    """Each variant with its original, and how many variants have none.

    An original is the item whose id is the variant's family, or the only one of the same family; of several in a
    family, the one with the same number. Items without a grade are left out. The pairs' clusters are the families.
    """
    by_id = {item.problem_id: item for item in originals}
    by_family: dict[str, list[Item]] = {}
    for item in originals:
        by_family.setdefault(family_of(item), []).append(item)
    pairs, unpaired = [], 0
    for variant in variants:
        family = family_of(variant)
        alike = by_family.get(family, [])
        same = [item for item in alike if number_in_id(item.problem_id) == number_in_id(variant.problem_id)]
        found = by_id.get(family) or (alike[0] if len(alike) == 1 else same[0] if len(same) == 1 else None)
        if found is None:
            unpaired += 1
        elif found.score is not None and variant.score is not None:
            one, other = (item.model_copy(update={"cluster": family}) for item in (found, variant))
            pairs.append(Pair(first=one, second=other))
    return pairs, unpaired


def family_of(item: Item) -> str:
    """The item that it stems from; its own id where it says nothing."""
    return item.records[0].family or item.problem_id


def number_in_id(problem_id: str) -> int | None:
    """Which instance or version of its family an item is, by its id; None where that does not say."""
    found = _NUMBER.search(problem_id)
    return int(found[1]) if found else None


def _method(arm: ArmRecords) -> str:
    """What makes two arms of different data sets the same way to solve."""
    parts = [arm.strategy, arm.config, arm.model, arm.backend, arm.memory, arm.memory_state]
    return json.dumps([*parts, arm.budget and arm.budget.model_dump()], sort_keys=True)


def _arm_names(by_arm: Mapping[str, Sequence[ArmRecords]]) -> dict[str, str]:
    """A name for each arm: its own, with the model where two would be the same."""
    names = {key: group[0].name for key, group in by_arm.items()}
    taken = list(names.values())
    return {
        key: name if taken.count(name) == 1 else f"{name} {by_arm[key][0].model}" for key, name in names.items()
    }


def _sets(group: Sequence[ArmRecords]) -> dict[str, list[Item]]:
    """The arm's items by set: a data set, split by what it holds of one family (kind, language or subject)."""
    found: dict[str, list[Item]] = {}
    for arm in group:
        there = items(arm.records, by_id=True)
        for item, part in zip(there, _parts(there), strict=True):
            found.setdefault(f"{arm.dataset}:{part}" if part else arm.dataset, []).append(item)
    return found


def _parts(there: Sequence[Item]) -> list[str]:
    """What tells apart the items of one data set that stem from one family; "" where nothing needs to."""
    kinds = [found["kind"] if (found := _MADE.search(item.problem_id)) else "" for item in there]
    if len(set(kinds)) > 1:
        return kinds
    families: dict[str, list[Item]] = {}
    for item in there:
        families.setdefault(family_of(item), []).append(item)
    several = [group for group in families.values() if len(group) > 1]
    if any(len({item.language for item in group}) > 1 for group in several):
        return [item.language for item in there]
    if any(len({item.subject for item in group}) > 1 for group in several):
        return [item.subject for item in there]
    return [""] * len(there)


def _original(labels: Sequence[str], sets: Mapping[str, Mapping[str, list[Item]]], wanted: str | None) -> str:
    if wanted is not None:
        meant = [label for label in labels if label == wanted] or [label for label in labels if wanted in label]
        if len(meant) != 1:
            raise UsageError(f"--original '{wanted}' is not one of the sets {', '.join(labels)}")
        return meant[0]

    def stems(label: str) -> int:
        ids = {item.problem_id for one in sets.values() for item in one.get(label, [])}
        others = [item for one in sets.values() for name, group in one.items() if name != label for item in group]
        return sum(item.records[0].family in ids for item in others)

    def rank(label: str) -> tuple[int, int, int]:
        part = label.rpartition(":")[2]
        return (-stems(label), _FIRST.index(part) if part in _FIRST else len(_FIRST), labels.index(label))

    return min(labels, key=rank)


def _spread(variants: Sequence[Item], pairs: Sequence[Pair], original: float | None) -> Spread | None:
    """The spread over the instances that every family has; None where there are not two of two."""
    table: dict[str, dict[int, float]] = {}
    for item in variants:
        number = number_in_id(item.problem_id)
        if number is not None and item.score is not None and item.records[0].family:
            table.setdefault(family_of(item), {})[number] = item.score
    numbers = sorted(set.intersection(*(set(row) for row in table.values()))) if table else []
    if len(table) < 2 or len(numbers) < 2:
        return None
    paired = {pair.first.cluster: pair.first.score or 0.0 for pair in pairs}
    same = sum(paired.values()) / len(paired) if paired.keys() == table.keys() else original
    return spread_of([[row[number] for number in numbers] for row in table.values()], same)


def _use(variants: Sequence[Item], distractors: Mapping[str, Sequence[str]]) -> DistractorUse | None:
    """How often a wrong answer is the right one plus or minus an irrelevant number; None where none is known."""
    wrong = used = 0
    known = [item for item in variants if distractors.get(item.problem_id)]
    for item in known:
        for record in item.records:
            if record.outcome != "incorrect":
                continue
            wrong += 1
            gold, given = number_of(record.reference), number_of(record.answer or "")
            numbers = [Fraction(text) for text in distractors[item.problem_id]]
            if gold is not None and given is not None:
                used += any(given in (gold + number, gold - number) for number in numbers)
    return DistractorUse(wrong=wrong, used=used) if known else None
