"""adaptive-prompting against the deterministic test of its card: 2, 5 and 9 calls, and its caps."""

from __future__ import annotations

import json

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.adaptive_prompting import STRATEGY
from mathagent.types import Problem
from tests.unit.agents.graph_solve import final_state, graph_solve

PROBLEM = Problem(text="A farmer has 6 rows of 7 trees and fells 2. How many trees are left?", id="p1")
SCHEMA = Capabilities(json_schema=True)
FINAL = Reply(text="\\boxed{40}", role="formatter", contains=("Worked out:",))


def assessed(complexity: str, steps: int = 2) -> Reply:
    said = {"reasoning": "", "complexity": complexity, "kind": "counting", "steps": steps}
    return Reply(text=json.dumps(said), role="assessor", contains=(PROBLEM.text,))


def broken_down(*steps: str, contains: tuple[str, ...] = ("about 2 steps",)) -> Reply:
    return Reply(text=json.dumps({"reasoning": "", "steps": list(steps)}), role="planner", contains=contains)


def checked(ok: bool, error: str = "", which: int | None = None) -> Reply:
    said = {"reasoning": "", "ok": ok, "error": error, "which_step": which}
    return Reply(text=json.dumps(said), role="validator")


def solver(text: str, *contains: str, lacks: tuple[str, ...] = ()) -> Reply:
    return Reply(text=text, role="solver", contains=contains, lacks=lacks)


async def test_low_takes_two_calls() -> None:
    backend = ScriptedBackend([assessed("low"), Reply(text="\\boxed{40}", role="reasoner")], capabilities=SCHEMA)
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "40"
    assert len(backend.requests) == 2


async def test_medium_takes_five() -> None:
    script = [
        assessed("medium"),
        broken_down("count", "subtract"),
        solver("So \\boxed{40}", "1. count\n2. subtract", "Carry out all"),
        checked(True),
        FINAL,
    ]
    backend = ScriptedBackend(script, capabilities=SCHEMA)
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer == "40"
    assert "unvalidated" not in state.confidence_basis
    assert backend.roles == ["assessor", "planner", "solver", "validator", "formatter"]


async def test_high_with_a_second_step_rejected_once_takes_nine() -> None:
    script = [
        assessed("high"),
        broken_down("count", "subtract"),
        solver("42 trees", "this step only", "count", lacks=("What is wrong",)),
        checked(True),
        solver("44 left", "42 trees", "subtract"),
        checked(False, "felled trees are not added"),
        solver("40 left", "44 left", "felled trees are not added"),
        checked(True),
        FINAL,
    ]
    backend = ScriptedBackend(script, capabilities=SCHEMA)
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer == "40"
    assert len(backend.requests) == 9
    solvers = [request for request in backend.requests if request.role == "solver"]
    assert [request.params.temperature for request in solvers] == [0, 0, 0.3]
    assert [request.first_sample for request in solvers] == [0, 1, 2]
    assert [step.kind for step in state.candidates[0].steps].count("critique") == 1


