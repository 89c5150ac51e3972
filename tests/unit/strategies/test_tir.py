"""tir against the deterministic tests of its cards (ToRA and Qwen2.5-Math, MARIO)."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.types import Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "What is 2 + 4?"
CHAT_ONLY = Capabilities(n=True, seed=True)


def block(code: str) -> str:
    return f"```python\n{code}\n```"


async def solve(
    sandbox: Sandbox, backend: ScriptedBackend, budget: Budget | None = None, **config: object
) -> Solution:
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(QUESTION, "tir", budget=budget, config=config)
    backend.assert_finished()
    return solution


@pytest.mark.parametrize("like", [None, "tora", "qwen2.5-math"])
async def test_program_then_box(sandbox: Sandbox, like: str | None) -> None:
    first = Reply(text=f"I compute it.\n{block('print(2 + 4)')}", role="coder", contains=(QUESTION,))
    backend = ScriptedBackend([first, "So it is \\boxed{6}."])
    solution = await solve(sandbox, backend, like=like)
    assert solution.answer == "6"
    [candidate] = solution.candidates
    assert [step.kind for step in candidate.steps] == ["thought", "code", "observation", "thought"]
    assert [step.origin for step in candidate.steps] == ["model", "model", "tool", "model"]
    prompt = backend.requests[1].messages[-1]
    assert prompt.role == "assistant"
    assert prompt.content.endswith("```output\n6\n```\n")
    assert backend.requests[1].continue_assistant
    [check] = solution.certificate
    assert (check.kind, check.expected) == ("execution", "6")
    assert (await sandbox.run(check.program)).value == "6"


async def test_output_goes_back_as_a_message_where_the_turn_cannot_be_continued(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([block("print(6)"), "\\boxed{6}"], capabilities=CHAT_ONLY)
    assert (await solve(sandbox, backend)).answer == "6"
    assert [message.role for message in backend.requests[1].messages[-2:]] == ["assistant", "user"]
    assert "```output\n6\n```" in backend.requests[1].messages[-1].content


async def test_box_without_program_is_one_call(sandbox: Sandbox) -> None:
    assert (await solve(sandbox, ScriptedBackend(["It is \\boxed{6}."]), like="tora")).answer == "6"


async def test_tora_ends_after_four_programs_without_an_answer(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([f"Step.\n{block(f'print({number})')}" for number in range(4)])
    solution = await solve(sandbox, backend, like="tora")
    assert solution.answer is None
    assert len(backend.requests) == 4
    [candidate] = solution.candidates
    assert candidate.failure is not None
    assert candidate.failure.kind == "no-answer"
    assert sum(step.kind == "code" for step in candidate.steps) == 4


async def test_the_last_value_stands_where_none_was_stated(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([block("print(5)"), block("print(6)")])
    assert (await solve(sandbox, backend, rounds=2)).answer == "6"


async def test_a_traceback_is_its_last_line_and_long_output_keeps_its_ends(sandbox: Sandbox) -> None:
    raising = block("def f():\n    return 1 / 0\nf()")
    long = block("print('a' * 500 + 'b' * 500)")
    backend = ScriptedBackend([raising, long, "\\boxed{6}"])
    await solve(sandbox, backend, like="tora")
    said = backend.requests[2].messages[-1].content
    assert "```output\nZeroDivisionError: division by zero\n```" in said
    shown = said.rpartition("```output\n")[2].removesuffix("\n```\n")
    assert len(shown) <= 400
    assert shown.startswith("aaa")
    assert shown.endswith("bbb")


async def test_tora_runs_the_last_block_in_a_namespace_of_its_own(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([f"{block('x = 1')}\nand\n{block('print(7)')}", block("print(x)"), "\\boxed{6}"])
    await solve(sandbox, backend, like="tora")
    said = backend.requests[2].messages[-1].content
    assert "```output\n7\n```" in said
    assert "NameError" in said


async def test_tora_takes_a_box_beside_a_program_for_the_end(sandbox: Sandbox) -> None:
    solution = await solve(sandbox, ScriptedBackend([f"\\boxed{{6}}\n{block('print(7)')}"]), like="tora")
    assert solution.answer == "6"
    assert all(step.kind != "code" for step in solution.candidates[0].steps)


async def test_a_box_in_a_comment_is_no_answer(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([block("# so \\boxed{9}\nprint(6)"), "\\boxed{6}"])
    assert (await solve(sandbox, backend, like="tora")).answer == "6"


async def test_what_stands_behind_a_program_was_imagined(sandbox: Sandbox) -> None:
    imagined = f"{block('print(6)')}\nThis prints 5, so the answer is \\boxed{{5}}."
    backend = ScriptedBackend([imagined, "\\boxed{6}"])
    assert (await solve(sandbox, backend)).answer == "6"
    assert "imagined" not in backend.requests[1].messages[-1].content
    assert "\\boxed{5}" not in backend.requests[1].messages[-1].content


async def test_a_summary_that_shows_the_program_again_is_the_end(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([block("print(6)"), f"In short:\n{block('print(6)')}\n\\boxed{{6}}"])
    assert (await solve(sandbox, backend)).answer == "6"


async def test_mario_keeps_names_and_stops_before_output(sandbox: Sandbox) -> None:
    backend = ScriptedBackend(
        ["I need x.\n" + block("x = 3\nprint(x)"), f"Times four.\n{block('print(x * 4)')}", "Final Answer: 12"]
    )
    solution = await solve(sandbox, backend, like="mario")
    assert solution.answer == "12"
    assert len(backend.requests) == 3
    assert "Output: 3" in backend.requests[1].messages[-1].content
    assert "Output: 12" in backend.requests[2].messages[-1].content
    assert all("\nOutput:" in request.params.stop for request in backend.requests)


async def test_mario_refuses_program_and_answer_in_one_step(sandbox: Sandbox) -> None:
    solution = await solve(sandbox, ScriptedBackend([f"{block('print(3)')}\nFinal Answer: 3"]), like="mario")
    assert solution.answer is None
    assert "program and a final answer" in str(solution.candidates[0].failure)


async def test_mario_stops_at_eight_steps(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([block(f"print({number})") for number in range(8)])
    assert (await solve(sandbox, backend, like="mario")).answer is None


async def test_mario_goes_on_after_an_exception(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([block("raise ValueError('no')"), "Final Answer: 2"])
    assert (await solve(sandbox, backend, like="mario")).answer == "2"
    assert "Output: ValueError: no" in backend.requests[1].messages[-1].content


async def test_several_chains_vote(sandbox: Sandbox) -> None:
    backend = ScriptedBackend(["\\boxed{1/2}", "\\boxed{0.5}", "\\boxed{3}"])
    solution = await solve(sandbox, backend, n=3)
    assert solution.answer == "1/2"
    assert solution.confidence_basis.startswith("2 of 3")


async def test_a_budget_keeps_what_the_programs_found(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([block("print(6)")])
    solution = await solve(sandbox, backend, budget=Budget(max_calls=1))
    assert (solution.answer, solution.stopped) == ("6", "budget")


async def test_a_setting_goes_over_the_published_loop(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([block("print(6)")])
    solution = await solve(sandbox, backend, like="tora", rounds=1, unfinished="value")
    assert solution.answer == "6"
    assert (solution.config["state"], solution.config["timeout_s"]) == ("fresh", 5)
