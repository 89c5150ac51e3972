"""Runs the written code of a typed function in a sandbox. It gets its inputs there, and never an expected output."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue, TypeAdapter, ValidationError

from mathagent.functions.reply_types import as_json, problems_of
from mathagent.functions.signature import Signature
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.types import Execution, Value

RESULT = "result.json"
REL_TOL, ABS_TOL = 1e-9, 1e-12
"""Floats of an expected output may differ by so much: rounding is no error."""

OTHER_TYPE, NO_RESULT, NO_FUNCTION = "a value of another type", "no result", "no such function"
"""What a run can lack beside errors of Python's and the sandbox's."""

Stage = Literal["load", "function", "call", "returned"]


@dataclass(frozen=True)
class Ran:
    """How far a run came: ``value`` where it "returned" one of the right type, else what the ``problem`` was.
    ``error`` is the problem's name alone, without anything of the inputs."""

    stage: Stage
    value: Any = None
    problem: str = ""
    error: str = ""


class _Report(Value):
    """What ``inside/call.py`` writes."""

    stage: Stage
    value: JsonValue = None
    problem: str = ""
    error: str = ""


async def run_code(
    sandbox: Sandbox, signature: Signature, code: str, inputs: Mapping[str, JsonValue], limits: Limits
) -> Ran:
    """Runs ``code``, which defines the function of ``signature``, on ``inputs``. Raises SandboxError."""
    files = {
        "call.py": _harness(),
        "written.py": code.encode("utf-8", "replace"),
        "arguments.json": json.dumps(inputs).encode(),
    }
    program = f"import call\ncall.main({signature.name!r})\n"
    execution = await sandbox.run(program, limits, files, fetch=(RESULT,))
    report = _report(execution, limits)
    if report.stage == "function":
        return Ran(report.stage, problem=report.problem, error=NO_FUNCTION)
    if report.stage != "returned":
        return Ran(report.stage, problem=report.problem, error=report.error)
    try:
        return Ran("returned", signature.returned.validate_python(report.value))
    except ValidationError as error:
        shown = json.dumps(report.value, ensure_ascii=False)
        problem = f"returned {shown[:200]}, which is not of its type: {problems_of(error)}"
        return Ran("call", problem=problem, error=OTHER_TYPE)


def _report(execution: Execution, limits: Limits) -> _Report:
    data = execution.files.get(RESULT)
    if not execution.ok or data is None:
        problem = execution.error or "the program ended before the function returned"
        if execution.status == "timeout":
            problem = f"still running after {limits.timeout_s:g} s"
        return _Report(stage="call", problem=problem, error=execution.status)
    try:
        return _Report.model_validate_json(data)
    except ValidationError as error:
        return _Report(stage="call", problem=f"its result cannot be read: {problems_of(error)}", error=NO_RESULT)


def same_value(adapter: TypeAdapter[Any], got: Any, expected: Any) -> bool:
    """Whether two values are equal, but for the rounding of floats."""
    if got == expected:
        return True
    return _alike(as_json(adapter, got, "the result"), as_json(adapter, expected, "the output"))


def _alike(a: JsonValue, b: JsonValue) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a == b if isinstance(a, int) and isinstance(b, int) else _close(a, b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_alike, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(one, b[key]) for key, one in a.items())
    return a == b


def _close(a: float, b: float) -> bool:
    try:
        return math.isclose(a, b, rel_tol=REL_TOL, abs_tol=ABS_TOL) or (math.isnan(a) and math.isnan(b))
    except OverflowError:  # a whole number beyond all floats
        return a == b


@cache
def _harness() -> bytes:
    return (Path(__file__).parent / "inside" / "call.py").read_bytes()
