"""``solve_tool``: the solver as a tool of LangChain and LangGraph agents (package langchain-core)."""

from __future__ import annotations

from typing import Annotated, Unpack

from langchain_core.tools import StructuredTool, ToolException  # noqa: TID253 - who loads this module has it loaded

from mathagent.agents.solve_options import EachOptions
from mathagent.errors import MathagentError
from mathagent.interop.tool_reply import DESCRIPTION, NAME, PROBLEM, SolveTool, tool_reply
from mathagent.solver import Solver
from mathagent.types import Solution


def solve_tool(solver: Solver, strategy: str = "auto", **options: Unpack[EachOptions]) -> StructuredTool:
    """The tool ``solve_math``, for async and for synchronous agents. ``options`` are those of Solver.solve.

    A call's content is a few lines of text for the model, its artifact the Solution. A problem that cannot be solved
    as it is given, and a failure of the solver's own means, are an error text to the model (status "error").
    """
    of_agent = SolveTool(solver, strategy, **options)

    async def solve(problem: Annotated[str, PROBLEM]) -> tuple[str, Solution]:
        try:
            solution = await of_agent.solve(problem)
        except MathagentError as error:
            raise ToolException(str(error)) from error
        return tool_reply(solution), solution

    def solve_sync(problem: Annotated[str, PROBLEM]) -> tuple[str, Solution]:
        try:
            solution = of_agent.solve_sync(problem)
        except MathagentError as error:
            raise ToolException(str(error)) from error
        return tool_reply(solution), solution

    return StructuredTool.from_function(
        func=solve_sync,
        coroutine=solve,
        name=NAME,
        description=DESCRIPTION,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )
