"""Running a strategy's graph: LangGraph is the only runtime."""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph

from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.errors import MathagentError

RECURSION_LIMIT = 1000  # steps; budgets and sample counts end every graph of ours long before


async def run_graph(
    graph: StateGraph[Any, Any, Any, Any], start: SolveState, context: RunContext
) -> tuple[SolveState, MathagentError | None]:
    """Runs ``graph`` to its end; returns the last good state, and the error that ended the run early, if one did.

    Streams state values, since a run that raises gives back nothing else. Only errors of ours are returned:
    a programming error raises.
    """
    last: dict[str, Any] | None = None
    error: MathagentError | None = None
    try:
        async for values in graph.compile().astream(
            start, {"recursion_limit": RECURSION_LIMIT}, context=context, stream_mode="values"
        ):
            last = values
    except MathagentError as failure:
        error = failure
    # Nodes are not validated on output by LangGraph: do it once, here.
    return start if last is None else SolveState.model_validate(last), error
