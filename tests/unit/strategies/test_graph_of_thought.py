"""graph-of-thought: generate, score, keep, combine, refine, in this order, and what becomes of the combined path."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.events import Event, Warned
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.graph_of_thought import STRATEGY
from mathagent.types import Problem
from tests.unit.agents.graph_solve import final_state
from tests.unit.strategies.toy_search import QUESTION, SCORER, TOY, toy_reply, toy_solve

FIRST = ["5", "9", "1", "4"]


def script(*after: Reply | str, combined: str = "Step 1: 8\n\nStep 2: 4") -> list[Reply | str]:
    combination = Reply(
        text=combined,
        role="combiner",
        contains=(QUESTION, "Unfinished solution 1:\nStep 1: 9", "Unfinished solution 2:\nStep 1: 5"),
        lacks=("Step 1: 4", "Step 1: 1"),
    )
    return [*FIRST, combination, *after]


async def test_the_kept_paths_are_combined_and_the_new_path_competes() -> None:
    """8 and 4 are worth 0.8, more than 9 (0.6) and 5 (0.33): the combined path and the 9 go on."""
    backend = ScriptedBackend(script(*["3: \\boxed{15}"] * 2, *["9: \\boxed{18}"] * 2))
    state = await final_state(STRATEGY, backend, Problem(text=QUESTION), n=4, scorer=SCORER)
    assert backend.roles == ["stepper", "combiner", "stepper", "stepper"]
    assert [request.messages[-1].content for request in backend.requests[2:]] == [
        "Step 1: 8\n\nStep 2: 4\n\nStep 3:",
        "Step 1: 9\n\nStep 2:",
    ]
    assert state.answer == "15"
    assert state.tree is not None
    combined = next(node for node in state.tree.nodes if node.sources)
    assert combined.sources == (2, 1)
    assert combined.value == pytest.approx(0.8)
    assert [[step.text for step in one.steps] for one in state.candidates][:1] == [["8", "4", "3: \\boxed{15}"]]
    assert TOY.asked[-2] == [("8", "4")]


async def test_a_combination_may_state_the_answer() -> None:
    backend = ScriptedBackend(script(*["1", "2"], combined="Step 1: 9\n\nStep 2: 6, so \\boxed{15}"))
    solution = await toy_solve("graph-of-thought", backend, n=4, keep=2, depth=2)
    assert "15" in [one.answer.normal for one in solution.candidates if one.answer]
    assert solution.answer == "15"


@pytest.mark.parametrize("combined", ["", "Step 1: 9", "Step 1: 5"])
async def test_a_combination_that_says_nothing_new_is_left_out(combined: str) -> None:
    after = [*["6: \\boxed{15}"] * 2, *["5: \\boxed{10}"] * 2]
    state = await final_state(
        STRATEGY, ScriptedBackend(script(*after, combined=combined)), Problem(text=QUESTION), n=4, scorer=SCORER
    )
    assert state.tree is not None
    assert not any(node.sources for node in state.tree.nodes)
    assert state.answer == "15"


async def test_a_combination_that_fails_is_a_warning() -> None:
    replies = [*FIRST, Reply(error="down"), *["6: \\boxed{15}"] * 2, *["5: \\boxed{10}"] * 2]
    events: list[Event] = []
    solution = await toy_solve("graph-of-thought", ScriptedBackend(replies), events=events, n=4)
    assert solution.answer == "15"
    assert any("not combined" in event.message for event in events if isinstance(event, Warned))


async def test_the_best_path_can_be_written_again() -> None:
    refinement = Reply(
        text="Step 1: 7", role="combiner", contains=("Unfinished solution:\nStep 1: 9",), lacks=("Step 1: 5",)
    )
    replies = [*FIRST, refinement, *["6: \\boxed{15}"] * 2, *["8: \\boxed{15}"] * 2]
    backend = ScriptedBackend(replies)
    solution = await toy_solve("graph-of-thought", backend, n=4, aggregate_paths=False, refine=True)
    assert solution.answer == "15"
    assert [request.messages[-1].content for request in backend.requests[2:]] == [
        "Step 1: 9\n\nStep 2:",
        "Step 1: 7\n\nStep 2:",
    ]


async def test_without_both_it_is_a_beam() -> None:
    backend = ScriptedBackend(toy_reply)
    solution = await toy_solve("graph-of-thought", backend, aggregate_paths=False)
    assert set(backend.roles) == {"stepper"}
    assert solution.answer is not None


async def test_settings_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="evenly"):
        await toy_solve("graph-of-thought", ScriptedBackend([]), n=5, keep=2)


def both(request: ChatRequest, sample: int) -> str:
    return "Step 1: 8\n\nStep 2: 4" if request.role == "combiner" else toy_reply(request, sample)


async def test_budgets_nonsense_and_a_dead_endpoint() -> None:
    for calls in (1, 2, 5, 12):
        solution = await toy_solve("graph-of-thought", ScriptedBackend(both), budget=Budget(max_calls=calls))
        assert solution.usage.calls <= calls
        assert solution.answer is not None
    solution = await toy_solve("graph-of-thought", ScriptedBackend(both), budget=Budget(max_tokens=300))
    assert solution.answer is not None
    nonsense = ScriptedBackend(lambda request, sample: "I cannot say")
    solution = await toy_solve("graph-of-thought", nonsense)
    assert solution.answer is None
    assert solution.candidates[0].failure is not None
    with pytest.raises(BackendError, match="down"):
        await toy_solve("graph-of-thought", ScriptedBackend([Reply(error="down")] * 40))
