from __future__ import annotations

from math import comb

import pytest

from mathagent.answers.compare import AnswerComparer
from mathagent.console.report_page import report_page
from mathagent.console.report_text import report_latex, report_markdown
from mathagent.errors import UsageError
from mathagent.evals.metrics import arms
from mathagent.evals.records import Record
from mathagent.evals.report import Report, make_report
from mathagent.evals.report_coverage import coverages
from mathagent.evals.report_tables import TABLES, report_tables
from mathagent.types import Answer, Candidate, Problem, Solution, Usage
from tests.unit.evals.report_records import record


def two_arms() -> list[Record]:
    """20 items: both right on 8, only pal on 9, only cot on 1, neither on 2."""
    only_pal, only_cot, neither = range(8, 17), {17}, {18, 19}
    cot = [record(i, "incorrect" if i in only_pal or i in neither else "correct") for i in range(20)]
    pal = [
        record(i, "incorrect" if i in only_cot or i in neither else "correct", strategy="pal") for i in range(20)
    ]
    return [*cot, *pal]


def report_on(records: list[Record]) -> Report:
    return make_report(arms(records), title="T", made="now", version="0")


def test_an_arm_has_accuracy_interval_and_costs() -> None:
    [arm] = report_on([record(i, "correct" if i < 7 else "incorrect") for i in range(10)]).arms
    assert arm.summary.accuracy == pytest.approx(0.7)
    assert (arm.summary.low, arm.summary.high) == pytest.approx((0.396778, 0.892209), abs=1e-6)  # published table
    assert arm.cost["tokens"] == 150
    assert arm.tokens_per_solved == pytest.approx(1500 / 7)
    assert arm.cost["dollars"] is None  # nobody lists a price for a private address
    assert arm.coverage is None


def test_pairs_have_the_exact_test_and_their_flips() -> None:
    [pair] = report_on(two_arms()).datasets[0].pairs
    assert pair.difference.difference == pytest.approx(8 / 20)
    exact = 2 * sum(comb(10, k) for k in range(2)) / 2**10  # 1 of 10 discordant items
    assert pair.difference.p == pytest.approx(exact)
    assert pair.only_first == ("hash-17",)
    assert pair.only_second == tuple(f"hash-{i}" for i in range(8, 17))
    assert pair.unpaired == 0


def test_three_arms_are_corrected_by_holm() -> None:
    third = [record(i, strategy="auto") for i in range(20)]
    pairs = report_on([*two_arms(), *third]).datasets[0].pairs
    raw = sorted(pair.difference.p for pair in pairs)
    smallest = min(pairs, key=lambda pair: pair.difference.p)
    assert len(pairs) == 3
    assert smallest.p_holm == pytest.approx(min(1.0, 3 * raw[0]))


def test_pairs_name_their_own_arms_where_runs_have_the_data_sets_in_turns() -> None:
    made = [
        record(
            i,
            "correct" if i < right else "incorrect",
            strategy=strategy,
            dataset=dataset,
            key=f"{strategy}{dataset}{i}",
        )
        for strategy, right in (("cot", 2), ("pal", 5), ("auto", 9))
        for dataset in ("one", "two")
        for i in range(10)
    ]
    groups = arms(made)
    report = make_report(groups, title="T", made="now", version="0")
    assert [arm.number for arm in report.arms] == list(range(6))
    right = {"cot": 2, "pal": 5, "auto": 9}
    for dataset in report.datasets:
        for pair in dataset.pairs:
            first, second = report.arms[pair.first], report.arms[pair.second]
            assert first.dataset == second.dataset == dataset.name
            assert pair.difference.difference == pytest.approx((right[second.name] - right[first.name]) / 10)
    (table,) = report_tables(report, groups, ("comparison",))
    names = [column.name for column in table.columns]
    for row in (dict(zip(names, cells, strict=True)) for cells in table.rows):
        assert row["difference"] == pytest.approx((right[row["second"]] - right[row["first"]]) / 10)


def test_what_the_cache_answered_is_not_free_where_no_price_is_known() -> None:
    cached = Usage(calls=1, completion_tokens=50, cached_calls=1, cached_completion_tokens=50)
    [arm] = report_on([record(i, usage=cached) for i in range(3)]).datasets[0].arms
    assert (arm.costs.dollars, arm.cost["dollars"], arm.on_front) == (0.0, None, ("tokens",))


def test_levels_stand_in_the_order_of_their_numbers() -> None:
    made = [record(i, level=f"Level {level}" if level else "") for i, level in enumerate((10, 2, 9, 0, 1))]
    [breakdown] = report_on(made).datasets[0].breakdowns
    assert [row.group for row in breakdown.rows] == ["Level 1", "Level 2", "Level 9", "Level 10", "(none)"]


def test_an_item_that_stands_twice_is_named_in_every_format() -> None:
    twin = record(0).model_copy(update={"problem_id": "sums/9", "key": "twin"})
    groups = arms([record(0), record(1), twin])
    report = make_report(groups, title="T", made="now", version="0")
    (dataset,) = report.datasets
    assert (dataset.items, dataset.attempts, dataset.copies) == (2, 1, (("sums/0", "sums/9"),))
    assert dataset.arms[0].summary.attempts == 2
    assert "sums/0 = sums/9" in report_markdown(report, [])
    assert "% sums: 1 item stands several times" in report_latex(report, [])
    assert "sums/0 = sums/9" in report_page(report, groups)


