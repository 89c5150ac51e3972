"""rebase: the toy world of its card; the width is kept, the budget too; what goes wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.agents.saver import open_saver
from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.events import CandidateProposed, Event, Warned
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies.rebase import STRATEGY
from mathagent.types import Problem
from tests.unit.agents.graph_solve import graph_solve
from tests.unit.strategies.toy_search import QUESTION, SCORER, TOY, toy_reply, toy_solve

JSON = Capabilities(n=True, json_schema=True, continue_assistant=True)
ONE_BY_ONE = Capabilities(continue_assistant=True)


async def test_the_toy_world_keeps_its_width_and_finds_the_target() -> None:
    backend = ScriptedBackend(toy_reply)
    events: list[Event] = []
    solution = await toy_solve("rebase", backend, n=8, events=events)
    assert solution.answer == "18"  # several leaves, which together outweigh the best one
    assert "15" in [one.answer.normal for one in solution.candidates if one.answer]
    assert (await toy_solve("rebase", ScriptedBackend(toy_reply), n=8, select="best")).answer == "15"
    assert solution.stopped == "finished"
    assert len(solution.candidates) == 8  # each unit of the width became one leaf
    assert [one.sample for one in events if isinstance(one, CandidateProposed)] == list(range(8))
    by_level: dict[int, int] = {}
    for request in backend.requests:
        assert request.role == "stepper"
        level = request.messages[-1].content.count("Step ")
        by_level[level] = by_level.get(level, 0) + request.params.n
    assert by_level[1] == 8
    assert all(count <= 8 for count in by_level.values())
    assert {request.params.temperature for request in backend.requests} == {1.0}
    assert {request.params.max_tokens for request in backend.requests} == {256}
    assert "weight" in solution.confidence_basis


async def test_defaults_are_the_paper_s() -> None:
    config = STRATEGY.configure({})
    given = config.model_dump()
    assert (given["n"], given["balance"], given["temperature"]) == (16, 0.2, 1.0)
    assert (given["depth"], given["max_tokens"], given["path_tokens"]) == (25, 256, 1024)


async def test_widths_follow_the_scores_of_the_steps() -> None:
    """Digits 9 and 1 with 8 children: worth 0.6 and 0.067, so the first gets all but what has ended."""
    first = ["9", "1"]
    replies = [*first, *["6 makes \\boxed{15}"] * 2]
    backend = ScriptedBackend(replies)
    solution = await toy_solve("rebase", backend, n=2)
    assert [request.messages[-1].content for request in backend.requests] == [
        "Step 1:",
        "Step 1: 9\n\nStep 2:",
    ]
    assert [request.params.n for request in backend.requests] == [2, 2]
    assert [request.params.stop for request in backend.requests] == [("Step 2",), ("Step 3",)]
    assert TOY.asked[-2:] == [[("9",), ("1",)], [("9", "6 makes \\boxed{15}")]]
    assert solution.answer == "15"
    assert [[step.text for step in one.steps] for one in solution.candidates] == [["9", "6 makes \\boxed{15}"]] * 2
    backend.assert_finished()


async def test_leaves_vote_by_value_and_by_class() -> None:
    """One path of value 1 outweighs two of 0.6 and 0.13 that agree; counted, they win."""
    first = ["9", "2", "1"]
    balance = {"balance": 100.0, "n": 3}
    ends = ["6: \\boxed{15}", "0: \\boxed{6}", "0: \\boxed{6.0}"]
    weighted = await toy_solve("rebase", ScriptedBackend([*first, *ends]), **balance)
    assert weighted.answer == "15"
    assert len(weighted.candidates) == 3  # the others are there for an oracle to see
    assert (
        await toy_solve("rebase", ScriptedBackend([*first, *ends]), select="majority", **balance)
    ).answer == "6"
    assert (await toy_solve("rebase", ScriptedBackend([*first, *ends]), select="best", **balance)).answer == "15"


async def test_the_same_tree_again_and_again() -> None:
    problem, trees = Problem(text=QUESTION), []
    for _ in range(2):
        scorer = {"scorer": "tests.unit.strategies.toy_search:TOY"}
        run, _ = await graph_solve(STRATEGY, ScriptedBackend(toy_reply), problem, n=8, **scorer)
        assert run.state.tree is not None
        trees.append(run.state.tree.model_dump_json())
        assert len(run.state.scores) == len(run.state.candidates) == 8
    assert trees[0] == trees[1]


async def test_a_killed_search_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    problem = Problem(text=QUESTION)
    scorer = {"scorer": "tests.unit.strategies.toy_search:TOY"}
    saver = await open_saver(tmp_path / "solve.db")
    first = ScriptedBackend([*["9", "1"], Reply(error="killed")], capabilities=ONE_BY_ONE)
    run, _ = await graph_solve(STRATEGY, first, problem, saver=saver, n=2, **scorer)
    assert run.error is not None
    second = ScriptedBackend(["6 \\boxed{15}", "5 \\boxed{14}"])
    run, _ = await graph_solve(STRATEGY, second, problem, saver=saver, resume=True, n=2, **scorer)
    await saver.conn.close()
    assert run.state.answer == "15"
    assert second.requests[0].messages[-1].content == "Step 1: 9\n\nStep 2:"


async def test_backends_without_prefill_are_asked_in_words() -> None:
    backend = ScriptedBackend(["9", "1", "6 \\boxed{15}", "6 \\boxed{15}"], capabilities=Capabilities())
    solution = await toy_solve("rebase", backend, n=2)
    assert solution.answer == "15"
    assert not any(request.continue_assistant for request in backend.requests)
    assert "Step 1: 9" in backend.requests[2].messages[-1].content
    assert [request.first_sample for request in backend.requests] == [0, 1, 0, 1]


async def test_a_budget_of_tokens_narrows_the_tree_and_a_single_path_is_not_scored() -> None:
    calls = len(TOY.asked)
    backend = ScriptedBackend(toy_reply)
    solution = await toy_solve("rebase", backend, budget=Budget(max_tokens=300), finish_tokens=50)
    assert {request.params.n for request in backend.requests} == {1}
    assert len(TOY.asked) == calls
    assert solution.answer is not None
    assert solution.stopped == "finished"


async def test_the_tree_is_as_wide_as_what_is_left_of_the_budget_when_it_begins() -> None:
    """In a composition an earlier part has had its share: of 2,000 tokens 1,000 are left, for four paths."""

    def respond(request: ChatRequest, sample: int) -> Reply | str:
        if request.role == "stepper":
            return toy_reply(request, sample)
        return Reply(text="\\boxed{3}", completion_tokens=1000)

    backend = ScriptedBackend(respond)
    async with Solver(backend, cache=False) as solver:
        strategy = f'(cot | rebase(scorer="{SCORER}"))(threshold=0.9)'
        solution = await solver.solve(QUESTION, strategy, budget=Budget(max_tokens=2000))
    first = [request.params.n for request in backend.requests if request.messages[-1].content == "Step 1:"]
    assert sum(first) == 4
    assert len(solution.candidates) == 1 + 4


@pytest.mark.parametrize("calls", [1, 2, 3, 5, 9, 20])
async def test_a_budget_of_calls_is_never_exceeded_and_leaves_an_answer(calls: int) -> None:
    backend = ScriptedBackend(toy_reply)
    solution = await toy_solve("rebase", backend, budget=Budget(max_calls=calls))
    assert solution.usage.calls <= calls
    assert solution.answer is not None
    if calls < 9:
        assert solution.stopped == "budget"


@pytest.mark.parametrize(
    ("strategy", "budget", "reason"),
    [
        ("rebase", Budget(max_tokens=300), "the rest of the budget was for one solution to be finished"),
        ("r2", Budget(max_calls=30), "the budget of 30 calls is used up"),
        ("rebase", Budget(max_calls=1), "the rest of the budget was for one solution to be finished"),
    ],
)
async def test_what_ended_the_budget_is_named_as_it_is(strategy: str, budget: Budget, reason: str) -> None:
    solution = await toy_solve(strategy, ScriptedBackend(toy_reply), budget=budget)
    assert (solution.stopped, solution.detail) == ("budget", reason)


async def test_a_budget_that_ends_within_the_last_path_has_a_named_reason() -> None:
    words = " ".join(["word"] * 40)
    solution = await toy_solve("rebase", ScriptedBackend([words] * 20), budget=Budget(max_tokens=30), n=2)
    assert solution.answer is None
    assert solution.stopped == "budget"
    assert solution.usage.completion_tokens <= 40  # the script does not heed max_tokens
    assert solution.candidates
    assert all(one.failure is not None for one in solution.candidates)


async def test_nonsense_ends_with_named_failures() -> None:
    solution = await toy_solve("rebase", ScriptedBackend(lambda request, sample: "I cannot say"), n=4)
    assert solution.answer is None
    assert solution.confidence_basis
    assert {one.failure.kind for one in solution.candidates if one.failure} == {"no-answer"}


async def test_empty_replies_are_left_aside() -> None:
    solution = await toy_solve("rebase", ScriptedBackend(lambda request, sample: ""), n=4)
    assert solution.answer is None
    assert solution.usage.calls == 5  # four empty steps, and one attempt to finish


async def test_a_dead_endpoint_raises_and_keeps_the_best_after() -> None:
    with pytest.raises(BackendError, match="down"):
        await toy_solve("rebase", ScriptedBackend([Reply(error="down")] * 20), n=4)
    script = ["9", "9 \\boxed{18}", Reply(error="down")]
    solution = await toy_solve("rebase", ScriptedBackend(script, capabilities=ONE_BY_ONE), n=2)
    assert solution.answer == "18"
    assert (solution.stopped, solution.detail) == ("error", "down")


async def test_scorers_that_fail_or_say_nothing_do_not_end_the_search() -> None:
    for name, why in (("BROKEN", "down"), ("SILENT", "no idea")):
        events: list[Event] = []
        scorer = f"tests.unit.strategies.toy_search:{name}"
        solution = await toy_solve("rebase", ScriptedBackend(toy_reply), n=4, scorer=scorer, events=events)
        assert solution.answer is not None
        assert any(why in event.message for event in events if isinstance(event, Warned))


async def test_a_scorer_of_whole_solutions_is_refused() -> None:
    with pytest.raises(UsageError, match="judges finished solutions"):
        await toy_solve(
            "rebase", ScriptedBackend(toy_reply), scorer="tests.unit.strategies.toy_search:FINISHED_ONLY"
        )
    with pytest.raises(UsageError, match="no-such"):
        await toy_solve("rebase", ScriptedBackend(toy_reply), scorer="no-such")


async def test_the_prompted_judge_scores_each_step() -> None:
    def respond(request: ChatRequest, sample: int) -> str:
        if request.role == "step-judge":
            count = request.messages[-1].content.count("\n[")
            return f'{{"reasoning": "so", "scores": [{", ".join(["0.9"] * count)}]}}'
        return toy_reply(request, sample)

    backend = ScriptedBackend(respond, capabilities=JSON)
    solution = await toy_solve("rebase", backend, n=4, scorer="step-judge")
    assert solution.answer is not None
    assert "step-judge" in backend.roles
    assert len(solution.candidates) == 4


async def test_choices() -> None:
    problem = Problem(text="What is 3 plus 4?", choices=("6", "7"))
    backend = ScriptedBackend(["It is 7, not (A).", "So \\boxed{B}"])
    solution = await toy_solve("rebase", backend, problem=problem, n=1)
    assert solution.answer == "B"


async def test_a_judge_that_sets_aside_more_than_it_uses_does_not_end_the_search() -> None:
    """Its questions reserve 768 tokens each; refused side by side, they are not the end of a budget of 1,000."""

    def respond(request: ChatRequest, sample: int) -> str:
        if request.role == "step-judge":
            count = request.messages[-1].content.count("\n[")
            return f'{{"reasoning": "so", "scores": [{", ".join(["0.9"] * count)}]}}'
        return toy_reply(request, sample)

    backend = ScriptedBackend(respond, capabilities=JSON)
    solution = await toy_solve(
        "rebase", backend, n=4, leaf_tokens=200, budget=Budget(max_tokens=1000), scorer="step-judge"
    )
    assert len(solution.candidates) == 4
    assert solution.answer is not None
    assert solution.usage.completion_tokens < 500


async def test_what_is_written_at_last_follows_in_number_what_was_before() -> None:
    events: list[Event] = []
    replies = [
        Reply(text="9", finish_reason="length"),
        "8",
        Reply(text="8", finish_reason="length"),
        "so \\boxed{9}",
    ]
    solution = await toy_solve("rebase", ScriptedBackend(replies), n=2, events=events)
    assert solution.answer == "9"
    assert [one.sample for one in events if isinstance(one, CandidateProposed)] == list(
        range(len(solution.candidates))
    )
