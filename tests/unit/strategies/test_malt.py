"""malt against the deterministic test of its card: order and counts of calls, the vote, the ablation, the tree."""

from __future__ import annotations

from collections import Counter

import pytest

from mathagent.agents.trajectory_tree import TrajectoryTree
from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.events import CandidateProposed, Event
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

QUESTION = "What is 3 plus 4?"
ONE_BY_ONE = Capabilities()


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
        return await solver.solve(problem, "malt", budget=budget, config=config, on_event=on_event)


def chain(number: int, answer: str, *, drafted: str = "6") -> list[Reply]:
    draft, critique = f"draft {number}: \\boxed{{{drafted}}}", f"critique {number}"
    return [
        Reply(text=draft, role="generator", contains=(QUESTION,)),
        Reply(text=critique, role="verifier", contains=(QUESTION, draft)),
        Reply(text=f"so \\boxed{{{answer}}}", role="refiner", contains=(QUESTION, draft, critique)),
    ]


async def test_three_chains_are_nine_calls_and_a_majority() -> None:
    backend = ScriptedBackend([*chain(1, "7"), *chain(2, "8"), *chain(3, "7.0")], max_parallel=1)
    events: list[Event] = []
    solution = await solve(backend, events=events)
    assert solution.answer == "7"
    assert backend.roles == ["generator", "verifier", "refiner"] * 3
    assert solution.usage.calls == 9
    assert [request.first_sample for request in backend.requests] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert {request.params.temperature for request in backend.requests} == {0.3}
    assert [[step.kind for step in candidate.steps] for candidate in solution.candidates] == [
        ["thought", "critique", "thought"]
    ] * 3
    assert [event.sample for event in events if isinstance(event, CandidateProposed)] == [0, 1, 2]
    assert solution.confidence == 0.6
    assert solution.stopped == "finished"
    backend.assert_finished()


async def test_a_tie_goes_to_the_first() -> None:
    backend = ScriptedBackend([*chain(1, "9"), *chain(2, "8"), *chain(3, "7")], max_parallel=1)
    assert (await solve(backend)).answer == "9"


async def test_chains_run_side_by_side_where_the_backend_can() -> None:
    def respond(request: ChatRequest, sample: int) -> str:
        prompt = request.messages[-1].content
        if request.role == "generator":
            return f"draft {sample}"
        if request.role == "verifier":
            assert f"draft {sample}" in prompt
            return f"critique {sample}"
        assert f"draft {sample}" in prompt
        assert f"critique {sample}" in prompt
        return f"\\boxed{{{[7, 8, 7][sample]}}}"

    backend = ScriptedBackend(respond)
    solution = await solve(backend)
    assert solution.answer == "7"
    assert backend.roles == ["generator", *["verifier"] * 3, *["refiner"] * 3]
    assert backend.requests[0].params.n == 3
    assert solution.usage.calls == 9


async def test_without_verifier_the_refiner_sees_no_critique() -> None:
    script = [
        Reply(text="draft \\boxed{6}", role="generator"),
        Reply(text="\\boxed{7}", role="refiner", contains=("draft \\boxed{6}",), lacks=("verifier said",)),
    ]
    backend = ScriptedBackend(script, max_parallel=1)
    solution = await solve(backend, n=1, verifier=False)
    assert solution.answer == "7"
    assert [step.kind for step in solution.candidates[0].steps] == ["thought", "thought"]
    backend.assert_finished()


async def test_choices() -> None:
    problem = Problem(text="What is 3 plus 4?", choices=("A)6", "B)7"))
    backend = ScriptedBackend(["It is 7", "right", Reply(text="The answer is (B).", contains=("(B) 7", "letter"))])
    assert (await solve(backend, problem, n=1)).answer == "B"


async def test_a_refinement_without_an_answer_has_no_vote() -> None:
    script = [*chain(1, "7"), *chain(2, "8")[:2], "who knows", *chain(3, "8")[:2]]
    backend = ScriptedBackend([*script, Reply(text="it is", finish_reason="length")], max_parallel=1)
    solution = await solve(backend)
    assert solution.answer == "7"
    kinds = [candidate.failure and candidate.failure.kind for candidate in solution.candidates]
    assert kinds == [None, "no-answer", "truncated"]


@pytest.mark.parametrize(("calls", "answer", "candidates"), [(1, "6", 1), (2, "6", 1), (3, "7", 1), (4, "7", 2)])
async def test_a_budget_that_ends_keeps_the_best_so_far(calls: int, answer: str, candidates: int) -> None:
    backend = ScriptedBackend([*chain(1, "7"), *chain(2, "7"), *chain(3, "7")], max_parallel=1)
    solution = await solve(backend, budget=Budget(max_calls=calls))
    assert solution.answer == answer
    assert solution.stopped == "budget"
    assert len(solution.candidates) == candidates
    assert len(backend.requests) == calls


