"""What the z3 tool finds and says, beside its walls; and its own side, on a sandbox that notes what it is given."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.util import find_spec
from itertools import product
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.errors import UsageError
from mathagent.tools import constraint_solver
from mathagent.tools.constraint_solver import _variables, z3_tool
from mathagent.tools.inside.refusal import Unreadable
from mathagent.types import Execution
from tests.unit.tools.test_symbolic_tool import NotingSandbox

needs_z3 = pytest.mark.skipif(find_spec("z3") is None, reason="z3-solver is not installed")


@cache
def process_for_z3() -> ProcessPoolExecutor:
    """As in the sandbox, where nothing but the tool is loaded: usearch, loaded before z3, makes z3 write whole numbers
    as empty texts."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def answered(fields: dict[str, Any]) -> str:
    from mathagent.tools.inside import constraints as program

    return program.answer(fields)


def solved(variables: str, *constraints: str, **fields: Any) -> str:
    request = {"maximize": "", "minimize": "", "solutions": 1, "timeout_ms": 5_000, **fields}
    named = [[name, sort] for name, sort in _variables(variables).items()]
    asked = {"variables": named, "constraints": list(constraints), **request}
    return process_for_z3().submit(answered, asked).result(timeout=60)


@needs_z3
@pytest.mark.parametrize(
    ("variables", "constraints", "fields", "text"),
    [
        ("x, y", ["x + y == 10", "x - y = 2"], {}, "x = 6, y = 4\n(the only solution)"),
        ("x", ["x > 3"], {}, "x = 4\n(there are more solutions)"),
        ("x", ["x > 3", "x < 3"], {}, "no solution"),
        ("x", ["2x == 14"], {}, "x = 7\n(the only solution)"),
        ("x: real", ["2*x == 3"], {}, "x = 3/2\n(the only solution)"),
        ("x: real", ["x^2 = 2", "x > 0"], {}, "x = about 1.414213562373\n(the only solution)"),
        ("p, q: bool", ["implies(p, q)", "p and not q"], {}, "no solution"),
        ("p: bool", ["p"], {}, "p = True\n(the only solution)"),
        ("x", ["x in [1, 2, 3]", "x not in [1, 2]"], {}, "x = 3\n(the only solution)"),
        ("x", ["abs(x) == 2", "x < 0"], {}, "x = -2\n(the only solution)"),
        ("x, y", ["max(x, y) == 3", "min(x, y) == 3"], {}, "x = 3, y = 3\n(the only solution)"),
        ("x", ["x/2 == 1.5"], {}, "x = 3\n(the only solution)"),
        ("x", ["x // 2 == 3", "x % 2 == 1"], {}, "x = 7\n(the only solution)"),
        ("x", ["1 if x > 0 else 0", "x > 0"], {}, None),
        ("x", ["x % 7 == 3", "x % 5 == 2", "x > 0"], {"minimize": "x"}, "smallest x = 17 at x = 17"),
        (
            "x, y",
            ["x + y <= 10", "x >= 0", "y ≥ 0"],
            {"maximize": "3*x + 2*y"},
            "largest 3*x + 2*y = 30 at x = 10, y = 0",
        ),
        ("x", ["x > 3"], {"maximize": "x"}, "no largest value: x is unbounded"),
        (
            "x: real",
            ["0 < x < 3"],
            {"maximize": "x"},
            "no largest value: x comes as near as one likes to 3 without taking it",
        ),
        ("x", ["x > 3", "x < 3"], {"maximize": "x"}, "no solution"),
        ("d", ["20 % d == 2", "0 <= d < 3"], {}, "no solution"),
        ("x, y", ["x/y == 2", "x == 1"], {}, "no solution"),
        ("x, y", ["y == 0 or x/y == 2", "x == 1"], {}, "x = 1, y = 0\n(the only solution)"),
        ("x, y", ["not x/y == 2", "x == 2", "0 <= y <= 1"], {}, "no solution"),
        ("x, y", ["!(!(x % y == 0))", "x == 3", "0 <= y < 2"], {}, "x = 3, y = 1\n(the only solution)"),
        ("x", ["(6 // x if x > 0 else 1) == 1", "0 <= x < 4"], {}, "x = 0\n(the only solution)"),
        ("x", ["(1 if x == 0 else 6 // x) == 1", "x < 4"], {}, "x = 0\n(the only solution)"),
        ("x", ["0 <= x <= 3"], {"maximize": "6 // x"}, "largest 6 // x = 6 at x = 1"),
    ],
)
def test_constraints(variables: str, constraints: list[str], fields: dict[str, Any], text: str | None) -> None:
    if text is None:
        with pytest.raises(Unreadable, match="is a number, not a constraint"):
            solved(variables, *constraints, **fields)
        return
    assert solved(variables, *constraints, **fields) == text


