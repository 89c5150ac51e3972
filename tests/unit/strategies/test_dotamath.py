"""dotamath against the deterministic test of its card."""

from __future__ import annotations

import pytest

from mathagent.errors import UsageError
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.strategies.dotamath import STRATEGY
from mathagent.types import Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "How many teams of two can seven people form so that Ann is not in any?"


def draft(*values: object) -> str:
    """Numbered subtasks, and a program that prints ``values`` as their results."""
    tasks = [f"{number}. Work out part {number}." for number in range(1, len(values) + 1)]
    prints = [f'print("Result of subtask {number}:", {value!r})' for number, value in enumerate(values, 1)]
    return "\n".join([*tasks, "```python", *prints, "```"])


async def solve(sandbox: Sandbox, backend: ScriptedBackend, **config: object) -> Solution:
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(QUESTION, "dotamath", config=config)
    backend.assert_finished()
    return solution


def count(solution: Solution, kind: str) -> int:
    return sum(step.kind == kind for step in solution.candidates[0].steps)


async def test_a_negative_count_is_corrected(sandbox: Sandbox) -> None:
    backend = ScriptedBackend(
        [
            Reply(text=draft(7, 6, -14), role="coder", contains=(QUESTION,)),
            Reply(
                text=f"Subtask 3 failed: a count is not negative.\n{draft(7, 6, 14)}",
                contains=tuple(f"Result of subtask {k}: {v}" for k, v in ((1, 7), (2, 6), (3, -14))),
            ),
            Reply(text="All fit. \\boxed{14}", contains=("Result of subtask 3: 14",)),
        ]
    )
    solution = await solve(sandbox, backend)
    assert solution.answer == "14"
    assert len(backend.requests) == 3
    assert count(solution, "code") == 2
    decompositions = [step for step in solution.candidates[0].steps if "1. Work out part 1." in step.text]
    assert [step.kind for step in decompositions] == ["thought", "thought"]


async def test_right_at_once(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([draft(7, 15), "It fits. \\boxed{15}"])
    solution = await solve(sandbox, backend)
    assert solution.answer == "15"
    assert count(solution, "code") == 1


async def test_programs_that_always_fail_end_without_an_answer(sandbox: Sandbox) -> None:
    failing = "1. Divide.\n```python\nprint(1 / 0)\n```"
    backend = ScriptedBackend([failing] * 4)
    solution = await solve(sandbox, backend, corrections=2)
    assert solution.answer is None
    assert count(solution, "code") == 3
    assert "No further program" in backend.requests[3].messages[-1].content


async def test_missing_results_are_asked_for_once(sandbox: Sandbox) -> None:
    silent = "1. One.\n2. Two.\n```python\nprint('Result of subtask 1:', 1)\n```"
    backend = ScriptedBackend([silent, silent, "\\boxed{2}"])
    await solve(sandbox, backend)
    said = [request.messages[-1].content for request in backend.requests]
    assert "Only 1 of 2 subtasks" in said[1]
    assert "Only" not in said[2]


async def test_the_last_printed_value_stands_where_no_answer_is_stated(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([draft(7, 15), "All results fit."])
    assert (await solve(sandbox, backend)).answer == "15"


async def test_rounds_follow_from_corrections() -> None:
    assert STRATEGY.configure({"corrections": 3}).model_dump()["rounds"] == 5
    for wrong in (None, [1], "many", float("inf")):
        with pytest.raises(UsageError, match="corrections"):
            STRATEGY.configure({"corrections": wrong})
    with pytest.raises(UsageError, match="set corrections"):
        STRATEGY.configure({"rounds": 9})
