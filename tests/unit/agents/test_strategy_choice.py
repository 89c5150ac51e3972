"""The bandit over remembered outcomes: scores, ties, exploration; and what a solve leaves for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.blocks.strategy_choice import (
    Estimate,
    Neighbour,
    estimate_strategies,
    explained,
    explored,
    first_attempts,
    outcome_records,
    with_outcomes,
)
from mathagent.memory.experience import Experience, Provenance, StrategyStatistics, Trust
from mathagent.types import Answer, Candidate, Problem, Solution, Step, Trial

PROBLEM = Problem(text="What is 6 times 7?", id="p1")
ABC = ("a", "b", "c")


def outcome(strategy: str, success: bool, similarity: float = 1.0, tokens: int = 0) -> Neighbour:
    content = StrategyStatistics(problem="p", strategy=strategy, model="m", success=success, tokens=tokens)
    return content, similarity


def ranked(neighbours: Sequence[Neighbour], *, nearest: int = 10, cost_weight: float = 0.0) -> list[Estimate]:
    return estimate_strategies(ABC, neighbours, nearest=nearest, cost_weight=cost_weight)


def names(estimates: Sequence[Estimate]) -> list[str]:
    return [one.strategy for one in estimates]


def test_a_success_goes_first_a_failure_last() -> None:
    found = ranked([outcome("a", False), outcome("b", True)])
    assert names(found) == ["b", "c", "a"]
    assert [one.success for one in found] == [pytest.approx(one) for one in (2 / 3, 1 / 2, 1 / 3)]


def test_without_outcomes_and_in_ties_the_order_is_the_given_one() -> None:
    assert names(ranked([])) == ["a", "b", "c"]
    assert names(ranked([outcome("c", True), outcome("b", True)])) == ["b", "c", "a"]
    assert names(ranked([outcome("unknown", True)])) == ["a", "b", "c"]


def test_similar_problems_count_more_and_only_the_nearest_count() -> None:
    found = ranked([outcome("a", False, 0.9), outcome("a", True, 0.1)])
    assert found[-1].success == pytest.approx(1.1 / 3)
    assert found[-1].weight == pytest.approx(1.0)
    far = [outcome("a", True, 0.2)] * 5
    assert ranked([outcome("a", False, 0.9), *far], nearest=1)[-1].success == pytest.approx(1 / 2.9)


def test_of_equally_successful_ones_the_cheaper_is_first() -> None:
    known = [outcome("a", True, tokens=900), outcome("b", True, tokens=300)]
    assert names(ranked(known))[:2] == ["a", "b"]
    found = ranked(known, cost_weight=0.1)
    assert names(found) == ["b", "a", "c"]
    assert found[0].score == pytest.approx(2 / 3 - 0.03)
    assert found[2].tokens == 600  # unknown: what the others cost


SIMILARITIES = st.floats(0, 1, allow_nan=False)
NEIGHBOURS = st.lists(st.builds(outcome, st.sampled_from(ABC), st.booleans(), SIMILARITIES, st.integers(0, 2000)))


@given(NEIGHBOURS, st.floats(0, 1), st.text(max_size=5))
def test_each_strategy_stands_once_in_every_order(neighbours: list[Neighbour], epsilon: float, key: str) -> None:
    estimates = ranked(neighbours, cost_weight=0.05)
    assert all(0 < one.success < 1 for one in estimates)
    order = explored(estimates, epsilon=epsilon, key=key)
    assert sorted(names(order)) == list(ABC)
    assert order == explored(estimates, epsilon=epsilon, key=key)


@given(NEIGHBOURS, st.sampled_from(ABC))
def test_one_more_success_never_makes_a_strategy_worse(neighbours: list[Neighbour], name: str) -> None:
    def score(known: list[Neighbour]) -> float:
        return next(one.score for one in ranked(known, nearest=1000) if one.strategy == name)

    assert (
        score([*neighbours, outcome(name, True)]) > score(neighbours) > score([*neighbours, outcome(name, False)])
    )


def test_exploration() -> None:
    estimates = ranked([outcome("b", True)])
    assert all(explored(estimates, epsilon=0, key=str(key)) == estimates for key in range(50))
    firsts = [explored(estimates, epsilon=1, key=str(key))[0].strategy for key in range(50)]
    assert set(firsts) == {"a", "c"}
    rate = sum(explored(estimates, epsilon=0.2, key=str(key)) != estimates for key in range(2000)) / 2000
    assert 0.15 < rate < 0.25
    assert explored(estimates[:1], epsilon=1, key="") == estimates[:1]


def test_the_order_is_explained() -> None:
    estimates = ranked([outcome("b", True, tokens=120), outcome("a", False)])
    assert explained(estimates).splitlines() == [
        "1. b: success 0.67 on similar problems (weight 1.0), 120 tokens",
        "2. c: nothing is known of it",
        "3. a: success 0.33 on similar problems (weight 1.0), 0 tokens",
    ]
    assert explained(estimates[::-1]).startswith("1. a: success 0.33")
    assert "tried to explore" in explained(estimates[::-1]).splitlines()[0]


def test_exploring_is_told_where_nothing_is_known_of_any() -> None:
    estimates = ranked([])
    order = explored(estimates, epsilon=1, key="")
    first, *others = explained(order, best=estimates[0]).splitlines()
    assert first == f"1. {order[0].strategy}: nothing is known of it; tried to explore"
    assert not any("explore" in line for line in (*others, explained(estimates, best=estimates[0])))


WHERE = Provenance(run="s1", model="m", strategy="smart-meta")
REJECTED = Trial(strategy="a", answer="14", candidate=0, judgement="incorrect", tokens=50)
ACCEPTED = Trial(strategy="b", answer="6", candidate=1, judgement="correct", accepted=True, tokens=70)
UNSURE = ACCEPTED.model_copy(update={"judgement": "unsure"})
CANDIDATES = [
    Candidate(steps=(Step(kind="thought", text=f"it is {answer}"),), answer=Answer(raw=answer, normal=answer))
    for answer in ("14", "6")
]


def told(trials: Sequence[Trial], *, right: bool | None = None) -> list[tuple[str, bool, str]]:
    records = outcome_records(PROBLEM, trials, WHERE, right=right)
    contents = [record.content for record in records]
    assert all(isinstance(one, StrategyStatistics) and one.problem == PROBLEM.text for one in contents)
    return [
        (one.strategy, one.success, record.trust)
        for one, record in zip(contents, records, strict=True)
        if isinstance(one, StrategyStatistics)
    ]


def test_what_a_solve_leaves() -> None:
    assert told([REJECTED, ACCEPTED]) == [("a", False, "verified"), ("b", True, "verified")]
    records = outcome_records(PROBLEM, [REJECTED, ACCEPTED], WHERE)
    assert records[1].content == StrategyStatistics(
        problem=PROBLEM.text, strategy="b", model="m", success=True, tokens=70
    )
    assert records[0].id != records[1].id


def test_nobody_knows_about_an_unsure_answer_but_two_that_agree_are_judged() -> None:
    assert told([REJECTED, UNSURE]) == [("a", False, "verified")]
    assert told([UNSURE, UNSURE.model_copy(update={"strategy": "c"})]) == [
        ("b", True, "judged"),
        ("c", True, "judged"),
    ]


def test_a_reference_decides_about_the_answer_it_was_asked_of() -> None:
    assert told([UNSURE], right=True) == [("b", True, "graded")]
    assert told([UNSURE], right=False) == [("b", False, "graded")]
    assert told([REJECTED, UNSURE], right=True) == [("a", False, "graded"), ("b", True, "graded")]
    assert told([REJECTED, UNSURE], right=False) == [("a", False, "verified"), ("b", False, "graded")]


def test_no_answer_is_a_failure_but_not_where_the_budget_cut_it() -> None:
    silent = Trial(strategy="a", judgement="incorrect")
    assert told([silent]) == [("a", False, "verified")]
    assert told([silent.model_copy(update={"judgement": "unsure"})]) == []


def test_the_training_record_is_the_success_as_a_first_attempt() -> None:
    (record,) = first_attempts(PROBLEM, [REJECTED, ACCEPTED], CANDIDATES)
    assert record.model_dump() == {
        "problem": PROBLEM.text,
        "strategy": "b",
        "solution": "it is 6",
        "first_attempt": True,
    }
    assert first_attempts(PROBLEM, [REJECTED], CANDIDATES) == []
    assert first_attempts(PROBLEM, [REJECTED, UNSURE], CANDIDATES) == []
    assert len(first_attempts(PROBLEM, [REJECTED, UNSURE], CANDIDATES, right=True)) == 1


@pytest.mark.parametrize(
    ("trust", "success", "told_of_b"),
    [("graded", False, (False, "graded")), ("graded", True, (True, "graded")), ("verified", True, None)],
)
def test_what_every_solve_leaves_says_whether_a_reference_was_there(
    trust: Trust, success: bool, told_of_b: tuple[bool, str] | None
) -> None:
    solution = Solution(
        problem=PROBLEM, answer="6", confidence=None, confidence_basis="", strategy="smart-meta", model="m"
    )
    where = Provenance(run="s1", model="m", created=12.5)
    content = StrategyStatistics(problem=PROBLEM.text, strategy="smart-meta", model="m", success=success)
    whole = Experience(content=content, trust=trust, provenance=where)
    kept = with_outcomes(solution, [REJECTED, UNSURE], [whole])
    assert kept[0] is whole
    assert {one.provenance.created for one in kept} == {12.5}
    assert [one.provenance.strategy for one in kept[1:]] == [one.content.strategy for one in kept[1:]]  # type: ignore[union-attr]
    about = {one.content.strategy: (one.content.success, one.trust) for one in kept[1:]}  # type: ignore[union-attr]
    assert about.get("b") == told_of_b
    assert not about["a"][0]
    (alone,) = with_outcomes(solution, [REJECTED], [])
    assert alone.provenance.model == "m"
