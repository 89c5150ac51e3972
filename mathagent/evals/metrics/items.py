"""Records by item: the share of an item's attempts that is right, and what could not be graded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mathagent.evals.records import Record
from mathagent.types import Value

Ungraded = Literal["leave-out", "wrong"]
"""What an undecided grade or a failed solve counts as: nothing, or a wrong answer. An attempt that ran out of its time
is always wrong."""


class Item(Value):
    """One item of a data set and the attempts at it, in order.

    ``key`` is what identifies it: its hash, or its id in records that have none. ``score`` is the share right of its
    ``counted`` attempts, None where there are none; of ``ungraded`` attempts it is not known whether they are right (an
    undecided grade, a failed solve), counted or not.
    ``cluster`` is its family, or itself.
    """

    key: str
    problem_id: str
    cluster: str
    subject: str = ""
    level: str = ""
    language: str = ""
    score: float | None
    counted: int
    ungraded: int
    completion_tokens: float
    records: tuple[Record, ...]


def items(records: Sequence[Record], *, ungraded: Ungraded = "leave-out", by_id: bool = False) -> list[Item]:
    """The items of one arm's records, in order of appearance. ``by_id``: told apart by problem id, not by hash."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(item_key(record, by_id=by_id), []).append(record)
    return [_item(key, group, ungraded) for key, group in groups.items()]


def item_key(record: Record, *, by_id: bool = False) -> str:
    """What identifies the item of ``record``."""
    return record.problem_id if by_id or not record.item_hash else record.item_hash


def hashed(records: Sequence[Record]) -> bool:
    """Whether all ``records`` say by a hash which item they are of."""
    return all(record.item_hash for record in records)


def is_graded(record: Record) -> bool:
    """Whether it is known if the attempt is right. One that ran out of its time is not: no missing datum."""
    return record.outcome in ("correct", "incorrect") or (record.outcome, record.failure) == ("error", "timeout")


def counted(records: Sequence[Record], ungraded: Ungraded) -> list[Record]:
    """The attempts that count."""
    return [one for one in records if ungraded == "wrong" or is_graded(one)]


def _item(key: str, attempts: Sequence[Record], ungraded: Ungraded) -> Item:
    first = attempts[0]
    those = counted(attempts, ungraded)
    right = sum(one.outcome == "correct" for one in those)
    return Item(
        key=key,
        problem_id=first.problem_id,
        cluster=first.family or key,
        subject=first.subject,
        level=first.level,
        language=first.language,
        score=right / len(those) if those else None,
        counted=len(those),
        ungraded=sum(not is_graded(one) for one in attempts),
        completion_tokens=sum(one.usage.completion_tokens for one in attempts) / len(attempts),
        records=tuple(sorted(attempts, key=lambda one: one.attempt)),
    )
