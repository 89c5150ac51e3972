"""mcts: plans that are worth what their solutions agree on; steps by PUCT; budgets and failures."""

from __future__ import annotations

import re

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.types import TokenLogprob
from tests.unit.strategies.toy_search import QUESTION, toy_reply, toy_solve

NO_PREFILL = Capabilities(n=True)


def plan_world(request: ChatRequest, sample: int) -> str:
    """Plans by A lead to 7 and those by B to answers that all differ; a plan of two steps is complete."""
    if request.role != "stepper":
        return "no such role"
    told = request.messages[-1].content
    if request.params.stop:
        steps = len(re.findall(r"Step \d+: ", told))
        return ("AB"[sample % 2] if steps == 0 else f"then {sample}") if steps < 2 else "END"
    return "so \\boxed{7}" if "1. A" in told else f"so \\boxed{{{100 + len(told) + sample}}}"


async def test_plans_are_worth_what_their_solutions_agree_on() -> None:
    backend = ScriptedBackend(plan_world)
    solution = await toy_solve("mcts", backend)
    assert solution.answer == "7"
    plans = [request for request in backend.requests if request.params.stop]
    written = [request for request in backend.requests if not request.params.stop]
    assert [request.params.n for request in plans] == [4, 2, 2, 2, 2]
    assert [request.messages[-1].content for request in plans[:1]] == ["Step 1:"]
    assert all("Step 1: A" in request.messages[-1].content for request in plans[1:3])  # where the answers agree
    assert written[-1].params.n == 4  # the rest goes to the best plan
    assert "1. A" in written[-1].messages[-1].content
    assert all(QUESTION in request.messages[-1].content for request in written)
    assert solution.usage.calls == 5 * 2 + 2 + 4 + 4 * 2 + 4
    assert solution.usage.calls == sum(request.params.n for request in backend.requests)
    assert len(solution.candidates) == 4 + 4 * 2 + 4
    assert solution.candidates[-1].steps[0].text == "A"


async def test_a_complete_plan_is_not_planned_further() -> None:
    def respond(request: ChatRequest, sample: int) -> str:
        return "END" if request.params.stop else "\\boxed{3}"

    backend = ScriptedBackend(respond)
    solution = await toy_solve("mcts", backend)
    assert solution.answer == "3"
    assert solution.usage.calls == 4 + 4 + 4


async def test_no_solution_is_drawn_twice() -> None:
    """A plan and the same plan with its end are told in the same words, so that their samples count on."""
    drawn: list[tuple[str, int]] = []

    def respond(request: ChatRequest, sample: int) -> str:
        if request.params.stop:
            return "END" if "Step 1: add" in request.messages[-1].content else "add"
        drawn.append((request.messages[-1].content, sample))
        return "\\boxed{3}"

    await toy_solve("mcts", ScriptedBackend(respond), breadth=1, iterations=2)
    assert len(drawn) == len(set(drawn)) == 1 + 2 + 4


async def test_without_rollouts_the_solutions_still_follow_a_plan() -> None:
    backend = ScriptedBackend(plan_world)
    await toy_solve("mcts", backend, rollouts=0)
    last = backend.requests[-1]
    assert (last.params.n, last.params.stop) == (4, ())
    assert "1. A\n2. then" in last.messages[-1].content


async def test_plans_are_asked_for_in_words_where_there_is_no_prefill() -> None:
    def respond(request: ChatRequest, sample: int) -> str:
        told = request.messages[-1].content
        if "plan" in told and "\\boxed" not in told:
            assert not request.continue_assistant
            return "END" if "The plan so far" in told else "add"
        return "\\boxed{3}"

    solution = await toy_solve("mcts", ScriptedBackend(respond, capabilities=NO_PREFILL), iterations=2)
    assert solution.answer == "3"


async def test_steps_by_puct_find_the_target() -> None:
    backend = ScriptedBackend(toy_reply)
    solution = await toy_solve("mcts", backend, level="step", iterations=12, rollouts=0, select="best")
    assert solution.answer == "15"
    assert backend.requests[0].params.n == 4
    assert {request.params.n for request in backend.requests[1:]} == {2}


async def test_rollouts_give_answers_from_the_first_iteration_on() -> None:
    backend = ScriptedBackend(toy_reply)
    solution = await toy_solve("mcts", backend, level="step", iterations=1)
    assert [request.params.n for request in backend.requests] == [4, 1, 1, 1, 1]
    assert len(solution.candidates) == 4
    assert solution.answer is not None


async def test_a_prior_by_log_probs_is_asked_for_and_decides_between_equals() -> None:
    def respond(request: ChatRequest, sample: int) -> Reply:
        likely = TokenLogprob(token="x", logprob=-0.01 if sample % 2 else -3.0)
        text = "1" if request.params.stop else "1 \\boxed{1}"
        return Reply(text=f"{text} of {sample}" if request.params.stop else text, logprobs=(likely,))

    backend = ScriptedBackend(respond)
    await toy_solve("mcts", backend, level="step", iterations=2, breadth=2, rollouts=0, prior="logprobs")
    assert [request.logprobs for request in backend.requests][:2] == [0, 0]
    assert backend.requests[1].messages[-1].content == "Step 1: 1 of 1\n\nStep 2:"


@pytest.mark.parametrize("level", ["plan", "step"])
async def test_budgets_nonsense_and_a_dead_endpoint(level: str) -> None:
    world = plan_world if level == "plan" else toy_reply
    for calls in (1, 2, 5, 12):
        solution = await toy_solve("mcts", ScriptedBackend(world), budget=Budget(max_calls=calls), level=level)
        assert solution.usage.calls <= calls
        assert solution.answer is not None
        assert solution.stopped == "budget"
    solution = await toy_solve("mcts", ScriptedBackend(world), budget=Budget(max_tokens=300), level=level)
    assert solution.answer is not None
    nonsense = ScriptedBackend(lambda request, sample: "I cannot say")
    solution = await toy_solve("mcts", nonsense, level=level)
    assert solution.answer is None
    assert {one.failure.kind for one in solution.candidates if one.failure} == {"no-answer"}
    with pytest.raises(BackendError, match="down"):
        await toy_solve("mcts", ScriptedBackend([Reply(error="down")] * 40), level=level)


async def test_solutions_of_the_best_plan_without_an_answer_are_kept_beside_the_last_attempt() -> None:
    def respond(request: ChatRequest, sample: int) -> str:
        if request.params.stop:
            return "add"
        return "so \\boxed{3}" if request.params.temperature == 0 else f"I cannot say {sample}"

    solution = await toy_solve("mcts", ScriptedBackend(respond), iterations=1)
    assert solution.answer == "3"
    assert len(solution.candidates) == 4 + 4 + 1  # rollouts, the best plan's, the last attempt
    assert solution.candidates[-1].answer is not None
