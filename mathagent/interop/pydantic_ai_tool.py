"""``solve_tool``: the solver as a tool of pydantic-ai agents (package pydantic-ai-slim)."""

from __future__ import annotations

from typing import Annotated, Any, Unpack

from pydantic import Field
from pydantic_ai import ModelRetry, Tool, ToolReturn

from mathagent.agents.solve_options import EachOptions
from mathagent.errors import MathagentError, UsageError
from mathagent.interop.tool_reply import DESCRIPTION, NAME, PROBLEM, SolveTool, tool_reply
from mathagent.solver import Solver


def solve_tool(solver: Solver, strategy: str = "auto", **options: Unpack[EachOptions]) -> Tool[Any]:
    """The tool ``solve_math``. ``options`` are those of Solver.solve.

    The model hears a few lines of text; the return's metadata is the Solution. A problem that is wrong in itself is a
    retry, a failure of the solver's own means a text that says so.
    """
    of_agent = SolveTool(solver, strategy, **options)

    async def solve(problem: Annotated[str, Field(description=PROBLEM)]) -> ToolReturn:
        try:
            solution = await of_agent.solve(problem)
        except UsageError as error:
            raise ModelRetry(str(error)) from error
        except MathagentError as error:
            return ToolReturn(return_value=f"The problem could not be solved: {error}")
        return ToolReturn(return_value=tool_reply(solution), metadata=solution)

    return Tool(solve, takes_ctx=False, name=NAME, description=DESCRIPTION)
