"""``solve_tool``: the solver as a tool of the OpenAI Agents SDK (package openai-agents)."""

from __future__ import annotations

from typing import Annotated, Unpack

from agents import FunctionTool, function_tool
from pydantic import Field

from mathagent.agents.solve_options import EachOptions
from mathagent.errors import MathagentError
from mathagent.interop.tool_reply import DESCRIPTION, NAME, PROBLEM, SolveTool, tool_reply
from mathagent.solver import Solver


def solve_tool(solver: Solver, strategy: str = "auto", **options: Unpack[EachOptions]) -> FunctionTool:
    """The tool ``solve_math``. ``options`` are those of Solver.solve.

    The model hears a few lines of text. A problem that cannot be solved as it is given, and a failure of the solver's
    own means, are a text that says so; any other error ends the run.
    """
    of_agent = SolveTool(solver, strategy, **options)

    async def solve(problem: Annotated[str, Field(description=PROBLEM)]) -> str:
        try:
            return tool_reply(await of_agent.solve(problem))
        except MathagentError as error:
            return f"The problem could not be solved: {error}"

    return function_tool(
        solve,
        name_override=NAME,
        description_override=DESCRIPTION,
        use_docstring_info=False,
        failure_error_function=None,
    )
