"""Block reason then extract: the graph of methods that reason once, then ask for the answer, then vote."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState

Node = Callable[[SolveState, Runtime[RunContext]], Awaitable[dict[str, Any]]]


def reason_then_extract(reason: Node, extract: Node) -> StateGraph[Any, Any, Any, Any]:
    """reason → extract → select: ``reason`` leaves drafts, ``extract`` makes them candidates."""

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("reason", reason), ("extract", extract), ("select", select)):
        graph.add_node(name, cast("Any", node))  # the overloads of add_node know no alias of a function
    graph.add_edge(START, "reason")
    graph.add_edge("reason", "extract")
    graph.add_edge("extract", "select")
    graph.add_edge("select", END)
    return graph
