from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mathagent.console.live_python import (
    LivePython,
    is_unfinished_code,
    python_code,
    supporting_programs,
)
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.types import Answer, Candidate, Check, Failure, Problem, Solution, Step

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROGRAM = "def solution():\n    return 6 * 7"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


def candidate(answer: str, *programs: str, check: str = "") -> Candidate:
    checks = (Check(kind="execution", program=check, expected=answer, outcome="holds"),) if check else ()
    steps = tuple(Step(kind="code", text=program) for program in programs)
    return Candidate(steps=steps, answer=Answer(raw=answer, normal=answer), checks=checks)


def solution(*candidates: Candidate, answer: str | None = "42") -> Solution:
    return Solution(
        problem=Problem(text="?"),
        answer=answer,
        confidence=None,
        confidence_basis="",
        candidates=candidates,
        strategy="pal",
        model="m",
    )


async def test_the_program_of_the_answer_is_taken_with_its_call() -> None:
    failed = Candidate(failure=Failure(kind="code-error", message="x"))
    other, own = candidate("41", "x = 41\nx"), candidate("42", PROGRAM, check=f"{PROGRAM}\n\nsolution()")
    assert supporting_programs(solution(failed, other, own)) == [f"{PROGRAM}\nanswer = solution()"]
    assert supporting_programs(solution(other)) == []
    assert supporting_programs(solution(other, answer=None)) == []


async def test_all_turns_of_a_session_are_taken_and_wrong_python_is_left_as_it_is() -> None:
    assert supporting_programs(solution(candidate("42", "n = 6", "n * 7"))) == ["n = 6", "answer = n * 7"]
    assert supporting_programs(solution(candidate("42", "for"))) == ["for"]
    assert supporting_programs(solution(candidate("42", "print(42)\nn = 1"))) == ["print(42)\nn = 1"]


async def test_names_stay_from_answer_to_answer_until_they_are_forgotten(sandbox: Sandbox) -> None:
    python = LivePython()
    assert await python.names(sandbox) == {}
    python.take(solution(candidate("42", "n = 6", "n * 7")))
    assert (await python.run(sandbox, "answer + n")).value == "48"
    python.take(solution(candidate("1", "m = 1"), answer="1"))
    await python.run(sandbox, "text = 'x' * 100")
    assert await python.names(sandbox) == {"n": "6", "answer": "1", "m": "1", "text": "'" + "x" * 59}
    await python.forget()
    assert (await python.run(sandbox, "n")).error == "NameError: name 'n' is not defined"
    await python.aclose()


@pytest.mark.parametrize(
    ("programs", "answer", "value"),
    [
        (("n = 6", "print('in all:', n * 7)"), "42", "42"),
        (("def main():\n    print(42)", "main()"), "42", "42"),
        ((), "\\frac{1}{2}", "1/2"),
        (("1 / 0",), "42", "42"),
        (("print('x + 1')",), "x + 1", None),
    ],
)
async def test_the_answer_has_its_name_where_no_program_gives_it(
    sandbox: Sandbox, programs: tuple[str, ...], answer: str, value: str | None
) -> None:
    python = LivePython()
    python.take(solution(candidate("7", "7"), answer="7"))
    python.take(solution(candidate(answer, *programs), answer=answer))
    assert (await python.run(sandbox, "answer")).value == value
    await python.aclose()


async def test_a_new_sandbox_gets_the_names_again(sandbox: Sandbox) -> None:
    class Other:
        """The same sandbox under another identity, as after /model."""

        session = staticmethod(sandbox.session)

    python = LivePython()
    await python.run(sandbox, "n = 5")
    assert (await python.run(sandbox, "undefined")).status == "error"
    assert (await python.run(Other(), "n + 1")).value == "6"  # type: ignore[arg-type]
    await python.aclose()


async def test_a_program_that_fails_here_leaves_no_names_and_no_trouble(sandbox: Sandbox) -> None:
    python = LivePython()
    python.take(solution(candidate("42", "n = 1 / 0")))
    assert (await python.run(sandbox, "1 + 1")).value == "2"
    await python.aclose()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2 + 2", None),
        ("!2 + 2", "2 + 2"),
        ("  ! x", "x"),
        (">>> 2 + 2", "2 + 2"),
        (">>> def f(x):\n    return x\n", "def f(x):\n    return x"),
        (">>> for i in [1]:\n...     print(i)\n...\n1\n>>> 5", "for i in [1]:\n    print(i)\n\n5"),
    ],
)
async def test_what_is_python(text: str, code: str | None) -> None:
    assert python_code(text) == code


async def test_what_goes_on() -> None:
    assert is_unfinished_code("def f(x):")
    assert not is_unfinished_code("def f(x):\n    return x\n")
    assert not is_unfinished_code("1 +* 2")
    assert not is_unfinished_code("x")
