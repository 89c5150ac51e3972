"""Tool overuse, counted by hand, and where it is told."""

from __future__ import annotations

from mathagent.evals.comparison import compare
from mathagent.evals.comparison_sides import sides
from mathagent.evals.metrics import arms
from mathagent.evals.metrics.items import items
from mathagent.evals.metrics.tool_use import mean_tool_calls, tool_calls, tool_overuse
from mathagent.evals.records import Outcome, Record
from mathagent.types import Answer, Candidate, Problem, Solution, Step

TOOL = Step(kind="observation", text="12", origin="tool")
WORDS = Step(kind="thought", text="twelve")


def record(strategy: str, item: int, calls: int | None, outcome: Outcome, attempt: int = 0) -> Record:
    """One attempt with so many calls of tools; None: its solution is not kept."""
    solution = None
    if calls is not None:
        candidate = Candidate(steps=(WORDS, *[TOOL] * calls), answer=Answer(raw="1", normal="1"))
        solution = Solution(
            problem=Problem(text=f"Item {item}"),
            answer="1",
            confidence=None,
            confidence_basis="",
            candidates=(candidate,),
            strategy=strategy,
            model="m",
        )
    return Record(
        key=f"{strategy}/{item}/{attempt}",
        dataset="d",
        problem_id=f"p{item}",
        item_hash=f"h{item}",
        attempt=attempt,
        strategy=strategy,
        config={},
        model="m",
        reference="1",
        answer="1",
        outcome=outcome,
        reason="",
        solution=solution,
    )


# Four calls; three of them on items 0 and 1, which are right without tools.
WITH = [record("smart", item, calls, "correct") for item, calls in enumerate((2, 1, 1, 0))]
RIGHT: tuple[Outcome, ...] = ("correct", "correct", "incorrect", "incorrect")
WITHOUT = [record("cot", item, 0, outcome) for item, outcome in enumerate(RIGHT)]


def test_three_of_four_calls_were_needless() -> None:
    found = tool_overuse(items(WITH), items(WITHOUT), arm="smart", other="cot")
    assert found is not None
    assert (found.items, found.calls, found.needless, found.rate, found.untouched) == (4, 4.0, 3.0, 0.75, 1)


def test_attempts_weigh_by_the_share_that_is_right() -> None:
    with_tools = [record("smart", 0, 1, "correct"), record("smart", 0, 3, "correct", attempt=1)]
    without = [record("cot", 0, 0, "correct"), record("cot", 0, 0, "incorrect", attempt=1)]
    found = tool_overuse(items(with_tools), items(without), arm="smart", other="cot")
    assert found is not None
    assert (found.calls, found.rate) == (2.0, 0.5)


def test_what_is_not_known_is_not_counted() -> None:
    unkept = [record("smart", 0, None, "correct")]
    assert tool_calls(unkept[0]) is None
    assert mean_tool_calls(items(unkept)[0]) is None
    assert tool_overuse(items(unkept), items(WITHOUT), arm="a", other="b") is None
    assert tool_overuse(items(WITH), items([record("cot", 0, 0, "undecided")]), arm="a", other="b") is None
    idle = tool_overuse(items([record("smart", 0, 0, "correct")]), items(WITHOUT), arm="a", other="b")
    assert idle is not None
    assert idle.rate is None


def test_a_comparison_tells_it_of_the_arm_with_tools_only() -> None:
    [pair] = compare(sides(arms([*WITHOUT, *WITH]))).pairs
    assert pair.overuse is not None
    assert (pair.overuse.arm, pair.overuse.other, pair.overuse.rate) == ("smart", "cot", 0.75)
    [pair] = compare(sides(arms([*WITH, *WITHOUT]))).pairs
    assert pair.overuse is not None
    assert (pair.overuse.arm, pair.overuse.rate) == ("smart", 0.75)
    other = [one.model_copy(update={"strategy": "pal", "key": one.key + "2"}) for one in WITH]
    [pair] = compare(sides(arms([*WITH, *other]))).pairs
    assert pair.overuse is None
