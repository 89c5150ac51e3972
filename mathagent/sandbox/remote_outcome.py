"""From a server's answer to an Execution. Pure, as ``outcome`` is; what the server says is text from a stranger."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mathagent.errors import SandboxError
from mathagent.sandbox import wire
from mathagent.sandbox.base import Limits
from mathagent.sandbox.connection import Answer, Lost
from mathagent.sandbox.link import one_line
from mathagent.types import Execution

_VALUE_CHARS, _ERROR_CHARS, _TRACEBACK_CHARS, _LABEL_CHARS = 2**20, 2_000, 20_000, 100


def execution_of(answer: Answer, limits: Limits, fetch: Sequence[str], name: str) -> Execution:
    """What ``answer`` of the sandbox ``name`` says about a program. Raises SandboxError where none could run."""
    match answer:
        case wire.Done():
            return _trimmed(answer.execution, limits, fetch, name)
        case Lost():
            return _execution_of_loss(answer, limits, name)
        case _:
            raise SandboxError(failure(answer))


def failure(answer: Answer) -> str:
    """Why ``answer`` is not what was asked for, in one line."""
    match answer:
        case wire.Failed():
            return one_line(answer.message, _ERROR_CHARS)
        case Lost():
            return f"the sandbox server was lost: {answer.reason}"
        case _:
            return "the sandbox server gave an answer of the wrong kind"


def may_retry(answer: Answer) -> bool:
    """Whether the work was lost before it began, so that a new server may do it."""
    return isinstance(answer, Lost) and answer.cause == "broke" and not answer.started


def _execution_of_loss(lost: Lost, limits: Limits, name: str) -> Execution:
    if lost.cause == "closed":
        return Execution(status="refused", error=f"stopped: {lost.reason}", sandbox=name)
    if lost.cause == "overdue":
        error = f"stopped: {lost.reason} (the limit is {limits.timeout_s:g} s); the sandbox server was replaced"
        return Execution(status="timeout", error=error, sandbox=name)
    when = "while the program ran" if lost.started else "before the program began, and so were its successors"
    error = f"the sandbox server was lost {when}: {lost.reason}"
    return Execution(status="crashed", error=error, sandbox=name)


def _trimmed(execution: Execution, limits: Limits, fetch: Sequence[str], name: str) -> Execution:
    """``execution`` within the bounds that an honest server keeps anyway."""
    files = {path: content for path, content in execution.files.items() if path in set(fetch)}
    if sum(map(len, files.values())) > limits.file_mb * 2**20:
        files = {}
    return execution.model_copy(
        update={
            "stdout": execution.stdout[: limits.output_bytes],
            "stderr": execution.stderr[: limits.output_bytes],
            "value": _cut(execution.value, _VALUE_CHARS),
            "error": _cut(execution.error, _ERROR_CHARS),
            "traceback": _cut(execution.traceback, _TRACEBACK_CHARS),
            "wall_s": _amount(execution.wall_s),
            "cpu_s": _amount(execution.cpu_s),
            "peak_memory_mb": _amount(execution.peak_memory_mb),
            "files": files,
            "sandbox": f"{name}/{one_line(execution.sandbox, _LABEL_CHARS)}",
        }
    )


def _cut(text: str | None, max_chars: int) -> str | None:
    return None if text is None else text[:max_chars]


def _amount(number: float) -> float:
    return number if math.isfinite(number) and number > 0 else 0.0
