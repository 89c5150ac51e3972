"""A tool describes itself by its signature and tells the model what is wrong with its arguments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, JsonValue

from mathagent.tools.base import Tool, ToolResult


async def power(
    base: Annotated[float, Field(description="What is multiplied.")],
    exponent: Annotated[int, Field(ge=0)] = 2,
    form: Literal["short", "long"] = "short",
) -> ToolResult:
    """Raises a number to a power."""
    return ToolResult(text=f"{form} {base**exponent:g}")


TOOL = Tool(power)


def test_spec_comes_from_the_signature() -> None:
    spec = TOOL.spec()
    assert (spec.name, spec.description) == ("power", "Raises a number to a power.")
    assert spec.parameters["required"] == ["base"]
    assert spec.parameters["additionalProperties"] is False
    properties: Any = spec.parameters["properties"]
    assert properties["base"]["description"] == "What is multiplied."
    assert properties["exponent"]["default"] == 2
    assert Tool(power, name="pow").spec().name == "pow"


@pytest.mark.parametrize(
    "arguments", ['{"base": 3}', {"base": 3, "exponent": 2}, '{"base": "3.0"}', '\n{"base": 3.0}\n']
)
async def test_call(arguments: str | dict[str, JsonValue]) -> None:
    assert await TOOL.call(arguments) == ToolResult(text="short 9")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("", "not valid JSON"),
        ("{'base': 3}", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[3]", "not a JSON object"),
        ("{}", "base: Field required"),
        ('{"base": "x"}', "base: Input should be a valid number"),
        ('{"base": 1, "exponent": -1}', "exponent: Input should be greater"),
        ('{"base": 1, "expnent": 1}', "expnent: Extra inputs are not permitted"),
        ({"base": 1, "form": "wide"}, "form: Input should be 'short' or 'long'"),
        ({}, "(parameters: base, exponent, form)"),
    ],
)
async def test_bad_arguments_are_told_to_the_model(arguments: str | dict[str, JsonValue], problem: str) -> None:
    result = await TOOL.call(arguments)
    assert not result.ok
    assert result.text.startswith("Bad arguments for power: ")
    assert problem in result.text
    assert result.execution is None


@given(st.text() | st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
async def test_no_arguments_raise(arguments: str | dict[str, JsonValue]) -> None:
    assert (await TOOL.call(arguments)).text


async def test_failures_of_the_tool_itself_do_raise() -> None:
    async def broken() -> ToolResult:
        """Fails."""
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Tool(broken).call("{}")


def test_signatures_that_cannot_be_described() -> None:
    async def untyped(x) -> ToolResult:  # type: ignore[no-untyped-def]
        raise AssertionError

    async def many(*xs: int) -> ToolResult:
        raise AssertionError

    with pytest.raises(TypeError, match="x needs a type"):
        Tool(untyped)
    with pytest.raises(TypeError, match="xs"):
        Tool(many)
