"""smart against the deterministic test of its card: calls, executions, the list that goes back, gate and policies."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.events import CodeFinished, Decided, Event
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "A dozen boxes hold one ball each. How many balls are there?"
GENERAL = "- Step 1: Understand the task (general reasoning)\nA dozen is twelve."
CALL = "- Step 2: Count the balls (tool: Code)\n```python\nprint(3 * 4)\n```"
FINAL = "### Final Response\nThere are \\boxed{12} balls."
WITHOUT_HEADS = "```python\nprint(12)\n```"


async def solve(
    sandbox: Sandbox,
    backend: ScriptedBackend,
    budget: Budget | None = None,
    problem: Problem | str = QUESTION,
    **config: object,
) -> tuple[Solution, list[Event]]:
    events: list[Event] = []
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(problem, "smart", budget=budget, config=config, on_event=events.append)
    backend.assert_finished()
    return solution, events


def executions(events: list[Event]) -> int:
    return sum(isinstance(event, CodeFinished) for event in events)


def decisions(events: list[Event]) -> list[str]:
    return [event.decision for event in events if isinstance(event, Decided)]


async def test_a_tool_step_goes_back_with_its_output(sandbox: Sandbox) -> None:
    first = Reply(text=f"{GENERAL}\n{CALL}", role="reasoner", contains=(QUESTION, "none yet"), lacks=("Output: ",))
    backend = ScriptedBackend([first, Reply(text=FINAL, role="reasoner")])
    solution, events = await solve(sandbox, backend)
    assert solution.answer == "12"
    assert (len(backend.requests), executions(events), decisions(events)) == (2, 1, ["use-tool"])
    listed = backend.requests[1].messages[-1].content
    assert "- Step 1: Understand the task (general reasoning)\nA dozen is twelve." in listed
    assert "- Step 2: Count the balls (tool: Code)\n```python\nprint(3 * 4)\n```\n- Output: 12" in listed
    assert "step 3" in listed
    [check] = solution.certificate
    assert check.kind == "execution"
    [candidate] = solution.candidates
    assert [step.kind for step in candidate.steps] == ["thought", "thought", "code", "observation", "thought"]


async def test_without_a_tool_step_it_is_one_call(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([f"{GENERAL}\n{FINAL}"])
    solution, events = await solve(sandbox, backend)
    assert (solution.answer, len(backend.requests), executions(events)) == ("12", 1, 0)


async def test_a_step_that_names_an_answer_goes_on_and_a_box_ends_the_list(sandbox: Sandbox) -> None:
    named = "- Step 1: Guess (general reasoning)\nThe answer is 11, or so."
    backend = ScriptedBackend([named, "- Step 2: Conclude (general reasoning)\nIt is \\boxed{12}."])
    solution, _ = await solve(sandbox, backend)
    assert (solution.answer, len(backend.requests)) == ("12", 2)


async def test_eleven_rounds_of_reasoning_end_after_ten(sandbox: Sandbox) -> None:
    asked = [f"- Step {number}: Think (general reasoning)\nI think {number}." for number in range(1, 11)]
    backend = ScriptedBackend(asked)
    solution, _ = await solve(sandbox, backend)
    assert (solution.answer, len(backend.requests)) == (None, 10)
    failure = solution.candidates[0].failure
    assert failure is not None
    assert failure.message == "no final response within 10 rounds"


async def test_what_a_model_imagines_behind_a_call_does_not_count(sandbox: Sandbox) -> None:
    imagined = (
        f"{CALL}\n- Output: 99\n- Step 3: Done (general reasoning)\nIt is 99.\n### Final Response\n\\boxed{{99}}"
    )
    backend = ScriptedBackend([imagined, Reply(text=FINAL, contains=("Output: 12",), lacks=("99",))])
    solution, events = await solve(sandbox, backend)
    assert (solution.answer, executions(events)) == ("12", 1)


async def test_the_papers_program_takes_the_final_response_or_the_last_call(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([f"{CALL}\n{FINAL}"])
    solution, events = await solve(sandbox, backend, until="last")
    assert (solution.answer, executions(events)) == ("12", 0)
    two = f"- Step 1: One (tool: Code)\nprint(1)\n{CALL}"
    solution, events = await solve(sandbox, ScriptedBackend([two, FINAL]), until="last")
    assert (solution.answer, executions(events)) == ("12", 1)


async def test_an_unknown_tool_is_told_and_a_program_without_a_heading_runs(sandbox: Sandbox) -> None:
    unknown = "- Step 1: Ask (tool: AskUser)\nHow many?"
    backend = ScriptedBackend(
        [unknown, Reply(text=WITHOUT_HEADS, contains=("no tool AskUser; there are: Code",)), FINAL]
    )
    solution, events = await solve(sandbox, backend)
    assert (solution.answer, executions(events)) == ("12", 1)


@pytest.mark.parametrize(("need", "ran"), [("true", 1), ("false", 0)])
async def test_the_gate_that_is_asked_decides(sandbox: Sandbox, need: str, ran: int) -> None:
    reply = f'{{"reasoning": "r", "need_tool": {need}, "tool": "Code", "reason": "small numbers"}}'
    backend = ScriptedBackend(
        [
            CALL,
            Reply(text=reply, role="tool-gate", contains=(QUESTION, "print(3 * 4)")),
            Reply(text=FINAL, role="reasoner", contains=("Output: 12" if ran else "work this step out yourself",)),
        ],
    )
    backend.capabilities = backend.capabilities.model_copy(update={"tool_calls": False})
    solution, events = await solve(sandbox, backend, gate="asked")
    assert (solution.answer, executions(events)) == ("12", ran)
    assert decisions(events) == ["use-tool" if ran else "no-tool"]


async def test_the_guard_runs_long_arithmetic_unasked(sandbox: Sandbox) -> None:
    long = "- Step 1: Multiply (tool: Code)\nprint(123456 * 7)"
    backend = ScriptedBackend([long, Reply(text="### Final Response\n\\boxed{864192}", contains=("864192",))])
    solution, _ = await solve(sandbox, backend, gate="asked")
    assert backend.roles == ["reasoner", "reasoner"]
    assert solution.answer == "864192"


async def test_never_offers_no_tool_and_runs_none(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([Reply(text=CALL, lacks=("tool: Code",)), Reply(text=FINAL, contains=("No tool",))])
    solution, events = await solve(sandbox, backend, tool_policy="never")
    assert (solution.answer, executions(events)) == ("12", 0)


async def test_always_asks_for_tools(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([Reply(text=CALL, contains=("Every step that calculates uses a tool",)), FINAL])
    assert (await solve(sandbox, backend, tool_policy="always"))[0].answer == "12"


async def test_confident_guesses_need_no_tool_and_others_do(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([Reply(text=answer, role="gate") for answer in ("12", "12.0", "12")])
    solution, events = await solve(sandbox, backend, tool_policy="confident")
    assert (solution.answer, len(backend.requests), executions(events)) == ("12", 1, 0)
    backend = ScriptedBackend([*(Reply(text=answer, role="gate") for answer in ("12", "11", "12")), CALL, FINAL])
    solution, events = await solve(sandbox, backend, tool_policy="confident")
    assert backend.roles == ["gate", "reasoner", "reasoner"]
    assert (solution.answer, executions(events)) == ("12", 1)


async def test_a_budget_leaves_the_last_programs_value(sandbox: Sandbox) -> None:
    solution, _ = await solve(sandbox, ScriptedBackend([CALL]), Budget(max_calls=1))
    assert (solution.answer, solution.stopped) == ("12", "budget")
    solution, _ = await solve(sandbox, ScriptedBackend([WITHOUT_HEADS, "I stop."]), rounds=2, unfinished="value")
    assert solution.answer == "12"


async def test_nonsense_is_a_named_failure_and_a_dead_endpoint_an_error(sandbox: Sandbox) -> None:
    solution, _ = await solve(sandbox, ScriptedBackend(["", *["I cannot say"] * 9]))
    assert solution.answer is None
    assert solution.candidates[0].failure is not None
    with pytest.raises(BackendError, match="gone"):
        await solve(sandbox, ScriptedBackend([Reply(error="gone", status=404)]))
    backend = ScriptedBackend([CALL, Reply(error="gone", status=404)], max_parallel=1)
    with pytest.raises(BackendError, match="gone"):
        await solve(sandbox, backend)


async def test_several_chains_vote_and_one_that_fails_does_not_matter(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([FINAL, FINAL, Reply(error="gone", status=404)])
    solution, _ = await solve(sandbox, backend, n=3)
    assert solution.answer == "12"
    assert [request.first_sample for request in backend.requests] == [0, 1, 2]


async def test_choices(sandbox: Sandbox) -> None:
    problem = Problem(text="What is 3 * 4?", choices=("11", "12"))
    backend = ScriptedBackend([Reply(text="### Final Response\n\\boxed{B}", contains=("letter of the right",))])
    assert (await solve(sandbox, backend, problem=problem))[0].answer == "B"


async def test_wrong_settings_are_named(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="tool_policy"):
        await solve(sandbox, ScriptedBackend([]), tool_policy="often")
