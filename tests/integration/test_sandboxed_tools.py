"""The tools that compute, behind the real walls of the default sandbox."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec

import pytest
import pytest_asyncio

from mathagent.config import Settings
from mathagent.sandbox.base import Limits
from mathagent.sandbox.process import ProcessSandbox
from mathagent.tools.constraint_solver import z3_tool
from mathagent.tools.symbolic import symbolic_tool
from mathagent.tools.wolfram import wolfram_tool

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the process sandbox is Linux's"),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[ProcessSandbox]:
    sandbox = ProcessSandbox()
    yield sandbox
    await sandbox.aclose()


async def test_symbolic(sandbox: ProcessSandbox) -> None:
    tool = symbolic_tool(sandbox)
    result = await tool.call({"operation": "solve", "expression": r"x^{2} = \frac{9}{4}", "domain": "positive"})
    assert (result.ok, result.text) == (True, "x = 3/2 (1.5)")
    assert result.execution is not None
    assert result.execution.sandbox.startswith("process/")
    result = await tool.call({"operation": "evaluate", "expression": r"\sum_{k=1}^{10} k^2"})
    assert result.text == "385", "LaTeX of sums is read by latex2sympy, which is in the sandbox, too"
    result = await tool.call({"operation": "det", "expression": "[[1, 2], [3]]"})
    assert not result.ok
    assert result.text.endswith("the rows of a matrix must have the same length")


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('touch pwned')",
        "x\"); import os; os.mkdir('pwned') #",
        "exec('1')",
        "x.subs(x, open)",
        "[c for c in ().__class__.__base__.__subclasses__()]",
        "\x00\n\n''';raise SystemExit",
    ],
)
async def test_nothing_of_python_is_read(sandbox: ProcessSandbox, expression: str) -> None:
    result = await symbolic_tool(sandbox).call({"operation": "evaluate", "expression": expression})
    assert not result.ok
    assert any(part in result.text for part in ("cannot be read", "is not known", "give one expression"))


async def test_what_takes_too_long_or_too_much_is_stopped_and_said(sandbox: ProcessSandbox) -> None:
    tool = symbolic_tool(sandbox, Limits(timeout_s=1.5, cpu_s=1.5))
    result = await tool.call({"operation": "evaluate", "expression": "9^9^9^9"})
    assert not result.ok
    assert result.text.startswith(("stopped after 1.5 s", "it needed more than"))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("sum of 1/n^2 from n=1 to infinity", "pi**2/6 (about 1.64493406685)"),
        ("eigenvalues {{2,0},{0,3}}", "[2, 3]"),
        ("gcd(12, 18)", "6"),
        ("maximize x*(10-x)", "largest value 25, at x: {5}"),
        ("second derivative of t^3", "6*t"),
        ("prime factorization of 360", "2^3 * 3^2 * 5"),
    ],
)
async def test_wolfram_without_an_app_id(sandbox: ProcessSandbox, query: str, text: str) -> None:
    result = await wolfram_tool(sandbox, Settings(wolfram_app_id=None)).call({"query": query})
    assert (result.ok, result.text) == (True, text)


async def test_wolfram_without_an_app_id_says_what_it_does_not_understand(sandbox: ProcessSandbox) -> None:
    result = await wolfram_tool(sandbox, Settings(wolfram_app_id=None)).call({"query": "the capital of France"})
    assert not result.ok
    assert result.text.startswith("not understood. Write it like one of:")


@pytest.mark.skipif(find_spec("z3") is None, reason="z3-solver is not installed")
async def test_z3(sandbox: ProcessSandbox) -> None:
    tool = z3_tool(sandbox)
    result = await tool.call({"variables": "x, y", "constraints": "x + y == 10; x - y == 2", "solutions": 5})
    assert (result.ok, result.text) == (True, "x = 6, y = 4\n(the only solution)")
    result = await tool.call({"variables": "x", "constraints": "__import__('os').getpid() > x"})
    assert not result.ok
    assert "is not understood" in result.text
