"""Block solve within: one node of a graph is a whole solve by another strategy, with the same context and budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.events import Event
from mathagent.models.renumbered import Renumbered
from mathagent.types import Problem

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

    from mathagent.agents.graph import ReadyGraph


async def solve_within(
    context: RunContext,
    problem: Problem,
    graph: StateGraph[Any, Any, Any, Any] | ReadyGraph,
    first_sample: int,
    drawn: Mapping[str, int] = MappingProxyType({}),
) -> SolveState:
    """How a solve of ``problem`` by ``graph`` ends; the run is told its samples from number ``first_sample`` on.

    ``drawn`` is what earlier ones have drawn of each request (models/renumbered.py): none is drawn again. That of the
    state that is returned has this one's, too.

    It keeps no checkpoints: a node that was killed begins anew, and the journal answers what it had drawn (so no other
    node may run beside it: the journal tells nodes apart by their task). Whatever ends it early is raised: errors of
    ours, and LangGraph's interrupt where a person is to be asked.
    """
    from langchain_core.runnables.config import var_child_runnable_config
    from langgraph.types import interrupt

    from mathagent.agents.graph import run_graph

    # Not as a subgraph: that would write checkpoints of its own, and what a node inside has paid for would be neither
    # asked nor counted again.
    apart = copy_context()
    apart.run(var_child_runnable_config.set, None)
    backend = Renumbered(context.backend, drawn)
    within = replace(context, backend=backend, emit=numbered_from(first_sample, context.emit))
    solve = run_graph(graph, SolveState(problem=problem), within)
    run = await asyncio.create_task(solve, context=apart)
    if run.error is not None:
        raise run.error
    if run.waiting_for is not None:
        interrupt(run.waiting_for)
    return run.state.model_copy(update={"drawn": backend.drawn})


def numbered_from(first_sample: int, emit: Callable[[Event], None]) -> Callable[[Event], None]:
    """``emit`` for a part of a solve whose sample 0 is number ``first_sample`` of the whole."""

    def forward(event: Event) -> None:
        sample = getattr(event, "sample", None)
        emit(event if sample is None else event.model_copy(update={"sample": sample + first_sample}))

    return forward
