"""Block side by side: several candidates at once, each told to the world when it is there; then they vote."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed
from mathagent.types import Candidate, Problem

Propose = Callable[[RunContext, Problem, int], Awaitable[tuple[Candidate, str | None]]]
"""Makes the candidate of one sample (its number is last), and says which limit of the budget ended it, if one did."""


async def side_by_side(
    context: RunContext, problem: Problem, n: int, propose: Propose, *, first_sample: int = 0
) -> tuple[list[Candidate], str | None]:
    """The candidates that ``propose`` makes of n samples from ``first_sample`` on, in order, and the limit that ended
    one of them.

    Raises BackendError where each of them failed because the model could not be reached.
    """

    async def one(sample: int) -> tuple[Candidate, str | None]:
        candidate, limit = await propose(context, problem, sample)
        context.emit(CandidateProposed(sample=sample, candidate=candidate))
        return candidate, limit

    results = await asyncio.gather(*(one(first_sample + index) for index in range(n)))
    failures = [candidate.failure for candidate, _ in results]
    if failures[0] is not None and all(one is not None and one.kind == "model-error" for one in failures):
        raise BackendError(failures[0].message)
    return [candidate for candidate, _ in results], next((limit for _, limit in results if limit), None)


def propose_then_vote(node: str, n: int, propose: Propose) -> StateGraph[Any, Any, Any, Any]:
    """The graph of a method whose samples know nothing of each other: ``node`` (n samples side by side) → select."""

    async def sample(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, limit = await side_by_side(runtime.context, state.problem, n, propose)
        return {"candidates": candidates, "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node(node, sample)
    graph.add_node("select", select)
    graph.add_edge(START, node)
    graph.add_edge(node, "select")
    graph.add_edge("select", END)
    return graph
