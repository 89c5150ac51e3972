"""ConfinedCalls: the functions of CallPool, each call behind the walls of the sandbox."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import pytest

from mathagent.errors import WorkerError
from mathagent.sandbox.confined_calls import ConfinedCalls

COMPARE = "mathagent.answers.equality:compare"
MONSTER = ("x^{x^{9999999999}}", "x")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the process sandbox is Linux's"),
    pytest.mark.own_zygotes,
]


@pytest.fixture
async def calls() -> AsyncIterator[ConfinedCalls]:
    calls = ConfinedCalls()
    yield calls
    await calls.aclose()


async def test_results_errors_and_deadlines(calls: ConfinedCalls) -> None:
    assert await calls.call(COMPARE, "(x+1)^2", "x^2+2x+1") == ["equal", "by computer algebra"]
    assert calls._pool is None, "this machine can confine, so nothing else may answer"
    with pytest.raises(WorkerError, match=r"ran past 0.5 s") as raised:
        await calls.call(COMPARE, *MONSTER, timeout_s=0.5)
    assert raised.value.timed_out
    with pytest.raises(WorkerError, match="TypeError"):
        await calls.call(COMPARE, 1)
    assert (await calls.call(COMPARE, "x+x", "2x"))[0] == "equal"  # type: ignore[index]


@pytest.mark.parametrize("name", ["os:getuid", "mathagent.answers.equality:__import__", "mathagent", "json:dumps"])
async def test_only_functions_of_ours(calls: ConfinedCalls, name: str) -> None:
    with pytest.raises(WorkerError, match="not a public function"):
        await calls.call(name)


async def test_an_imported_function_is_not_a_function_of_the_module(calls: ConfinedCalls) -> None:
    with pytest.raises(WorkerError, match="is not a function of"):
        await calls.call("mathagent.sandbox.jail:find_spec", "os")


async def test_arguments_are_data(calls: ConfinedCalls) -> None:
    hostile = "'''\n{0}\\\"\"\"); raise SystemExit(3)  # \x00 \ud800".encode("utf-8", "replace").decode()
    verdict = await calls.call(COMPARE, hostile, "1")
    assert verdict[0] in ("different", "undecided")  # type: ignore[index]


async def test_too_long_arguments(calls: ConfinedCalls) -> None:
    with pytest.raises(WorkerError, match="at most"):
        await calls.call(COMPARE, "x" * 2_000_000, "1")


async def test_what_one_call_does_to_its_process_ends_with_it(calls: ConfinedCalls) -> None:
    """Even text that ran code in a worker (it should not) would meet the sandbox, and no later call."""
    poison = (
        "import mathagent.answers.equality as e\ne.compare = lambda *a: ['equal', 'poisoned']\nopen('/etc/passwd')"
    )
    await calls.call(COMPARE, "1", "x")
    poisoned = await calls._sandbox.run(poison)
    assert "FileNotFoundError" in (poisoned.error or "") or "PermissionError" in (poisoned.error or "")
    assert (await calls.call(COMPARE, "x", "x+1"))[0] == "different"  # type: ignore[index]
