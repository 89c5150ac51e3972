"""cot: zero-shot chain of thought with two-stage extraction.

Paper: "Large Language Models are Zero-Shot Reasoners" (arXiv 2205.11916). The model reasons in words; where the reply
holds no answer in a stated form, a second short question asks for the answer alone. With n > 1 the chains vote.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.blocks.reason import REASON_PROMPTS, ReasonConfig, conclude_reasoning, write_reasoning
from mathagent.agents.blocks.recall import RECALL_PROMPTS, RecallingConfig, add_recall, newly_shown, offered
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy


class CotConfig(ReasonConfig, RecallingConfig):
    """Settings of cot."""


def build(config: CotConfig) -> StateGraph[Any, Any, Any, Any]:
    """recall → reason → extract."""

    async def reason(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        drafts, limit = await write_reasoning(
            runtime.context, state.problem, config, n=config.n, recalled=offered(state)
        )
        return {"drafts": drafts, "limit": limit, "recalled": newly_shown(state, drafts, "reasoning")}

    async def extract(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, limit = await conclude_reasoning(
            runtime.context, state.problem, config, state.drafts, rescue_truncated=config.n == 1
        )
        chosen = await vote(runtime.context, candidates)  # no node of its own: one costs more than the vote
        return {"candidates": candidates, "limit": state.limit or limit, **chosen, "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("reason", reason)
    graph.add_node("extract", extract)
    add_recall(graph, config, lambda problem: ("reasoning",), before=["reason"])
    graph.add_edge("reason", "extract")
    graph.add_edge("extract", END)
    return graph


STRATEGY = Strategy(
    name="cot",
    summary="Reason step by step in words, then extract the answer.",
    paper="Large Language Models are Zero-Shot Reasoners (arXiv 2205.11916)",
    config=CotConfig,
    build=build,
    prompts=(*REASON_PROMPTS, *RECALL_PROMPTS),
    kind="prompting",
    calls=(1, 2),
    needs=(),
)
