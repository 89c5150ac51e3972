"""The python tool on a sandbox that repeats what it is told; observations are pure text."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.sandbox.base import Layer, Limits
from mathagent.tools import TOOLS
from mathagent.tools.python import cut_middle, observation, run_program
from mathagent.types import Execution


class RepeatingSandbox:
    """Answers every program with one Execution and remembers what it was asked."""

    name = "repeating"

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.asked: list[tuple[str, Limits | None]] = []

    async def run(
        self, code: str, limits: Limits | None = None, files: Mapping[str, bytes] | None = None
    ) -> Execution:
        self.asked.append((code, limits))
        return self.execution

    def layers(self) -> list[Layer]:
        return []

    async def aclose(self) -> None:
        pass


async def test_tool_runs_the_program_under_its_limits() -> None:
    sandbox, limits = RepeatingSandbox(Execution(status="ok", value="42")), Limits(timeout_s=3)
    tool = TOOLS.load("python")(sandbox, limits)
    assert tool.name == "python"
    assert tool.spec().parameters["required"] == ["code"]
    result = await tool.call(json.dumps({"code": "6 * 7"}))
    assert (result.text, result.ok, result.execution) == ("42", True, sandbox.execution)
    assert sandbox.asked == [("6 * 7", limits)]


async def test_line_breaks_inside_json_strings_are_understood() -> None:
    sandbox = RepeatingSandbox(Execution(status="ok"))
    assert (await TOOLS.load("python")(sandbox).call('{"code": "x = 1\nx"}')).ok
    assert sandbox.asked[0][0] == "x = 1\nx"


async def test_failed_program_is_a_failed_result_with_its_execution() -> None:
    execution = Execution(status="error", stdout="so far\n", error="ValueError: no")
    result = await run_program(RepeatingSandbox(execution), "x")
    assert (result.ok, result.text, result.execution) == (False, "so far\nValueError: no", execution)


@pytest.mark.parametrize(
    ("execution", "text"),
    [
        (Execution(status="ok"), "(no output)"),
        (Execution(status="ok", stdout="\n"), "(no output)"),
        (Execution(status="ok", stdout="a\nb\n", value="3"), "a\nb\n3"),
        (Execution(status="ok", stdout="a\r\nb\n", stderr="warning"), "a\nb"),
        (Execution(status="ok", value=""), "(no output)"),
        (
            Execution(status="timeout", error="stopped: still running after 2 s"),
            "stopped: still running after 2 s",
        ),
        (Execution(status="crashed", signal=11), "crashed"),
        (Execution(status="ok", stdout="\x1b[31mred\x00\r\t\u202e\x85"), "\\x1b[31mred\\x00\\x0d\t\\u202e\\x85"),
    ],
)
def test_observation(execution: Execution, text: str) -> None:
    assert observation(execution) == text


def test_long_output_loses_its_middle_and_says_how_much() -> None:
    text = observation(Execution(status="error", stdout="a" * 5000 + "z" * 5000, error="E: e"), max_chars=1000)
    assert 990 < len(text) <= 1000
    head, _, rest = text.partition("\n… ")
    number, _, tail = rest.partition(" characters cut …\n")
    assert set(head) == {"a"}
    assert tail.endswith("z\nE: e")
    assert len(head) + len(tail.removesuffix("\nE: e")) + int(number.replace(",", "")) == 10_000


@given(st.text(), st.none() | st.text(), st.none() | st.text(), st.integers(80, 300))
def test_observation_is_short_and_harmless(stdout: str, value: str | None, error: str | None, limit: int) -> None:
    status = "ok" if error is None else "error"
    text = observation(Execution(status=status, stdout=stdout * 20, value=value, error=error), max_chars=limit)
    assert text
    assert len(text) <= limit
    assert all(character in "\n\t" or ord(character) >= 32 for character in text)
    assert not set(text) & set("\x7f\x9b\u202a\u202e\u2066\u2069")


@given(st.text(min_size=1), st.integers(39, 500))
def test_cut_keeps_both_ends(text: str, limit: int) -> None:
    text = text * 50
    cut = cut_middle(text, limit)
    assert len(cut) <= limit
    assert cut == text or (" characters cut …" in cut and text.startswith(cut.partition("\n… ")[0][:1]))
