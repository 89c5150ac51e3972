"""Block agree or escalate: two cheap, different views of a problem; where they agree that is enough, else spend more.

Sources: JointThinking (arXiv 2508.03363), SIFT (arXiv 2502.14922); here the views are any two nodes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.types import Candidate

Node = Callable[[SolveState, Runtime[RunContext]], Awaitable[dict[str, Any]]]


def agree_or_escalate(
    graph: StateGraph[Any, Any, Any, Any], views: dict[str, Node], *, agreed: str, escalate: str
) -> None:
    """Adds the nodes ``views`` (two, run side by side from the start) and "compare" to ``graph``.

    "compare" sets ``agreed`` in the state and goes on to the node ``agreed`` or to the node ``escalate``.
    """
    for name, view in views.items():
        graph.add_node(name, cast("Any", view))  # the overloads of add_node know no alias of a function
        graph.add_edge(START, name)
    graph.add_node("compare", compare)
    graph.add_edge(list(views), "compare")
    graph.add_conditional_edges("compare", lambda state: agreed if state.agreed else escalate, [agreed, escalate])


async def compare(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
    """Whether the candidates so far, two at least, all have the same answer."""
    return {"agreed": await all_agree(runtime.context, state.candidates)}


async def all_agree(context: RunContext, candidates: list[Candidate]) -> bool:
    """A missing answer agrees with nothing; one candidate alone does not agree."""
    answers = [candidate.answer for candidate in candidates]
    if len(answers) < 2 or any(answer is None for answer in answers):
        return False
    return len(await context.comparer.equivalence_classes(answers)) == 1
