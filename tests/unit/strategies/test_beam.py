"""beam: the toy world of its card; what is kept, what ends it, the diverse form."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.beam import STRATEGY
from tests.unit.strategies.toy_search import TOY, toy_reply, toy_solve


async def test_the_toy_world_finds_the_target() -> None:
    backend = ScriptedBackend(toy_reply)
    solution = await toy_solve("beam", backend)
    assert solution.answer == "15"
    assert solution.stopped == "finished"
    assert solution.confidence_basis.startswith("score 1")
    assert backend.requests[0].params.n == 20  # all beams begin as the bare problem
    assert {request.params.n for request in backend.requests[1:]} == {5}
    assert {request.params.temperature for request in backend.requests} == {0.7}
    assert {request.params.max_tokens for request in backend.requests} == {100}
    assert {request.params.stop for request in backend.requests} == {("\n",)}
    assert len(solution.candidates) > 1  # all leaves, the worse ones too


async def test_defaults_are_the_paper_s() -> None:
    given = STRATEGY.configure({}).model_dump()
    assert (given["n"], given["beams"], given["depth"], given["path_tokens"]) == (20, 4, 10, 400)
    assert given["select"] == "best"


async def test_the_best_are_kept_and_finished_paths_compete() -> None:
    replies = ["5", "9", "1", "8: \\boxed{8}", *["1", "0: \\boxed{9}"], *["6: \\boxed{16}", "5: \\boxed{15}"]]
    backend = ScriptedBackend(replies)
    solution = await toy_solve("beam", backend, n=4, beams=2)
    # 9 is worth 0.6 and the finished 8 0.53: 5 and 1 are not gone on from.
    assert [request.messages[-1].content for request in backend.requests] == [
        "Step 1:",
        "Step 1: 9\nStep 2:",
        "Step 1: 9\nStep 2: 1\nStep 3:",
    ]
    assert TOY.asked[-1] == [("9", "1", "6: \\boxed{16}"), ("9", "1", "5: \\boxed{15}")]
    assert solution.answer == "15"
    assert [one.answer.normal for one in solution.candidates if one.answer] == ["8", "9", "16", "15"]


async def test_it_ends_where_all_beams_are_finished() -> None:
    backend = ScriptedBackend(["9: \\boxed{9}", "8: \\boxed{8}", "1", "2"])
    solution = await toy_solve("beam", backend, n=4, beams=2)
    assert solution.usage.calls == 4
    assert solution.answer == "9"


async def test_diverse_trees_each_go_on_from_their_own_best() -> None:
    replies = ["9", "8", "1", "2", *["6: \\boxed{15}", "1: \\boxed{10}"], *["7: \\boxed{9}", "5: \\boxed{7}"]]
    backend = ScriptedBackend(replies)
    solution = await toy_solve("beam", backend, n=4, beams=2, kind="dvts")
    assert [request.messages[-1].content for request in backend.requests[1:]] == [
        "Step 1: 9\nStep 2:",
        "Step 1: 2\nStep 2:",
    ]
    assert solution.answer == "15"
    assert len(solution.candidates) == 4


async def test_beams_divide_the_samples() -> None:
    with pytest.raises(UsageError, match="evenly"):
        await toy_solve("beam", ScriptedBackend([]), n=10, beams=4)


async def test_a_long_step_is_dead() -> None:
    replies = [Reply(text="9", finish_reason="length"), "9: \\boxed{9}"]
    solution = await toy_solve("beam", ScriptedBackend(replies), n=2, beams=1)
    assert [one.failure and one.failure.kind for one in solution.candidates] == ["truncated", None]


@pytest.mark.parametrize("calls", [1, 2, 7, 30])
async def test_budgets(calls: int) -> None:
    solution = await toy_solve("beam", ScriptedBackend(toy_reply), budget=Budget(max_calls=calls))
    assert solution.usage.calls <= calls
    assert solution.answer is not None


async def test_three_hundred_tokens() -> None:
    solution = await toy_solve("beam", ScriptedBackend(toy_reply), budget=Budget(max_tokens=300))
    assert solution.answer is not None
    assert solution.stopped == "budget"


async def test_what_nobody_has_scored_is_said_to_have_no_score() -> None:
    hurried = await toy_solve("beam", ScriptedBackend(toy_reply), budget=Budget(max_tokens=300))
    assert hurried.confidence_basis.startswith("1 sample")
    replies = ["9: \\boxed{9}", "8: \\boxed{8}", "so 8: \\boxed{8}", "1"]
    silent = "tests.unit.strategies.toy_search:SILENT"
    solution = await toy_solve("beam", ScriptedBackend(replies), n=4, beams=2, depth=1, scorer=silent)
    assert (solution.answer, solution.confidence_basis.partition(";")[0]) == ("8", "2 of 4 samples agree")


async def test_nonsense_and_a_dead_endpoint() -> None:
    solution = await toy_solve("beam", ScriptedBackend(lambda request, sample: "I cannot say"), n=4, beams=2)
    assert solution.answer is None
    assert {one.failure.kind for one in solution.candidates if one.failure} == {"no-answer"}
    with pytest.raises(BackendError, match="down"):
        await toy_solve("beam", ScriptedBackend([Reply(error="down")] * 20))
