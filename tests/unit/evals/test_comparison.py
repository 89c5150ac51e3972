"""What is compared with what, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from mathagent.budget import Budget
from mathagent.errors import UsageError
from mathagent.evals.comparison import Comparison, compare
from mathagent.evals.comparison_sides import sides
from mathagent.evals.metrics import arms
from mathagent.evals.metrics.arms import arms_of_runs
from mathagent.evals.records import Outcome, Record
from mathagent.types import Usage

OUTCOMES: dict[str, Outcome] = {"1": "correct", "0": "incorrect", "?": "undecided", "!": "error"}


def arm(strategy: str, outcomes: str, *, tokens: int = 10, tag: str = "", **fields: Any) -> list[Record]:
    """One attempt an item; items have three subjects in turn."""
    values: dict[str, Any] = {"dataset": "d", "model": "m", "config": {}, **fields}
    return [
        Record(
            **values,
            key=f"{strategy}{place}{tag}{values['dataset']}{values['model']}",
            problem_id=f"p{place}",
            item_hash=f"h{place}",
            subject=("algebra", "geometry", "counting")[place % 3],
            strategy=strategy,
            reference="1",
            answer="1" if one == "1" else "2",
            outcome=OUTCOMES[one],
            reason="",
            usage=Usage(completion_tokens=tokens),
        )
        for place, one in enumerate(outcomes)
    ]


def compared(*groups: list[Record], **options: Any) -> Comparison:
    records = [record for group in groups for record in group]
    return compare(sides(arms(records), ungraded=options.get("ungraded", "leave-out")), **options)


COT, PAL, SC = arm("cot", "001001001001"), arm("pal", "111111011001"), arm("self-consistency", "111111111111")


def test_each_arm_with_the_first() -> None:
    found = compared(COT, PAL, SC)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("cot", "pal"), ("cot", "self-consistency")]
    first, second = found.pairs
    assert (first.difference.better, first.difference.worse) == (5, 0)
    assert first.difference.p == pytest.approx(2 / 2**5)
    assert second.difference.p == pytest.approx(2 / 2**8)
    assert second.p_holm == pytest.approx(2 * second.difference.p)
    assert first.p_holm == pytest.approx(first.difference.p)


def test_every_two_or_another_baseline() -> None:
    assert len(compared(COT, PAL, SC, all_pairs=True).pairs) == 3
    assert {pair.first for pair in compared(COT, PAL, SC, baseline="self").pairs} == {"self-consistency"}
    with pytest.raises(UsageError, match="no arm that others can be compared with; there are: 'cot', 'pal'"):
        compared(COT, PAL, baseline="tot")
    eight = [record.model_copy(update={"key": record.key + "8", "config": {"n": 8}}) for record in PAL]
    with pytest.raises(UsageError, match=r"'pa' may be 2 arms: .*n=8.*write more"):
        compared(COT, PAL, eight, baseline="pa")


def test_flips_both_ways_and_groups() -> None:
    [pair] = compared(arm("cot", "110"), arm("pal", "011")).pairs
    assert [flip.problem_id for flip in pair.gained] == ["p2"]
    assert [flip.problem_id for flip in pair.lost] == ["p0"]
    [lost] = pair.lost
    assert (lost.first_answers, lost.second_answers, lost.reference) == (("1",), ("2",), "1")
    assert [group.name for group in pair.groups["subject"]] == ["algebra", "counting", "geometry"]
    assert "level" not in pair.groups


def test_what_is_not_compared_is_counted() -> None:
    second = arm("pal", "?0!11")
    second[3] = second[3].model_copy(update={"item_hash": "edited"})
    [pair] = compared(arm("cot", "1111"), second).pairs
    assert (pair.difference.items, pair.ungraded, pair.edited, pair.only_second) == (1, 2, 1, 1)
    wrong = compared(arm("cot", "1111"), second, ungraded="wrong")
    assert (wrong.pairs[0].difference.items, wrong.pairs[0].ungraded) == (3, 0)
    assert wrong.arms[1].summary.accuracy == pytest.approx(2 / 5)
    notes = " ".join(wrong.arms[1].notes)
    assert "1 grade undecided" in notes
    assert "1 solve failed" in notes


def test_other_models_and_budgets_are_said() -> None:
    other = [
        record.model_copy(update={"budget": Budget(max_tokens=99)}) for record in arm("pal", "10", model="big")
    ]
    [pair] = compared(arm("cot", "11", budget=Budget()), other).pairs
    assert "model differs: m and big" in pair.notes
    assert "budget differs: no limit and 99 tokens" in pair.notes


def test_data_sets_are_blocks_and_corrected_together() -> None:
    def math(strategy: str, outcomes: str) -> list[Record]:
        records = arm(strategy, outcomes, dataset="math")
        return [record.model_copy(update={"item_hash": f"m{record.item_hash}"}) for record in records]

    found = compared(COT, PAL, math("cot", "00000"), math("pal", "11111"))
    assert [(pair.dataset, pair.second) for pair in found.pairs] == [("d", "pal"), ("math", "pal")]
    assert all(pair.p_holm >= 2 * min(one.difference.p for one in found.pairs) for pair in found.pairs)


def test_the_same_items_under_another_name_are_compared() -> None:
    [pair] = compared(arm("cot", "101"), arm("pal", "111", dataset="d.test")).pairs
    assert pair.difference.items == 3
    assert "data set differs: d and d.test" in pair.notes


def test_nothing_to_compare() -> None:
    with pytest.raises(UsageError, match="needs two arms"):
        compared(COT)
    edited = [record.model_copy(update={"item_hash": record.item_hash + "e"}) for record in PAL]
    with pytest.raises(UsageError, match="edited"):
        compared(COT, edited)
    with pytest.raises(UsageError, match="no item in common"):
        compared(COT[:3], [record.model_copy(update={"problem_id": "q" + record.problem_id}) for record in edited])
    with pytest.raises(UsageError, match="grade in both"):
        compared(arm("cot", "11"), arm("pal", "??"))


def test_records_without_hashes_are_told_apart_by_id() -> None:
    old = [record.model_copy(update={"item_hash": ""}) for record in COT]
    found = compared(old, PAL)
    assert found.pairs[0].difference.items == 12
    assert "no item hashes" in found.notes[0]


def test_the_run_is_in_the_name_where_it_must_be() -> None:
    before = {"r1": PAL, "r2": [record.model_copy(update={"key": record.key + "2"}) for record in PAL]}
    found = compare(sides(arms_of_runs(before)), baseline="r2")
    assert (found.pairs[0].first, found.pairs[0].second) == ("pal (r2)", "pal (r1)")


def test_a_data_set_in_which_nothing_is_compared_is_said() -> None:
    alone = [
        record.model_copy(update={"item_hash": f"m{record.item_hash}"}) for record in arm("cot", "1", dataset="m")
    ]
    found = compared(COT, PAL, alone)
    assert found.notes == ("nothing is compared in m: there is only 'cot'",)
    other = compared(COT, PAL, alone, baseline="pal")
    assert [pair.dataset for pair in other.pairs] == ["d"]


def test_a_sandbox_that_notes_no_tier_is_not_another() -> None:
    same = compared(arm("cot", "11", sandbox="process/A"), arm("pal", "10", sandbox="process")).pairs[0]
    assert not any("sandbox" in note for note in same.notes)
    other = compared(arm("cot", "11", sandbox="process/A"), arm("pal", "10", sandbox="docker/B")).pairs[0]
    assert "sandbox differs: process/A and docker/B" in other.notes
