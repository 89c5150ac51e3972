"""How often tools were called, and how often in vain: on items that the model solves right without them. Pure.

Source: "SMART: Self-Aware Agent for Tool Overuse Mitigation" (arXiv 2502.11435).
"""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.evals.metrics.items import Item
from mathagent.evals.records import Record
from mathagent.types import Value


class ToolOveruse(Value):
    """The calls of ``arm``, which has tools, on the ``items`` that ``other``, which has none, has tried, too.

    ``calls`` are means over an item's attempts, summed over items. ``needless`` are those on items that the other arm
    solves, weighted with the share of its attempts that is right; ``rate`` is needless / calls, None where no tool was
    called. ``untouched`` counts items on which the arm called no tool.
    """

    arm: str
    other: str
    items: int
    calls: float
    needless: float
    rate: float | None
    untouched: int


def tool_calls(record: Record) -> int | None:
    """How often the candidates of an attempt called a tool, failed calls included: what a tool gave is a step.

    None where the record does not keep its solution.
    """
    if record.solution is None:
        return None
    return sum(step.origin == "tool" for one in record.solution.candidates for step in one.steps)


def mean_tool_calls(item: Item) -> float | None:
    """The mean over the attempts whose steps are kept; None where there are none."""
    known = [count for record in item.records if (count := tool_calls(record)) is not None]
    return sum(known) / len(known) if known else None


def tool_overuse(
    with_tools: Sequence[Item], without: Sequence[Item], *, arm: str, other: str
) -> ToolOveruse | None:
    """The overuse over the items that both have; None where none of them tells calls and a score without tools.

    Whether ``without`` really called none is the caller's to see to.
    """
    solved = {item.key: item.score for item in without if item.score is not None}
    both = [
        (calls, solved[item.key])
        for item in with_tools
        if item.key in solved and (calls := mean_tool_calls(item)) is not None
    ]
    if not both:
        return None
    total = sum(calls for calls, _ in both)
    needless = sum(calls * (share or 0.0) for calls, share in both)
    return ToolOveruse(
        arm=arm,
        other=other,
        items=len(both),
        calls=total,
        needless=needless,
        rate=needless / total if total else None,
        untouched=sum(not calls for calls, _ in both),
    )


def one_sided_overuse(
    first: Sequence[Item], second: Sequence[Item], *, names: tuple[str, str]
) -> ToolOveruse | None:
    """The overuse of the one of two arms that called tools where the other called none; None elsewhere."""
    calls = [[mean_tool_calls(item) for item in side] for side in (first, second)]
    if any(one is None for side in calls for one in side):
        return None
    used = [any(side) for side in calls]
    if used[0] == used[1]:
        return None
    if used[0]:
        return tool_overuse(first, second, arm=names[0], other=names[1])
    return tool_overuse(second, first, arm=names[1], other=names[0])
