"""factor-hint: reason in words, shown the prime factors of the problem's numbers.

A strategy of this example's own, after "Toolformer" (arXiv 2302.04761): what a tool computes stands in the prompt. Its
graph: look_up (the tool) → reason (one prompt, n samples) → select (a vote of equal answers).
"""

from __future__ import annotations

import re
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.reason import ChainConfig, conclude_reasoning
from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.prompts import render
from mathagent_factors.tool import LARGEST, NAME

PROMPT = "mathagent_factors.prompts:reason"


class FactorHintConfig(ChainConfig):
    """Settings of factor-hint."""

    most_numbers: int = Field(default=4, ge=0, le=20, description="Numbers that are factorised at most.")


def numbers_in(text: str, most: int) -> list[int]:
    """The first ``most`` different whole numbers of ``text`` that have factors to speak of."""
    found = (int(digits.replace(",", "")) for digits in re.findall(r"\d[\d,]*", text) if len(digits) < 40)
    return list(dict.fromkeys(number for number in found if 4 <= number <= LARGEST))[:most]


def build(config: FactorHintConfig) -> StateGraph[Any, Any, Any, Any]:
    """look_up → reason → select."""

    async def look_up(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        tool = runtime.context.tools[NAME]
        known = [
            (number, (await tool.call({"number": number})).text)
            for number in numbers_in(state.problem.text, config.most_numbers)
        ]
        return {"plan": "\n".join(f"{number} = {product}" for number, product in known)}

    async def reason(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        factors = [line.split(" = ", 1) for line in state.plan.splitlines()]
        messages = render(PROMPT, problem=problem_text(state.problem), factors=factors)
        params = config.params.model_copy(update={"n": config.n})
        drafts, limit = await draw(runtime.context, messages, params, role="reasoner")
        return {"drafts": drafts, "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, limit = await conclude_reasoning(
            runtime.context, state.problem, config, state.drafts, rescue_truncated=config.n == 1
        )
        chosen = await vote(runtime.context, candidates)
        return {"candidates": candidates, "limit": state.limit or limit, **chosen, "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("look_up", look_up)
    graph.add_node("reason", reason)
    graph.add_node("select", select)
    graph.add_edge(START, "look_up")
    graph.add_edge("look_up", "reason")
    graph.add_edge("reason", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="factor-hint",
    summary="Reason in words, shown the prime factors of the problem's numbers.",
    paper="after Toolformer (arXiv 2302.04761)",
    config=FactorHintConfig,
    build=build,
    prompts=(PROMPT, "cot/extract", "cot/extract_prefill"),
    kind="tools",
    calls=(1, 2),
    needs=("sandbox",),
)
