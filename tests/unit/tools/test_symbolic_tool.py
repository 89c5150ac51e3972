"""The symbolic tool's own side: its schema, how it cuts texts into parts, what travels into the sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.sandbox.base import Layer, Limits, Session
from mathagent.tools.symbolic import LIMITS, parts_of, symbolic_tool
from mathagent.types import Execution


class NotingSandbox:
    """Answers each program with ``execution`` and notes what it was given."""

    name = label = "noting"

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.programs: list[str] = []
        self.requests: list[dict[str, object]] = []
        self.limits: Limits | None = None

    async def run(
        self,
        code: str,
        limits: Limits | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        fetch: Sequence[str] = (),
    ) -> Execution:
        self.programs.append(code)
        self.limits = limits
        self.requests.append(json.loads((files or {})["request.json"]))
        return self.execution

    async def session(self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None) -> Session:
        raise NotImplementedError

    def layers(self) -> list[Layer]:
        return []

    async def aclose(self) -> None:
        pass


def test_the_schema_is_short() -> None:
    tool = symbolic_tool(NotingSandbox(Execution(status="ok")))
    assert len(tool.description) + len(json.dumps(tool.parameters)) < 2_100
    assert tool.parameters["required"] == ["operation", "expression"]


@given(st.text(), st.text(max_size=20))
async def test_values_travel_as_data_and_never_as_source(expression: str, variable: str) -> None:
    sandbox = NotingSandbox(Execution(status="ok", value="1"))
    tool = symbolic_tool(sandbox)
    await tool.call({"operation": "evaluate", "expression": "1"})
    await tool.call({"operation": "solve", "expression": expression, "variable": variable})
    assert len(set(sandbox.programs)) == 1
    assert sandbox.requests[0]["parts"] == ["1"]
    assert sandbox.limits == LIMITS


async def test_numbers_and_lists_are_texts_too() -> None:
    sandbox = NotingSandbox(Execution(status="ok", value="1"))
    tool = symbolic_tool(sandbox)
    assert (await tool.call({"operation": "sum", "expression": "n", "lower": 1, "upper": 10})).ok
    assert (await tool.call({"operation": "gcd", "expression": [12, 18]})).ok
    assert (await tool.call({"operation": "solve", "expression": ["x + y = 1", "x = 2"]})).ok
    assert (await tool.call({"operation": "det", "expression": [[1, 2], [3, 4]]})).ok
    assert [request["parts"] for request in sandbox.requests] == [
        ["n"],
        ["12", "18"],
        ["x+y=1", "x=2"],
        ["[[1,2],[3,4]]"],
    ]
    assert (sandbox.requests[0]["lower"], sandbox.requests[0]["upper"]) == ("1", "10")


@pytest.mark.parametrize(
    ("execution", "text"),
    [
        (
            Execution(status="error", error="inside.refusal.Unreadable: 'x +' cannot be read"),
            "'x +' cannot be read",
        ),
        (Execution(status="error", error="KeyError: 'x'"), "KeyError: 'x'"),
        (Execution(status="timeout", error="killed"), "stopped after 10 s"),
        (Execution(status="memory", error="MemoryError"), "it needed more than 1024 MB"),
        (Execution(status="crashed", signal=11), "crashed"),
    ],
)
async def test_failures_are_told_to_the_model(execution: Execution, text: str) -> None:
    result = await symbolic_tool(NotingSandbox(execution)).call({"operation": "evaluate", "expression": "1"})
    assert not result.ok
    assert result.text.startswith(text)
    assert result.execution == execution


async def test_what_is_too_long_or_unknown_is_refused() -> None:
    sandbox = NotingSandbox(Execution(status="ok"))
    tool = symbolic_tool(sandbox)
    for arguments in (
        {"operation": "divine", "expression": "1"},
        {"operation": "evaluate", "expression": "1+" * 4_000 + "1"},
        {"operation": "evaluate", "expression": {"x": 1}},
        {"operation": "evaluate", "expression": "1", "domain": "quaternion"},
    ):
        assert (await tool.call(arguments)).text.startswith("Bad arguments for symbolic")  # type: ignore[arg-type]
    assert sandbox.programs == []


@pytest.mark.parametrize(
    ("text", "numbers", "parts"),
    [
        ("12,180", True, ["12", "180"]),
        ("12,180", False, ["12180"]),
        ("x + y = 1, x - y = 2", False, ["x+y=1", "x-y=2"]),
        ("x = 1 and y = 2", False, ["x=1", "y=2"]),
        ("gcd(12, 18); 5", False, [r"\gcd(12,18)", "5"]),
        ("[[1,2],[3,4]], [5,6]", True, ["[[1,2],[3,4]]", "[5,6]"]),
        ("{{1,2},{3,4}}", True, ["[[1,2],[3,4]]"]),
        (r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", True, ["[[1,2],[3,4]]"]),
        ("x\ny", False, ["x", "y"]),
        (" ; ", False, [""]),
    ],
)
def test_parts(text: str, numbers: bool, parts: list[str]) -> None:
    assert parts_of(text, numbers=numbers) == parts