def test_arms_of_different_data_sets_are_not_compared() -> None:
    other = [record(i, dataset="others", key=f"o{i}") for i in range(5)]
    report = report_on([record(i) for i in range(5)] + other)
    assert [dataset.name for dataset in report.datasets] == ["sums", "others"]
    assert all(not dataset.pairs for dataset in report.datasets)


def test_records_without_hashes_are_paired_by_id() -> None:
    old = [record(i, strategy="pal", item_hash="") for i in range(4)]
    [dataset] = report_on([record(i) for i in range(4)] + old).datasets
    assert dataset.items == 4
    assert dataset.pairs[0].difference.items == 4


def test_a_breakdown_needs_two_groups() -> None:
    alike = [record(i, subject="Algebra") for i in range(4)]
    assert report_on(alike).datasets[0].breakdowns == ()
    mixed = [record(i, "incorrect" if i == 3 else "correct", subject="ab"[i % 2], level="1") for i in range(4)]
    [breakdown] = report_on(mixed).datasets[0].breakdowns
    assert breakdown.by == "subject"
    assert [(row.group, row.items, row.shares[0].accuracy) for row in breakdown.rows] == [
        ("a", 2, 1),
        ("b", 2, 0.5),
    ]


def test_failures_are_counted_by_kind_with_examples() -> None:
    kinds = [record(0), record(1, "incorrect"), record(2, "undecided"), record(3, "error")]
    rows = {row.failure: row for row in report_on(kinds).datasets[0].failures}
    assert {kind: row.counts for kind, row in rows.items()} == {"wrong": (1,), "undecided": (1,), "error": (1,)}
    assert rows["wrong"].examples[0].problem_id == "sums/1"
    assert all(row.about for row in rows.values())


def test_calibration_needs_some_answers_with_a_confidence() -> None:
    sure = [record(i, "correct" if i < 4 else "incorrect", confidence=0.9) for i in range(5)]
    [arm] = report_on(sure).arms
    assert arm.calibration is not None
    assert arm.calibration.ece == pytest.approx(0.1)
    assert arm.calibration.brier == pytest.approx((4 * 0.01 + 0.81) / 5)
    assert report_on(sure[:4]).arms[0].calibration is None


def test_the_front_has_no_arm_that_is_dearer_and_worse() -> None:
    cheap = [record(i, "correct" if i < 6 else "incorrect") for i in range(10)]
    dear = [record(i, "correct" if i < 5 else "incorrect", strategy="pal", seconds=9.0) for i in range(10)]
    report = report_on([*cheap, *dear])
    assert "seconds" in report.arms[0].on_front
    assert "seconds" not in report.arms[1].on_front


async def test_coverage_of_several_attempts() -> None:
    """Two items, 4 attempts, 2 and 0 right: pass@1 is 1/4, pass@2 (1 - 1/6) / 2, pass@4 1/2."""
    tried = [
        record(i, "correct" if i == 0 and a < 2 else "incorrect", attempt=a) for i in range(2) for a in range(4)
    ]
    found = await coverages(arms(tried), AnswerComparer(_no_worker))
    assert [point.k for point in found[0].points] == [1, 2, 4]
    assert [point.oracle for point in found[0].points] == pytest.approx([0.25, (1 - 1 / 6) / 2, 0.5])
    assert all(point.majority <= point.oracle for point in found[0].points)
    assert await coverages(arms([record(i) for i in range(3)]), AnswerComparer(_no_worker)) == {}


async def _no_worker(function: str, *args: object, timeout_s: float = 5.0) -> None:
    raise AssertionError("plain numbers need no worker")


def test_tables_say_what_the_report_says() -> None:
    groups = arms(two_arms())
    report = make_report(groups, title="T", made="now", version="0")
    tables = {table.name: table for table in report_tables(report, groups, TABLES)}
    assert set(tables) == {"summary", "comparison", "failures", "items"}  # the others have no rows
    assert len(tables["items"].rows) == 40
    assert all(len(row) == len(table.columns) for table in tables.values() for row in table.rows)
    row = dict(
        zip([column.name for column in tables["comparison"].columns], tables["comparison"].rows[0], strict=True)
    )
    assert (row["only_first"], row["only_second"]) == (1, 9)
    with pytest.raises(UsageError, match="no table 'x'"):
        report_tables(report, groups, ["x"])


async def test_coverage_of_repeated_sampling_is_that_of_its_candidates() -> None:
    answers = ("8", "7", "8", "8")
    solution = Solution(
        problem=Problem(text="?"),
        answer="8",
        confidence=None,
        confidence_basis="",
        strategy="monkeys",
        model="m",
        candidates=tuple(Candidate(answer=Answer(raw=answer, normal=answer)) for answer in answers),
    )
    tried = [record(i, "incorrect", strategy="monkeys", reference="7", solution=solution) for i in range(2)]
    found = await coverages(arms(tried), AnswerComparer(_no_worker))
    assert [(point.k, point.oracle) for point in found[0].points] == [(1, 0.25), (2, 0.5), (4, 1.0)]
    assert found[0].points[-1].majority == 0.0
    set_otherwise = [one.model_copy(update={"strategy": "monkeys(n=4)"}) for one in tried]
    assert (await coverages(arms(set_otherwise), AnswerComparer(_no_worker))).keys() == {0}
    others = [one.model_copy(update={"strategy": "malt"}) for one in tried]  # its candidates are no fresh samples
    assert await coverages(arms(others), AnswerComparer(_no_worker)) == {}
