"""The tool number.factors: the prime factors of a whole number, computed in the sandbox."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mathagent.sandbox.base import Sandbox
from mathagent.tools.base import Tool, ToolResult

NAME = "number.factors"
LARGEST = 10**30
PROGRAM = "import sympy\n' * '.join(f'{p}^{e}' if e > 1 else str(p) for p, e in sympy.factorint({number}).items())"


def factors_tool(own_sandbox: Sandbox) -> Tool:
    """The tool; mathagent passes what the parameters name (see mathagent.tools.toolbox.plugin_makers)."""

    async def factors(
        number: Annotated[int, Field(description="A whole number from 2 on.", ge=2, le=LARGEST)],
    ) -> ToolResult:
        """Returns the prime factors of a whole number, such as 2^3 * 3^2 * 5 for 360."""
        execution = await own_sandbox.run(PROGRAM.replace("{number}", str(number)))
        return ToolResult(text=execution.value or execution.error or "", ok=execution.ok, execution=execution)

    return Tool(factors, NAME)