class Rejecting(ScriptedBackend):
    """A model whose validator rejects everything; its breakdowns have ``steps`` steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        super().__init__(self.reply, capabilities=SCHEMA)

    def reply(self, request: ChatRequest, index: int) -> str:
        match request.role:
            case "assessor":
                return assessed("high").text
            case "planner":
                return broken_down(*(f"part {number}" for number in range(self.steps))).text
            case "validator":
                return checked(False, "no").text
            case "formatter":
                return "\\boxed{40}"
            case _:
                return "well"


@pytest.mark.parametrize(("steps", "calls"), [(1, 16), (2, 22)])
async def test_a_validator_that_always_rejects_stops_at_the_cap(steps: int, calls: int) -> None:
    backend = Rejecting(steps)
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert len(backend.requests) == calls <= 2 + 2 * (1 + 6 * steps)
    assert state.answer == "40"
    assert state.confidence_basis == "unvalidated: no"
    assert state.confidence == pytest.approx(1 / 3, abs=1e-3)
    second = [request for request in backend.requests if request.role == "planner"][1]
    assert "part 0 (no)" in second.messages[-1].content


async def test_the_caps_are_settings() -> None:
    backend = Rejecting(1)
    await final_state(STRATEGY, backend, PROBLEM, retries=0, replans=0)
    assert len(backend.requests) == 5
    with pytest.raises(UsageError, match="n = 2"):
        await final_state(STRATEGY, backend, PROBLEM, n=2)


async def test_a_wrong_calculation_is_found_without_a_call() -> None:
    script = [
        assessed("medium"),
        broken_down("all", contains=()),
        solver("6 * 7 = 43, so \\boxed{41}"),
        solver("6 * 7 = 42, so \\boxed{40}", "6 * 7 is not 43"),
        checked(True),
        FINAL,
    ]
    backend = ScriptedBackend(script, capabilities=SCHEMA)
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "40"
    off = [assessed("medium"), broken_down("all"), solver("6 * 7 = 43, \\boxed{41}"), checked(True), FINAL]
    await final_state(STRATEGY, ScriptedBackend(off, capabilities=SCHEMA), PROBLEM, recalculate=False)


async def test_a_check_that_cannot_be_read_corrects_nothing() -> None:
    script: list[Reply | str] = [assessed("medium"), broken_down("all"), solver("\\boxed{40}"), *["hm"] * 3, FINAL]
    backend = ScriptedBackend(script, capabilities=SCHEMA)
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer == "40"
    assert state.confidence_basis.startswith("unvalidated: the check could not be read")


@pytest.mark.parametrize(("calls", "answer"), [(1, None), (2, None), (3, "40"), (4, "40")])
async def test_a_budget_that_ends_on_the_way(calls: int, answer: str | None) -> None:
    script = [assessed("medium"), broken_down("all"), solver("\\boxed{40}"), checked(True)]
    backend = ScriptedBackend(script, capabilities=SCHEMA)
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, budget=Budget(max_calls=calls))
    assert run.state.limit is not None
    assert run.state.answer == answer
    if calls == 3:
        assert "unvalidated" in run.state.confidence_basis


@pytest.mark.parametrize("calls", [8, 9])
async def test_a_budget_that_ends_in_the_second_breakdown_keeps_what_the_first_led_to(calls: int) -> None:
    tries = [one for text in ("41", "43", "40") for one in (solver(f"\\boxed{{{text}}}"), checked(False, "no"))]
    backend = ScriptedBackend(
        [assessed("medium"), broken_down("all"), *tries, broken_down("anew")], capabilities=SCHEMA
    )
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, budget=Budget(max_calls=calls))
    assert run.state.limit is not None
    assert (run.state.answer, run.state.confidence_basis) == ("40", "unvalidated: no")


@pytest.mark.parametrize("calls", [11, 12, 13])
async def test_a_second_breakdown_that_ends_before_its_answer_does_not_replace_the_first_one_s(calls: int) -> None:
    tries = [one for _ in range(3) for one in (solver("So \\boxed{40}"), checked(False, "no"))]
    first = [assessed("high"), broken_down("count", "subtract"), solver("42 trees"), checked(True), *tries]
    second = [broken_down("rows", "trees"), solver("6 rows of 7"), checked(True)]
    backend = ScriptedBackend([*first, *second], capabilities=SCHEMA)
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, budget=Budget(max_calls=calls))
    assert run.state.limit is not None
    assert (run.state.answer, run.state.confidence_basis) == ("40", "unvalidated: no")


async def test_a_formatter_that_is_cut_in_its_thoughts_does_not_replace_a_stated_answer() -> None:
    thinks = Reply(text="To state it, we take 6 rows of", role="formatter", finish_reason="length")
    script = [assessed("medium"), broken_down("all"), solver("So \\boxed{40}"), checked(True), thinks]
    assert (await final_state(STRATEGY, ScriptedBackend(script, capabilities=SCHEMA), PROBLEM)).answer == "40"
    bare = [*script[:4], Reply(text="40", finish_reason="length")]
    assert (await final_state(STRATEGY, ScriptedBackend(bare, capabilities=SCHEMA), PROBLEM)).answer == "40"


async def test_nonsense_from_everyone() -> None:
    backend = ScriptedBackend(lambda request, index: "nobody could tell from what has been said so far")
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM)
    assert run.error is None
    assert run.state.answer is None
    assert run.state.candidates[0].failure is not None
    assert run.state.candidates[0].failure.kind == "no-answer"


async def test_a_dead_endpoint() -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([Reply(error="gone")]), PROBLEM)
    assert isinstance(run.error, BackendError)


async def test_an_endpoint_that_dies_before_anything_is_worked_out_is_named() -> None:
    script = [assessed("medium"), broken_down("all"), Reply(error="gone")]
    run, _ = await graph_solve(STRATEGY, ScriptedBackend(script, capabilities=SCHEMA), PROBLEM)
    assert isinstance(run.error, BackendError)
    assert "gone" in str(run.error)


async def test_an_endpoint_that_dies_on_the_way_leaves_what_was_written() -> None:
    gone = Reply(error="gone")
    script = [assessed("medium"), broken_down("all"), solver("\\boxed{40}"), gone, gone]
    state = await final_state(STRATEGY, ScriptedBackend(script, capabilities=SCHEMA), PROBLEM)
    assert state.answer == "40"
    assert state.confidence_basis == "unvalidated: nobody could check it: gone"