@needs_z3
def test_all_solutions_are_listed_up_to_what_was_asked() -> None:
    lines = solved("a, b", "0 <= a < b <= 3", solutions=10).splitlines()
    assert sorted(lines[:-1]) == [f"a = {a}, b = {b}" for a in range(4) for b in range(a + 1, 4)]
    assert lines[-1] == "(all 6 solutions)"
    assert solved("a, b", "0 <= a < b <= 3", solutions=5).splitlines()[-1] == "(there are more solutions)"


@needs_z3
def test_what_is_not_decided_in_time_is_said() -> None:
    text = solved("x, y, z", "x**3 + y**3 == z**3", "x > 0", "y > 0", "z > 0", timeout_ms=300)
    assert text.startswith("not decided (")


@needs_z3
@given(st.tuples(*[st.integers(-3, 3)] * 3), st.sampled_from(["<", "<=", "==", "!=", ">", ">="]))
@settings(deadline=None, max_examples=30)
def test_it_agrees_with_trying_all(numbers: tuple[int, int, int], sign: str) -> None:
    a, b, c = numbers
    constraint = f"({a})*x + ({b})*x*y {sign} {c}"
    fitting = {(x, y) for x, y in product(range(3), repeat=2) if eval(constraint, {"x": x, "y": y})}
    text = solved("x, y", "0 <= x <= 2", "0 <= y <= 2", constraint, solutions=9)
    found = {
        tuple(int(part.split(" = ")[1]) for part in line.split(", ")) for line in text.splitlines() if "=" in line
    }
    assert found == fitting


@needs_z3
@pytest.mark.parametrize(
    ("constraint", "problem"),
    [
        ("y > 2", "'y' in 'y > 2' is not among the variables"),
        ("x + 1", "is a number, not a constraint"),
        ("x >", "cannot be read"),
        ("import os", "cannot be read"),
        ("x.__class__ == 1", "is not understood"),
        ("__import__('os') == 1", "is not understood"),
        ("[x for x in [1]] == 1", "is not understood"),
        ("x ** 100 == 1", "an exponent"),
        ("x ** x == 1", "an exponent"),
        ("x // 0 == 1", "not positive"),
        ("x % -3 == 1", "not positive"),
        ("x / 0 == 1", "divides by 0"),
        ("sin(x) == 1", "sin(…) with 1 values"),
        ("x and x > 1", "mixes numbers and truth values"),
        ("abs(x > 1) == 1", "mixes numbers and truth values"),
        ("(x > 1) < (x > 2)", "mixes numbers and truth values"),
        (f"x {'+ 1 ' * 3000} == 1", "is too long"),
        ("x is 3", "a comparison"),
    ],
)
def test_wrong_constraints_are_told(constraint: str, problem: str) -> None:
    with pytest.raises(Unreadable) as refused:
        solved("x", constraint)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sorts"),
    [
        ("x, y", {"x": "int", "y": "int"}),
        ("x, y: real", {"x": "real", "y": "real"}),
        ("x: int, y: real; p : Boolean", {"x": "int", "y": "real", "p": "bool"}),
        ("x: int\ny", {"x": "int", "y": "int"}),
    ],
)
def test_variables(text: str, sorts: dict[str, str]) -> None:
    assert _variables(text) == sorts


async def test_the_tool_without_z3_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constraint_solver, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'mathagent\[z3\]'"):
        z3_tool(NotingSandbox(Execution(status="ok")))


@needs_z3
async def test_a_sandbox_without_z3_is_named() -> None:
    missing = Execution(status="error", error="ModuleNotFoundError: No module named 'z3'")
    with pytest.raises(UsageError, match="in the sandbox noting"):
        await z3_tool(NotingSandbox(missing)).call({"variables": "x", "constraints": "x > 1"})


@needs_z3
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"variables": "", "constraints": "x > 1"}, "no variable is given"),
        ({"variables": "x: complex", "constraints": "x > 1"}, "is no kind of variable"),
        ({"variables": "x!", "constraints": "x > 1"}, "does not list variables"),
        ({"variables": "x", "constraints": "x>1;" * 301}, "301 constraints"),
        ({"variables": "x", "constraints": "x > 1", "maximize": "x", "minimize": "x"}, "not both"),
        ({"variables": "x", "constraints": "x > 1", "solutions": 0}, "Bad arguments"),
    ],
)
async def test_wrong_arguments_are_told(arguments: dict[str, Any], problem: str) -> None:
    sandbox = NotingSandbox(Execution(status="ok"))
    result = await z3_tool(sandbox).call(arguments)
    assert not result.ok
    assert problem in result.text
    assert sandbox.programs == []
