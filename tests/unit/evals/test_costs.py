from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.evals.costs import CostPoint, costs_of, frontier
from mathagent.evals.records import Record
from mathagent.types import Usage

MILLION = Usage(calls=100, prompt_tokens=1_000_000, completion_tokens=1_000_000)
GPT_4O_DOLLARS = 2.50 + 10.00  # OpenAI's public price list for a million tokens in and out, since October 2024


def record(**changes: Any) -> Record:
    fields: dict[str, Any] = {
        "key": "k",
        "dataset": "d",
        "problem_id": "p",
        "strategy": "cot",
        "config": {},
        "model": "openai:gpt-4o",
        "reference": "7",
        "answer": "7",
        "outcome": "correct",
        "reason": "",
    }
    return Record(**{**fields, **changes})


def test_costs_of_a_run_are_sums_and_say_what_has_no_price() -> None:
    priced = record(usage=MILLION, dollars=3.0, seconds=2.0)
    old = record(usage=MILLION, seconds=1.0)  # kept no money
    unknown = record(usage=MILLION.as_cached() + MILLION, backend="openai:gpt-4o@http://127.0.0.1:1/v1")
    costs = costs_of([priced, old, unknown])
    assert (costs.records, costs.calls, costs.cached_calls) == (3, 400, 100)
    assert (costs.completion_tokens, costs.seconds) == (4_000_000, 3.0)
    assert costs.dollars == pytest.approx(3.0 + GPT_4O_DOLLARS)
    assert costs.list_dollars == pytest.approx(2 * GPT_4O_DOLLARS)
    assert (costs.unpriced, costs.unlisted) == (1, 1)
    free = costs_of([record(usage=MILLION.as_cached(), backend="openai:gpt-4o@http://127.0.0.1:1/v1")])
    assert (free.dollars, free.unpriced) == (0.0, 0)  # nothing was paid; what it would cost is not known for that
    assert free.unlisted == 1


def point(label: str, cost: float | None, accuracy: float | None) -> CostPoint:
    return CostPoint(label=label, cost=cost, accuracy=accuracy)


def test_the_frontier_leaves_out_what_another_beats() -> None:
    points = [
        point("dear and good", 9.0, 0.9),
        point("dear and bad", 9.0, 0.5),
        point("cheap", 1.0, 0.6),
        point("no better than cheap", 2.0, 0.6),
        point("worse than cheap", 1.0, 0.5),
        point("middle", 3.0, 0.7),
        point("twin of middle", 3.0, 0.7),
        point("unknown price", None, 1.0),
        point("ungraded", 0.0, None),
    ]
    assert [one.label for one in frontier(points)] == ["cheap", "middle", "twin of middle", "dear and good"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_every_point_is_on_the_frontier_or_beaten_by_one_on_it(pairs: list[tuple[int, int]]) -> None:
    points = [point(str(index), cost, accuracy / 5) for index, (cost, accuracy) in enumerate(pairs)]
    front = frontier(points)
    for one in points:
        beaten = [
            other
            for other in front
            if other.cost <= one.cost  # type: ignore[operator]
            and other.accuracy >= one.accuracy  # type: ignore[operator]
            and (other.cost, other.accuracy) != (one.cost, one.accuracy)
        ]
        assert (one in front) != bool(beaten)
    assert [one.cost for one in front] == sorted(one.cost for one in front)  # type: ignore[type-var]
