"""Block agree or escalate: two cheap, different views of a problem; where they agree that is enough, else spend more.

Sources: JointThinking (arXiv 2508.03363), SIFT (arXiv 2502.14922); here the views are any two nodes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.types import Candidate

Node = Callable[[SolveState, Runtime[RunContext]], Awaitable[dict[str, Any]]]


def agree_or_escalate(
    graph: StateGraph[Any, Any, Any, Any],
    views: Mapping[str, Node],
    *,
    agreed: str,
    escalate: str | Sequence[str],
    ended: str | None = None,
) -> None:
    """Adds the nodes ``views`` (to be run side by side) and "compare" to ``graph``; the caller leads to them.

    "compare" sets ``agreed`` in the state, of the latest candidates, one a view, and goes on to the node ``agreed`` or
    to ``escalate``: of several nodes the one of number ``rounds``, at most the last, so that views can be taken again.
    Once a budget has ended it goes on to ``ended`` instead, where that is given. The candidates of views side by side
    lie in the state in the alphabetical order of the views' names.
    """
    further = (escalate,) if isinstance(escalate, str) else tuple(escalate)

    async def compare(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {"agreed": await all_agree(runtime.context, state.candidates[-len(views) :])}

    def after_compare(state: SolveState) -> str:
        if state.agreed:
            return agreed
        if ended is not None and state.limit is not None:
            return ended
        return further[min(state.rounds, len(further) - 1)]

    for name, view in views.items():
        graph.add_node(name, cast("Any", view))  # the overloads of add_node know no alias of a function
    graph.add_node("compare", compare)
    graph.add_edge(list(views), "compare")
    targets = dict.fromkeys((agreed, *further, *(() if ended is None else (ended,))))
    graph.add_conditional_edges("compare", after_compare, list(targets))


async def all_agree(context: RunContext, candidates: Sequence[Candidate]) -> bool:
    """A missing answer agrees with nothing; one candidate alone does not agree."""
    answers = [candidate.answer for candidate in candidates]
    if len(answers) < 2 or any(answer is None for answer in answers):
        return False
    return len(await context.comparer.equivalence_classes(answers)) == 1
