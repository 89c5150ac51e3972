"""Who is compared with whom: arms with their items, in blocks over the same items. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from mathagent.errors import UsageError
from mathagent.evals.metrics import ArmRecords
from mathagent.evals.metrics.attempts import Pool
from mathagent.evals.metrics.items import Item, Ungraded, hashed, items
from mathagent.types import Value


class Side(Value):
    """An arm with its items, and their pools where items have several attempts."""

    arm: ArmRecords
    items: tuple[Item, ...]
    pools: tuple[Pool, ...] = ()


def sides(groups: Sequence[ArmRecords], *, ungraded: Ungraded = "leave-out") -> list[Side]:
    """The arms with their items, told apart by hash, or by id where records of some arm have no hashes."""
    by_id = not all(hashed(group.records) for group in groups)
    return [Side(arm=group, items=tuple(items(group.records, ungraded=ungraded, by_id=by_id))) for group in groups]


def several_attempts(side: Side) -> bool:
    """Whether an item of this arm has more than one attempt that counts."""
    return any(item.counted > 1 for item in side.items)


def blocks(all_sides: Sequence[Side]) -> list[list[Side]]:
    """Arms that can be compared: of one data set by its name, or of the same items under two names."""
    found: list[list[Side]] = []
    for side in all_sides:
        keys = {item.key for item in side.items}
        by_name = [block for block in found if block[0].arm.dataset == side.arm.dataset]
        # Without hashes the same id says nothing across data sets.
        by_items = [block for block in found if hashed(side.arm.records) and not keys.isdisjoint(_keys(block))]
        home = next(iter([*by_name, *by_items]), None)
        if home is None:
            found.append([side])
        else:
            home.append(side)
    return found


def _keys(block: Sequence[Side]) -> set[str]:
    return {item.key for side in block if hashed(side.arm.records) for item in side.items}


def chosen_pairs(block: Sequence[Side], baseline: str | None, all_pairs: bool) -> list[tuple[Side, Side]]:
    """The pairs of a block: every two, or each with the baseline (None: the first); none where it has no such arm."""
    if all_pairs:
        return list(combinations(block, 2))
    first = block[0] if baseline is None else _baseline(block, baseline)
    return [] if first is None else [(first, side) for side in block if side is not first]


def _baseline(block: Sequence[Side], name: str) -> Side | None:
    """The arm of that name, or the only one with it as a part of its name or run; None: this data set has none.

    Raises UsageError where it may be several.
    """
    exact = [side for side in block if name in (side.arm.name, side.arm.label)]
    starts = [side for side in block if side.arm.name.startswith(name)]
    within = [side for side in block if name in side.arm.label or name == side.arm.run]
    for found in (exact, starts, within):
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(f"'{side.arm.name}'" for side in found)
            raise UsageError(f"--baseline '{name}' may be {len(found)} arms: {names}; write more of the name")
    return None