async def test_an_endpoint_that_dies_keeps_what_it_gave() -> None:
    with pytest.raises(BackendError, match="down"):
        await solve(ScriptedBackend([Reply(error="down")] * 3))
    backend = ScriptedBackend([*chain(1, "7"), *chain(2, "8")[:1], Reply(error="down")], max_parallel=1)
    solution = await solve(backend)
    assert solution.answer == "7"
    assert [len(candidate.steps) for candidate in solution.candidates] == [3, 1]
    assert (solution.stopped, solution.detail) == ("error", "down")


async def test_one_failed_request_is_data() -> None:
    replies = [
        *["\\boxed{6}", "\\boxed{5}", "\\boxed{6}"],
        *["fine", Reply(error="down"), "wrong"],
        *["\\boxed{7}", "\\boxed{7}"],
    ]
    solution = await solve(ScriptedBackend(replies))
    assert solution.answer == "7"
    assert [len(candidate.steps) for candidate in solution.candidates] == [3, 1, 3]
    assert solution.stopped == "finished"


async def test_tree_of_three_is_39_calls_breadth_first() -> None:
    def respond(request: ChatRequest, sample: int) -> str:
        return f"{request.role} {sample} \\boxed{{{sample % 2}}}"

    backend = ScriptedBackend(respond, capabilities=ONE_BY_ONE, max_parallel=1)
    solution = await solve(backend, tree=3)
    assert backend.roles == ["generator"] * 3 + ["verifier"] * 9 + ["refiner"] * 27
    assert solution.usage.calls == 39
    assert len(solution.candidates) == 27
    tree = TrajectoryTree.of(solution)
    assert Counter(len(path) for path in tree.texts()) == {1: 3, 2: 9, 3: 27}
    # Each request saw exactly the texts above it.
    for place, request in enumerate(backend.requests[12:]):
        path = tree.path(place)
        prompt = request.messages[-1].content
        assert tree.texts()[path[:1]] in prompt
        assert tree.texts()[path[:2]] in prompt
        assert tree.leaves[place].steps[2].text == tree.texts()[path]


async def test_tree_of_two_has_the_values_of_the_card() -> None:
    right = [1, 1, 1, 0, 0, 0, 1, 0]
    script = [
        *[Reply(text=f"draft {name}", role="generator") for name in "AB"],
        *[
            Reply(text=f"critique {draft}{k}", role="verifier", contains=(f"draft {draft}",))
            for draft in "AB"
            for k in (1, 2)
        ],
        *[
            Reply(
                text=f"\\boxed{{{7 if one else 8}}}",
                role="refiner",
                contains=(f"draft {'AB'[place // 4]}", f"critique {'AB'[place // 4]}{place // 2 % 2 + 1}"),
            )
            for place, one in enumerate(right)
        ],
    ]
    backend = ScriptedBackend(script, capabilities=ONE_BY_ONE, max_parallel=1)
    solution = await solve(backend, tree=2)
    backend.assert_finished()
    assert len(backend.requests) == 14
    tree = TrajectoryTree.of(solution)
    values = tree.values([float(answer == "7") for answer in tree.answers])
    assert values[(0,)] == 0.75
    assert values[(1,)] == 0.25
    assert [pair.role for pair in tree.preference_pairs(values)] == ["generator", "verifier", "refiner", "refiner"]


async def test_a_tree_cut_by_the_budget_keeps_its_shape() -> None:
    def respond(request: ChatRequest, sample: int) -> str:
        return f"{request.role} {sample} \\boxed{{7}}"

    backend = ScriptedBackend(respond, capabilities=ONE_BY_ONE, max_parallel=1)
    solution = await solve(backend, tree=2, budget=Budget(max_calls=8))
    tree = TrajectoryTree.of(solution)
    assert solution.stopped == "budget"
    assert [len(leaf.steps) for leaf in tree.leaves] == [3, 3, 2, 2, 2, 2, 2, 2]
    assert [leaf.answer is None for leaf in tree.leaves] == [False, False, *[True] * 6]
    assert list(tree.values([1.0] * 8)) == [(0,), (0, 0), (0, 0, 0), (0, 0, 1)]


async def test_settings_that_make_no_tree() -> None:
    for config in ({"tree": 2, "n": 3}, {"tree": 2, "verifier": False}, {"tree": 7}):
        with pytest.raises(UsageError, match="malt"):
            await solve(ScriptedBackend([]), **config)
