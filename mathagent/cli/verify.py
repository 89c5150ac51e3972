"""mathagent verify: runs the certificate of a stored solution again, without any model."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from mathagent.console.certificate_view import conclude, show_certificate
from mathagent.console.page import Page
from mathagent.errors import UsageError
from mathagent.sandbox import SANDBOXES
from mathagent.sandbox.base import Limits
from mathagent.types import Check, Solution

MAX_INPUT_BYTES = 64 * 2**20
EXIT_HOLDS, EXIT_FAILS, EXIT_UNDECIDED = 0, 1, 3


def verify_command(source: str, *, sandbox: str, timeout_s: float, as_json: bool) -> int:
    """Runs the checks again and shows which hold; see ``exit_code``. Outcomes that stand in the file are ignored."""
    solution = read_solution(source)
    checks = asyncio.run(_run(solution, sandbox, timeout_s))
    code = exit_code(checks)
    if as_json:
        sys.stdout.write(json.dumps(_report(solution, checks, code), indent=2, ensure_ascii=False) + "\n")
    else:
        console = Console()
        Page(console).line(f"answer: {solution.answer or 'none'}")
        show_certificate(console, checks, conclude(checks))
    return code


def exit_code(checks: Sequence[Check]) -> int:
    """0: none fails and a strong one holds; 1: one fails; 3: none of the two, or there is no certificate."""
    from mathagent.scorers.checks import certificate_outcome

    return {"holds": EXIT_HOLDS, "fails": EXIT_FAILS, "undecided": EXIT_UNDECIDED}[certificate_outcome(checks)]


def read_solution(source: str) -> Solution:
    """The solution in a file, or on stdin for "-".

    It is what ``solve --json`` prints, the last line of ``solve --events``, or one record of a benchmark.

    Raises UsageError where it is anything else.
    """
    name = "standard input" if source == "-" else source
    try:
        value = json.loads(_text(source, name))
    except json.JSONDecodeError as error:
        advice = "give one JSON value, what `mathagent solve --json` prints"
        if error.msg == "Extra data":
            advice = "it holds several JSON values; give one of its lines"
        raise UsageError(f"{name} cannot be read as JSON (line {error.lineno}: {error.msg}); {advice}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or deep nesting
        raise UsageError(f"{name} cannot be read as the JSON of a solution: {error}") from error
    return _solution(value, name)


def _text(source: str, name: str) -> str:
    try:
        if source == "-":
            data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(MAX_INPUT_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL byte
        raise UsageError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_INPUT_BYTES:
        raise UsageError(f"{name} holds more than {MAX_INPUT_BYTES // 2**20} MB; give one solution only")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text (byte {error.start}); give the JSON of a solution") from error


def _solution(value: Any, name: str) -> Solution:
    if not isinstance(value, dict):
        raise UsageError(
            f"{name} is no solution but a JSON {type(value).__name__}; give what `solve --json` prints"
        )
    is_event = value.get("kind") == "solve-finished"  # the last line of `solve --events`
    if "solution" in value and (is_event or "outcome" in value):  # or a record of a benchmark
        if value["solution"] is None:
            raise UsageError(f"{name} is a record without a solution: {value.get('error') or 'its solve failed'}")
        value = value["solution"]
    try:
        return Solution.model_validate_json(json.dumps(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        if first["type"] == "missing":
            advice = "give what `mathagent solve --json` prints"
            raise UsageError(f"{name} is no solution: it has no {place}; {advice}") from error
        kind = "is unknown" if first["type"] == "extra_forbidden" else f"is wrong: {first['msg']}"
        raise UsageError(
            f"{name} is no solution of this version of mathagent: {place} {kind}; use the version that wrote it"
        ) from error


async def _run(solution: Solution, sandbox_name: str, timeout_s: float) -> list[Check]:
    if not solution.certificate:
        return []
    from mathagent.answers.compare import AnswerComparer
    from mathagent.sandbox.confined_calls import ConfinedCalls
    from mathagent.scorers.checks import run_certificate

    sandbox = SANDBOXES.load(sandbox_name)()
    calls = ConfinedCalls()
    try:
        limits = Limits(timeout_s=timeout_s, cpu_s=timeout_s)
        return await run_certificate(sandbox, AnswerComparer(calls.call), solution, limits)
    finally:
        await sandbox.aclose()
        await calls.aclose()


def _report(solution: Solution, checks: Sequence[Check], code: int) -> dict[str, Any]:
    return {
        "answer": solution.answer,
        "result": {EXIT_HOLDS: "holds", EXIT_FAILS: "fails", EXIT_UNDECIDED: "undecided"}[code],
        "conclusion": conclude(checks),
        "checks": [{**check.model_dump(mode="json"), "strength": check.strength} for check in checks],
    }
