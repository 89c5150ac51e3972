"""Runs a function of ``tools/inside`` in a sandbox: our program, the model's values beside it as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import JsonValue

from mathagent.sandbox.base import Limits, Sandbox
from mathagent.tools.base import ToolResult
from mathagent.tools.python import observation
from mathagent.types import Execution

_FOLDER = Path(__file__).parent / "inside"
_REQUEST = "request.json"
_PROGRAM = """\
import json
from inside.{module} import answer
with open("{request}", encoding="utf-8") as file:
    request = json.load(file)
answer(request)
"""


async def run_inside(
    sandbox: Sandbox, module: str, request: Mapping[str, JsonValue], limits: Limits
) -> ToolResult:
    """Calls ``answer(request)`` of ``inside/<module>.py``; its text, or what was wrong with the input, is the result.

    The request travels as a file of JSON: no value of it becomes source. Raises SandboxError.
    """
    files = {**_sources(), _REQUEST: json.dumps(request).encode()}
    execution = await sandbox.run(_PROGRAM.format(module=module, request=_REQUEST), limits, files)
    if execution.ok:
        return ToolResult(text=observation(execution), execution=execution)
    return ToolResult(text=_failure(execution, limits), ok=False, execution=execution)


def _failure(execution: Execution, limits: Limits) -> str:
    match execution.status:
        case "timeout":
            return f"stopped after {limits.timeout_s:g} s: make the input smaller or simpler, or write a program"
        case "memory":
            return f"it needed more than {limits.memory_mb} MB: make the input smaller, or write a program"
        case "error" if execution.error:
            name, _, message = execution.error.partition(": ")
            return message if name.endswith("Unreadable") and message else execution.error
        case _:
            return execution.error or execution.status


@cache
def _sources() -> dict[str, bytes]:
    return {f"inside/{path.name}": path.read_bytes() for path in sorted(_FOLDER.glob("*.py"))}
