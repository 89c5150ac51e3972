"""eit: the order of its calls, what each sees, and what remains where the chain ends early."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.eit import STRATEGY
from mathagent.types import Problem
from tests.unit.agents.graph_solve import final_state, graph_solve

PROBLEM = Problem(text="A farmer has 6 rows of 7 trees. How many trees are there?", id="p1")
DRAFT = Reply(text="6 + 7 = \\boxed{13}", role="drafter", contains=(PROBLEM.text, "short solution"))
PLAN = Reply(
    text="1. Find the trees of a row.\n2. Find all.", role="planner", contains=(PROBLEM.text, "\\boxed{13}")
)
WHOLE = Reply(
    text="Each row has 7 trees, there are 6, so 6 * 7 = \\boxed{42}",
    role="enricher",
    contains=(PROBLEM.text, "\\boxed{13}", "2. Find all.", "put it right"),
)


async def test_draft_then_plan_then_steps() -> None:
    backend = ScriptedBackend([DRAFT, PLAN, WHOLE])
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer == "42"
    assert backend.roles == ["drafter", "planner", "enricher"]
    assert [step.text[:2] for step in state.candidates[0].steps] == ["6 ", "1.", "Ea"]
    assert [request.params.max_tokens for request in backend.requests] == [512, 512, 2048]
    assert {request.params.temperature for request in backend.requests} == {0.0}


async def test_without_a_draft_it_is_plan_then_steps() -> None:
    plan = Reply(text="1. Count.", role="planner", lacks=("short solution",))
    whole = Reply(text="\\boxed{42}", role="enricher", contains=("1. Count.",), lacks=("short solution",))
    backend = ScriptedBackend([plan, whole])
    assert (await final_state(STRATEGY, backend, PROBLEM, draft=False)).answer == "42"


async def test_choices_are_answered_by_letter() -> None:
    problem = Problem(text="6 rows of 7 trees are how many?", choices=("40", "42"))
    backend = ScriptedBackend(
        ["It is (B).", "1. Multiply.", Reply(text="\\boxed{B}", contains=("(B) 42", "letter"))]
    )
    assert (await final_state(STRATEGY, backend, problem)).answer == "B"


async def test_a_plan_that_fails_is_done_without() -> None:
    whole = Reply(text="\\boxed{42}", role="enricher", lacks=("Plan:",))
    backend = ScriptedBackend([DRAFT, Reply(error="gone"), whole])
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "42"


async def test_an_enriched_solution_that_fails_leaves_the_draft_s_answer() -> None:
    backend = ScriptedBackend([DRAFT, PLAN, Reply(error="gone")])
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "13"


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_budget_that_ends_early_leaves_the_draft_s_answer(calls: int) -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([DRAFT, PLAN]), PROBLEM, budget=Budget(max_calls=calls))
    assert run.state.answer == "13"
    assert run.state.limit is not None


async def test_without_a_draft_a_budget_that_ends_early_is_a_named_failure() -> None:
    run, _ = await graph_solve(
        STRATEGY, ScriptedBackend(["1. Count."]), PROBLEM, draft=False, budget=Budget(max_calls=1)
    )
    assert run.state.answer is None
    assert run.state.candidates[0].failure is not None


async def test_several_chains_vote_and_their_samples_are_distinct() -> None:
    said = ["\\boxed{42}", "\\boxed{41}", "\\boxed{42.0}"]
    backend = ScriptedBackend(lambda request, index: said[index] if request.role == "enricher" else "so")
    state = await final_state(STRATEGY, backend, PROBLEM, n=3)
    assert state.answer == "42"
    assert len(backend.requests) == 9
    assert sorted(one.first_sample for one in backend.requests if one.role == "drafter") == [0, 1, 2]


async def test_an_enriched_solution_that_was_cut_leaves_the_draft_s_answer() -> None:
    cut = Reply(text="Each row", finish_reason="length")
    state = await final_state(STRATEGY, ScriptedBackend([DRAFT, PLAN, cut]), PROBLEM)
    assert state.answer == "13"
    assert state.candidates[0].steps[-1].text == "Each row"


async def test_a_truncated_solution_is_a_named_failure() -> None:
    cut = Reply(text="Each row", finish_reason="length")
    state = await final_state(STRATEGY, ScriptedBackend(["1. Count.", cut]), PROBLEM, draft=False)
    assert state.answer is None
    assert state.candidates[0].failure is not None
    assert state.candidates[0].failure.kind == "truncated"


async def test_nonsense_is_a_named_failure() -> None:
    state = await final_state(STRATEGY, ScriptedBackend(lambda request, index: "la la la"), PROBLEM)
    assert state.answer is None
    assert state.candidates[0].failure is not None


@pytest.mark.parametrize("draft", [True, False])
async def test_a_dead_endpoint(draft: bool) -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([Reply(error="gone")] * 3), PROBLEM, draft=draft)
    assert isinstance(run.error, BackendError)
