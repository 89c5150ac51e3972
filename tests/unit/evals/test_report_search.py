"""Of searches: whether any leaf is right, beside what was chosen."""

from __future__ import annotations

import re

import pytest

from mathagent.answers.compare import AnswerComparer
from mathagent.console.report_page import report_page
from mathagent.evals.metrics import arms
from mathagent.evals.records import Record
from mathagent.evals.report import make_report
from mathagent.evals.report_search import SEARCHES, is_search, searches
from mathagent.evals.report_tables import report_tables
from mathagent.strategies import STRATEGIES
from mathagent.types import Answer, Candidate, Problem, Solution
from tests.unit.evals.report_records import record


async def no_worker(function: str, *args: object, timeout_s: float = 5.0) -> None:
    raise AssertionError("plain numbers need no worker")


def searched(number: int, chosen: str, *leaves: str, strategy: str = "rebase") -> Record:
    """An item whose reference is 7."""
    solution = Solution(
        problem=Problem(text="?"),
        answer=chosen,
        confidence=None,
        confidence_basis="",
        strategy=strategy,
        model="m",
        candidates=tuple(Candidate(answer=Answer(raw=leaf, normal=leaf)) for leaf in leaves),
    )
    outcome = "correct" if chosen == "7" else "incorrect"
    return record(number, outcome, strategy=strategy, reference="7", solution=solution)


RECORDS = [
    searched(0, "7", "7", "8", "7"),
    searched(1, "8", "8", "7"),  # one leaf is right, and another was chosen
    searched(2, "8", "8"),
    searched(3, "7", "8", "8", "7"),
]


async def test_the_oracle_stands_beside_the_choice() -> None:
    groups = arms(RECORDS)
    found = await searches(groups, AnswerComparer(no_worker))
    one = found[0]
    assert (one.solves, one.leaves) == (4, 9 / 4)
    assert (one.chosen, one.oracle, one.gap) == (0.5, 0.75, 0.25)
    assert one.majority == pytest.approx((1 + 0.5) / 4)
    assert one.low < one.oracle < one.high
    report = make_report(groups, title="T", made="now", version="0", search=found)
    [table] = report_tables(report, groups, ["search"])
    row = dict(zip([column.name for column in table.columns], table.rows[0], strict=True))
    assert (row["arm"], row["leaves"], row["chosen"], row["oracle"]) == (report.arms[0].name, 2.25, 0.5, 0.75)
    page = report_page(report, groups)
    assert re.search(r"<h3>Search</h3>.*>2\.2<.*>50\.0%<.*>75\.0%<", page, re.DOTALL)
    assert "<h3>Search</h3>" not in report_page(make_report(groups, title="T", made="now", version="0"), groups)


async def test_only_searches_that_kept_their_leaves() -> None:
    assert await searches(arms([record(0, strategy="rebase", solution=None)]), AnswerComparer(no_worker)) == {}
    sampled = [searched(0, "7", "7", "8", strategy="self-consistency")]
    assert await searches(arms(sampled), AnswerComparer(no_worker)) == {}
    names = {"rebase(n=4)": True, "rebase(n=4) | cot(n=2)": False, "vote(rebase, beam)": False, "mcts": True}
    for name, expected in names.items():
        [group] = arms([searched(0, "7", "7", strategy=name)])
        assert is_search(group) is expected


def test_every_search_of_ours_is_one() -> None:
    assert {name for name in STRATEGIES.table if STRATEGIES.load(name).kind == "search"} == SEARCHES
