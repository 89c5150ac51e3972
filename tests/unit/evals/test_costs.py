from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.evals.costs import CostPoint, costs_of, dollars_of, frontier, list_price_of
from mathagent.evals.records import Record
from mathagent.types import Usage

MILLION = Usage(calls=100, prompt_tokens=1_000_000, completion_tokens=1_000_000)
GPT_4O_DOLLARS = 2.50 + 10.00  # OpenAI's public price list for a million tokens in and out, since October 2024
GPT_4O_MINI_DOLLARS = 0.15 + 0.60


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


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("openai:gpt-4o", GPT_4O_DOLLARS),
        ("openai:gpt-4o-mini", GPT_4O_MINI_DOLLARS),
        ("openai:gpt-4o@https://api.openai.com/v1", GPT_4O_DOLLARS),
    ],
)
def test_a_listed_model_has_its_providers_price(model: str, dollars: float) -> None:
    assert dollars_of(model, MILLION) == pytest.approx(dollars)


@pytest.mark.parametrize("model", ["embedded:qwen2.5-coder-1.5b@1234", "script:replies.json", "hf:some/model"])
def test_a_model_on_this_machine_is_free(model: str) -> None:
    assert dollars_of(model, MILLION) == 0.0


@pytest.mark.parametrize(
    "model",
    [
        "openai:no-such-model",
        "openai:gpt-4o@http://127.0.0.1:8000/v1",
        "openai:gpt-4o@http://localhost:8000/v1",
        "openai:gpt-4o@http://10.1.2.3/v1",
        "openai:gpt-4o@http://gpu-box:8000/v1",
        "openai:gpt-4o@https://llm.example.com/v1",
        "some.package:Backend:gpt-4o",
        "gpt-4o",
    ],
)
def test_a_price_that_nobody_lists_is_unknown_never_a_guess(model: str) -> None:
    assert dollars_of(model, MILLION) is None
    assert list_price_of(model, MILLION) is None


def test_cached_calls_cost_nothing_and_the_list_price_does_not_change() -> None:
    half = Usage(calls=50, prompt_tokens=500_000, completion_tokens=500_000)
    mixed = half + half.as_cached()
    assert dollars_of("openai:gpt-4o", half.as_cached()) == 0.0
    assert dollars_of("openai:gpt-4o", mixed) == pytest.approx(GPT_4O_DOLLARS / 2)
    assert list_price_of("openai:gpt-4o", mixed) == pytest.approx(GPT_4O_DOLLARS)


def test_where_it_is_not_told_which_tokens_were_cached_the_price_is_unknown() -> None:
    old = Usage(calls=4, prompt_tokens=100, completion_tokens=50, cached_calls=2)
    assert dollars_of("openai:gpt-4o", old) is None
    assert dollars_of("openai:gpt-4o", old.model_copy(update={"cached_calls": 4})) == 0.0


def test_nothing_used_is_nothing_paid() -> None:
    assert dollars_of("openai:no-such-model", Usage()) == 0.0


def test_many_short_calls_are_not_charged_as_one_long_prompt() -> None:
    # Google charges prompts of more than 200,000 tokens twice as much; none of these calls had one
    model = "openai:gemini-2.5-pro@https://generativelanguage.googleapis.com/v1beta/openai"
    price = list_price_of(model, Usage(calls=10, prompt_tokens=1_000_000, completion_tokens=1_000_000))
    one_long = list_price_of(model, Usage(calls=1, prompt_tokens=1_000_000, completion_tokens=1_000_000))
    assert price == pytest.approx(1.25 + 10.0)
    assert one_long == pytest.approx(2.50 + 15.0)


def test_costs_of_a_run_are_sums_and_say_what_has_no_price() -> None:
    priced = record(usage=MILLION, dollars=3.0, seconds=2.0)
    old = record(usage=MILLION, seconds=1.0)  # kept no money
    unknown = record(usage=MILLION.as_cached() + MILLION, backend="openai:gpt-4o@http://127.0.0.1:1/v1")
    costs = costs_of([priced, old, unknown])
    assert (costs.records, costs.calls, costs.cached_calls) == (3, 400, 100)
    assert (costs.completion_tokens, costs.seconds) == (4_000_000, 3.0)
    assert costs.dollars == pytest.approx(3.0 + GPT_4O_DOLLARS)
    assert costs.list_dollars == pytest.approx(2 * GPT_4O_DOLLARS)
    assert costs.unpriced == 1


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
