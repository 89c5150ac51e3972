"""The Python tool: runs a program in a sandbox and tells the model what came out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mathagent.sandbox.base import Limits, Sandbox
from mathagent.tools.base import Tool, ToolResult
from mathagent.types import Execution

OBSERVATION_CHARS = 4_000
_BIDIRECTIONAL = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"},
    **{code: f"\\u{code:04x}" for code in _BIDIRECTIONAL},
}


def python_tool(sandbox: Sandbox, limits: Limits | None = None) -> Tool:
    """The tool "python": each call is a fresh program in ``sandbox`` under ``limits`` (default: the sandbox's)."""

    async def python(
        code: Annotated[str, Field(description="A complete Python 3 program, without Markdown fences.")],
    ) -> ToolResult:
        """Runs a Python 3 program and returns what it printed and the value of its last expression.

        sympy, mpmath and the standard library can be imported. Each call starts afresh: nothing is kept from
        earlier calls. There is no input, and no network to rely on.
        """
        return await run_program(sandbox, code, limits)

    return Tool(python)


async def run_program(sandbox: Sandbox, code: str, limits: Limits | None = None) -> ToolResult:
    """Runs ``code``; the result carries the Execution and the observation. Raises SandboxError."""
    execution = await sandbox.run(code, limits)
    return ToolResult(text=observation(execution), ok=execution.ok, execution=execution)


def observation(execution: Execution, max_chars: int = OBSERVATION_CHARS) -> str:
    """What a model sees of ``execution``: printed text, value, and the last line of an error, in this order.

    At most ``max_chars`` characters (at least 80): what is too long loses its middle, which says how much was
    cut. Control characters are shown as escapes, so that output cannot drive a terminal or hide text.
    """
    max_chars = max(80, max_chars)
    printed = execution.stdout.replace("\r\n", "\n").rstrip("\n")
    body = "\n".join(text for text in (printed, execution.value) if text).translate(_ESCAPES)
    if execution.ok:
        return cut_middle(body, max_chars) or "(no output)"
    error = cut_middle((execution.error or execution.status).translate(_ESCAPES), max_chars // 2)
    if not body:
        return error
    return f"{cut_middle(body, max_chars - len(error) - 1)}\n{error}"


def cut_middle(text: str, max_chars: int) -> str:
    """``text``, or its two ends around a note of how many characters are missing: ``max_chars`` in all (≥ 39)."""
    if len(text) <= max_chars:
        return text
    room = max_chars - len(_note(len(text)))  # the longest that the note can be
    head, tail = (room + 1) // 2, room // 2
    return text[:head] + _note(len(text) - head - tail) + text[len(text) - tail :]


def _note(missing: int) -> str:
    return f"\n… {missing:,} characters cut …\n"
