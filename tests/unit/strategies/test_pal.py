"""pal against the deterministic test of its card."""

from __future__ import annotations

import pytest

from mathagent.agents.blocks.code_text import extract_code
from mathagent.agents.blocks.program import ProgramConfig
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies.pal import STRATEGY
from mathagent.types import Solution

QUESTION = "A shop sells 3 boxes of 4 pens and 4 of the pens are broken. How many are whole?"
CHAT_ONLY = Capabilities(n=True, seed=True)  # no continuing of assistant turns, as at most endpoints


def program(body: str) -> str:
    return f"```python\ndef solution():\n    {body}\n```"


async def solve(backend: ScriptedBackend, problem: str = QUESTION, **config: object) -> Solution:
    async with Solver(backend, cache=False) as solver:
        return await solver.solve(problem, "pal", config=config)


async def test_one_program_one_call() -> None:
    reply = Reply(text=program("return 3 * 4 - 4"), role="coder", contains=(QUESTION, "solution()"))
    backend = ScriptedBackend([reply], capabilities=CHAT_ONLY)
    solution = await solve(backend)
    assert solution.answer == "8"
    assert backend.roles == ["coder"]
    assert backend.requests[0].params.temperature == 0
    assert "".join(message.content for message in backend.requests[0].messages).count(QUESTION) == 1
    assert solution.usage.calls == 1
    backend.assert_finished()


async def test_failing_program_is_not_repaired() -> None:
    backend = ScriptedBackend([program("return 1 / 0")], capabilities=CHAT_ONLY)
    solution = await solve(backend)
    assert solution.answer is None
    assert solution.confidence is None
    assert len(backend.requests) == 1
    failure = solution.candidates[0].failure
    assert failure is not None
    assert failure.kind == "code-error"
    assert "ZeroDivisionError" in failure.message


async def test_a_result_that_the_model_only_guessed_fails_no_program() -> None:
    guessed = "```python\ndef solution():\n    assert 3 > 2\n    return 3 * 4 - 4\n\nassert solution() == 9\n```"
    solution = await solve(ScriptedBackend([guessed], capabilities=CHAT_ONLY))
    assert solution.answer == "8"


async def test_five_programs_in_one_request_vote_as_mathematics() -> None:
    bodies = ["return 8", "return 8.0", "return undefined", "while True: pass", "return 7"]
    backend = ScriptedBackend([program(body) for body in bodies], capabilities=CHAT_ONLY)
    solution = await solve(backend, n=5, timeout_s=4)  # on a busy machine a program that fails takes a second
    assert solution.answer == "8"
    assert [request.params.n for request in backend.requests] == [5]
    assert backend.requests[0].params.temperature == 0.7
    executions = [candidate.steps[1].execution for candidate in solution.candidates]
    assert [execution and execution.status for execution in executions] == ["ok", "ok", "error", "timeout", "ok"]
    kinds = [candidate.failure and candidate.failure.kind for candidate in solution.candidates]
    assert kinds == [None, None, "code-error", "code-timeout", None]
    assert len(solution.certificate) == 2
    assert all(check.outcome == "holds" for check in solution.certificate)


async def test_samples_do_not_share_a_namespace() -> None:
    first = "```python\nx = 41\ndef solution():\n    return x + 1\n```"
    backend = ScriptedBackend([first, program("return x")], capabilities=CHAT_ONLY)
    solution = await solve(backend, n=2)
    failure = solution.candidates[1].failure
    assert solution.candidates[0].answer is not None
    assert failure is not None
    assert "NameError" in failure.message


@pytest.mark.parametrize(
    ("answer_from", "code"),
    [
        ("global", "x = 2\nanswer = x * 4"),
        ("last_line", "from datetime import date\ndate(2024, 1, 8).strftime('%-d')"),
        ("stdout", "print('working')\nprint(8)"),
    ],
)
async def test_where_the_answer_is(answer_from: str, code: str) -> None:
    backend = ScriptedBackend([f"```python\n{code}\n```"], capabilities=CHAT_ONLY)
    assert (await solve(backend, answer_from=answer_from)).answer == "8"


async def test_printed_answer_counts_only_with_the_fallback() -> None:
    code = program("print(8)")
    assert (await solve(ScriptedBackend([code], capabilities=CHAT_ONLY))).answer == "8"
    strict = await solve(ScriptedBackend([code], capabilities=CHAT_ONLY), stdout_fallback=False)
    assert strict.answer is None


async def test_reply_continues_the_program_where_the_backend_can() -> None:
    backend = ScriptedBackend(["    return 3 * 4 - 4"])
    solution = await solve(backend)
    assert solution.answer == "8"
    assert backend.requests[0].continue_assistant
    assert backend.requests[0].messages[-1].content.endswith("def solution():\n")


async def test_reply_that_starts_the_program_anew_is_taken_as_it_is() -> None:
    backend = ScriptedBackend([f"Sure:\n{program('return 3 * 4 - 4')}"])
    assert (await solve(backend)).answer == "8"


async def test_truncated_program_is_not_run() -> None:
    reply = Reply(text=program("return 8"), finish_reason="length")
    solution = await solve(ScriptedBackend([reply], capabilities=CHAT_ONLY))
    assert solution.candidates[0].failure is not None
    assert solution.candidates[0].failure.kind == "truncated"
    assert solution.answer is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Sure!\n```python\nx = 1\n```\nDone.", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("```text\nno\n```\n```py\nx = 1\n```", "x = 1"),
        ("x = 1", "x = 1"),
        ("```python\nx = 1\n", "x = 1"),
        ("  ```python\n  x = 1\n  ```", "x = 1"),
        ("", ""),
    ],
)
def test_extract_code(text: str, code: str) -> None:
    assert extract_code(text) == code


def test_a_program_is_as_long_as_in_its_own_settings() -> None:
    """What a strategy recalls must not change what it samples: the cache knows requests by their limits, too."""
    config = STRATEGY.configure({})
    assert config.max_tokens == ProgramConfig().max_tokens == 512
