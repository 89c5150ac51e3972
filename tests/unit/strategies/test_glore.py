"""glore against the deterministic test of its card: when, where, how, and which of the three is kept."""

from __future__ import annotations

import json

import pytest

from mathagent.agents.ask import RungCounts
from mathagent.agents.blocks.refine import MARK
from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.events import Event
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

QUESTION = "What is 3 plus 4, doubled?"
DRAFT = "Step 1: take 3.\nStep 2: add 4 to get 7.\nStep 3: double to get 15.\nStep 4: so \\boxed{15}"
EMBEDDED = Capabilities(n=True, json_schema=True)


def judge(score: float, *contains: str) -> Reply:
    return Reply(
        text=json.dumps({"reasoning": "hm", "score": score}), role="judge", contains=(QUESTION, *contains)
    )


def locate(step: int | None) -> Reply:
    text = json.dumps({"reasoning": "hm", "step": step})
    return Reply(text=text, role="localiser", contains=(QUESTION, "[3] Step 3: double to get 15."))


DRAWN = Reply(text=DRAFT, role="reasoner", contains=(QUESTION,))
GLOBAL = Reply(text="All new: \\boxed{16}", role="refiner", contains=(DRAFT,), lacks=(MARK,))
LOCAL = Reply(
    text="Step 3: double to get 14.\nStep 4: so \\boxed{14}",
    role="refiner",
    contains=(f"Step 2: add 4 to get 7.\n\n{MARK}\nStep 3: double to get 15.",),
)


async def solve(
    backend: ScriptedBackend,
    problem: str | Problem = QUESTION,
    *,
    budget: Budget | None = None,
    events: list[Event] | None = None,
    **config: object,
) -> Solution:
    async with Solver(backend, cache=False) as solver:
        on_event = None if events is None else events.append
        return await solver.solve(problem, "glore", budget=budget, config=config, on_event=on_event)


def script(draft: float, rewritten: float, continued: float) -> ScriptedBackend:
    replies = [
        *[DRAWN, judge(draft, DRAFT), locate(3), GLOBAL, LOCAL],
        *[judge(rewritten, "All new"), judge(continued, "Step 2: add 4 to get 7.", "double to get 14")],
    ]
    return ScriptedBackend(replies, capabilities=EMBEDDED)


async def test_local_refinement_wins() -> None:
    backend = script(0.2, 0.4, 0.9)
    events: list[Event] = []
    solution = await solve(backend, events=events)
    assert solution.answer == "14"
    assert backend.roles == ["reasoner", "judge", "localiser", "refiner", "refiner", "judge", "judge"]
    assert (
        solution.candidates[2]
        .steps[0]
        .text.startswith("Step 1: take 3.\n\nStep 2: add 4 to get 7.\n\nStep 3: double to get 14.")
    )
    assert solution.confidence == 0.9
    assert "score 0.9" in solution.confidence_basis
    assert backend.requests[0].params.temperature == 0
    assert RungCounts.of(events) == RungCounts(questions=4, attempts=4, by_rung={"schema": 4})
    backend.assert_finished()


@pytest.mark.parametrize(
    ("scores", "answer"),
    [((0.2, 0.9, 0.4), "16"), ((0.5, 0.5, 0.5), "15"), ((0.8, 0.1, 0.2), "15"), ((0.1, 0.6, 0.6), "16")],
)
async def test_best_judged_wins_and_ties_keep_the_earliest(
    scores: tuple[float, float, float], answer: str
) -> None:
    assert (await solve(script(*scores))).answer == answer


async def test_a_good_draft_is_left_alone() -> None:
    backend = ScriptedBackend([DRAWN, judge(0.9)], capabilities=EMBEDDED)
    solution = await solve(backend)
    assert solution.answer == "15"
    assert backend.roles == ["reasoner", "judge"]
    assert solution.confidence == 0.9
    backend = ScriptedBackend([DRAWN, judge(0.5)], capabilities=EMBEDDED)
    assert (await solve(backend, gate=0.5)).usage.calls == 2


@pytest.mark.parametrize("step", [None, 5])
async def test_without_a_wrong_step_there_is_no_local_refinement(step: int | None) -> None:
    backend = ScriptedBackend([DRAWN, judge(0.2), locate(step), GLOBAL, judge(0.7)], capabilities=EMBEDDED)
    solution = await solve(backend)
    assert solution.answer == "16"
    assert len(solution.candidates) == 2
    backend.assert_finished()


async def test_a_draft_without_an_answer_is_refined_unjudged() -> None:
    cut = Reply(text="Step 1: take 3.\nStep 2: add", finish_reason="length")
    where = Reply(text='{"reasoning": "", "step": 2}', role="localiser")
    replies = [
        *[cut, where],
        GLOBAL.model_copy(update={"contains": ()}),
        Reply(text="no end", finish_reason="length"),
        judge(0.3),
    ]
    backend = ScriptedBackend(replies, capabilities=EMBEDDED)
    solution = await solve(backend)
    assert solution.answer == "16"
    assert backend.roles == ["reasoner", "localiser", "refiner", "refiner", "judge"]
    assert [candidate.answer is None for candidate in solution.candidates] == [True, False, True]


async def test_a_judge_that_says_nothing_readable_is_unsure() -> None:
    backend = ScriptedBackend([DRAWN, *["?"] * 3, locate(None), GLOBAL, *["?"] * 3], capabilities=EMBEDDED)
    solution = await solve(backend)
    assert solution.answer == "15"
    assert solution.confidence == 0.5


@pytest.mark.parametrize(("calls", "answer"), [(1, "15"), (2, "15"), (3, "15"), (5, "16")])
async def test_a_budget_that_ends_keeps_the_best_so_far(calls: int, answer: str) -> None:
    backend = script(0.2, 0.4, 0.9)
    solution = await solve(backend, budget=Budget(max_calls=calls))
    assert solution.answer == answer
    assert solution.stopped == "budget"
    assert len(backend.requests) == calls


async def test_one_failed_refinement_is_data_and_two_keep_the_draft() -> None:
    backend = ScriptedBackend(
        [DRAWN, judge(0.2), locate(3), Reply(error="down"), LOCAL, judge(0.4)], capabilities=EMBEDDED
    )
    assert (await solve(backend)).answer == "14"
    backend = ScriptedBackend([DRAWN, judge(0.2), locate(3), *[Reply(error="down")] * 2], capabilities=EMBEDDED)
    solution = await solve(backend)
    assert (solution.answer, solution.stopped, solution.detail) == ("15", "error", "down")
    with pytest.raises(BackendError, match="down"):
        await solve(ScriptedBackend([Reply(error="down")]))


async def test_no_answer_at_all() -> None:
    solution = await solve(ScriptedBackend(lambda request, sample: "", capabilities=EMBEDDED))
    assert solution.answer is None
    assert solution.confidence is None
