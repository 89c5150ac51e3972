"""plan-verify-refine: the order of its roles, what each sees, and when the loop ends."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from mathagent.budget import Budget
from mathagent.events import Event, ModelReplied, PlanMade
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.types import Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "A number x and 4 add up to 10. What is x?"
PLAIN = Capabilities(json_schema=True, seed=True)
PLAN = Reply(
    text=json.dumps({"reasoning": "short", "steps": ["Write the equation.", "Solve it."], "needs_program": True}),
    role="planner",
    contains=(QUESTION,),
)


async def solve(
    sandbox: Sandbox, backend: ScriptedBackend, budget: Budget | None = None, **config: object
) -> Solution:
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(QUESTION, "plan-verify-refine", budget=budget, config=config)
    backend.assert_finished()
    return solution


def program(body: str, role: str = "coder", contains: tuple[str, ...] = ()) -> Reply:
    return Reply(text=f"```python\ndef solution():\n    {body}\n```", role=role, contains=contains)


def proposal(*checks: Mapping[str, object]) -> Reply:
    return Reply(text=json.dumps({"reasoning": "put it in", "checks": list(checks)}), role="verifier")


SUBSTITUTION = {"kind": "substitution", "equations": ["x + 4 = 10"], "asked": "x"}


async def test_right_at_once(sandbox: Sandbox) -> None:
    coder = program("return 10 - 4", contains=("1. Write the equation.\n2. Solve it.",))
    solution = await solve(sandbox, ScriptedBackend([PLAN, coder, proposal(SUBSTITUTION)], capabilities=PLAIN))
    assert solution.answer == "6"
    assert "judged correct" in solution.confidence_basis
    assert {check.kind for check in solution.certificate} >= {"execution", "substitution"}


async def test_the_plan_is_told_once_it_is_made(sandbox: Sandbox) -> None:
    coder = program("return 10 - 4")
    backend = ScriptedBackend([PLAN, coder, proposal(SUBSTITUTION)], capabilities=PLAIN)
    events: list[Event] = []
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        await solver.solve(QUESTION, "plan-verify-refine", on_event=events.append)
    assert [event.text for event in events if isinstance(event, PlanMade)] == [
        "1. Write the equation.\n2. Solve it."
    ]
    typed = {event.role: event.typed for event in events if isinstance(event, ModelReplied)}
    assert typed == {"planner": True, "coder": False, "verifier": True}


async def test_an_answer_that_fails_a_check_is_repaired_and_checked_again(sandbox: Sandbox) -> None:
    fixed = program("return 10 - 4", role="refiner", contains=("return 10 + 4", "x = 14 satisfies x + 4 = 10"))
    replies = [PLAN, program("return 10 + 4"), proposal(SUBSTITUTION), fixed]
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    solution = await solve(sandbox, backend)
    assert solution.answer == "6"
    assert backend.roles == ["planner", "coder", "verifier", "refiner"]  # the checks are proposed once
    assert len(solution.candidates) == 2


async def test_a_program_that_fails_is_repaired(sandbox: Sandbox) -> None:
    fixed = program("return 10 - 4", role="refiner", contains=("ZeroDivisionError",))
    replies = [PLAN, program("return 1 / 0"), proposal(SUBSTITUTION), fixed]
    assert (await solve(sandbox, ScriptedBackend(replies, capabilities=PLAIN))).answer == "6"


async def test_repairs_are_bounded_and_the_best_supported_answer_wins(sandbox: Sandbox) -> None:
    replies = [
        PLAN,
        program("return 10 + 4"),
        proposal(SUBSTITUTION),
        program("return 10 + 5", role="refiner"),
        program("return 10 + 6", role="refiner"),
    ]
    solution = await solve(sandbox, ScriptedBackend(replies, capabilities=PLAIN), rounds=2)
    assert solution.answer == "14"
    assert "judged incorrect" in solution.confidence_basis
    assert any(check.outcome == "fails" for check in solution.certificate)


async def test_a_repair_that_changes_nothing_is_the_last(sandbox: Sandbox) -> None:
    same = program("return 10 + 4", role="refiner")
    replies = [PLAN, program("return 10 + 4"), proposal(SUBSTITUTION), same]
    solution = await solve(sandbox, ScriptedBackend(replies, capabilities=PLAIN), rounds=5)
    assert solution.answer == "14"


async def test_without_a_plan_and_without_usable_proposals(sandbox: Sandbox) -> None:
    replies = [program("return 10 - 4"), *[Reply(text="no idea", role="verifier")] * 2]
    solution = await solve(sandbox, ScriptedBackend(replies, capabilities=PLAIN), plan=False)
    assert solution.answer == "6"
    assert "judged unsure" in solution.confidence_basis


@pytest.mark.parametrize(("calls", "answer"), [(1, None), (2, "14"), (3, "14")])
async def test_a_budget_ends_it_with_the_best_so_far(sandbox: Sandbox, calls: int, answer: str | None) -> None:
    replies = [PLAN, program("return 10 + 4"), proposal(SUBSTITUTION)][:calls]
    solution = await solve(sandbox, ScriptedBackend(replies, capabilities=PLAIN), budget=Budget(max_calls=calls))
    assert solution.answer == answer
    assert solution.stopped == "budget"
