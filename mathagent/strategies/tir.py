"""tir: tool-integrated reasoning, words and programs by turns until the answer is stated.

Papers: "ToRA: A Tool-Integrated Reasoning Agent for Mathematical Problem Solving" (arXiv 2309.17452), "MARIO: MAth
Reasoning with code Interpreter Output" (arXiv 2401.08190), "Qwen2.5-Math Technical Report" (arXiv 2409.12122).
``like=tora``, ``like=mario`` and ``like=qwen2.5-math`` set their loops; each setting may still be given. With n > 1 the
answers vote. MARIO's value model is trained and left out; its replay of earlier snippets is a live session here.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, model_validator

from mathagent.agents.blocks.code_loop import OBSERVATION_PROMPT, CodeLoopConfig, code_loop
from mathagent.agents.blocks.select import vote
from mathagent.agents.blocks.side_by_side import side_by_side
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.prompts import render
from mathagent.types import Candidate, Problem

Published = Literal["tora", "mario", "qwen2.5-math"]

_TORA = {
    "rounds": 4,
    "state": "fresh",
    "both": "finish",
    "mark": "boxed",
    "unfinished": "none",
    "output_chars": 400,
}
LOOPS: dict[str, dict[str, Any]] = {
    "tora": _TORA,
    "qwen2.5-math": _TORA,
    "mario": {
        "rounds": 8,
        "state": "live",
        "both": "error",
        "mark": "final-answer",
        "unfinished": "none",
        "output_style": "label",
        "max_tokens": 2048,
        "timeout_s": 30.0,
    },
}
"""The published loops as settings. Qwen2.5-Math's is ToRA's with a prompt of its own."""
PROMPTS = {None: "tir/solve", "tora": "tir/tora", "mario": "tir/mario", "qwen2.5-math": "tir/qwen"}


class TirConfig(CodeLoopConfig):
    """Settings of tool-integrated reasoning."""

    like: Published | None = Field(
        default=None, description="Whose loop and prompt: what else is set goes over it."
    )

    @model_validator(mode="before")
    @classmethod
    def _as_published(cls, given: Any) -> Any:
        return LOOPS.get(str(given.get("like")), {}) | given if isinstance(given, dict) else given


async def propose(
    context: RunContext, problem: Problem, config: TirConfig, *, n: int, first_sample: int = 0
) -> tuple[list[Candidate], str | None]:
    """n candidates side by side, numbered from ``first_sample``, and the limit that ended one of them."""
    prompt = PROMPTS[config.like]
    messages = render(prompt, problem=problem_text(problem), has_choices=bool(problem.choices))

    return await side_by_side(
        context,
        n,
        lambda sample: code_loop(context, problem, config, messages, sample=sample),
        first_sample=first_sample,
    )


def build(config: TirConfig) -> StateGraph[Any, Any, Any, Any]:
    """solve_by_turns → select."""

    async def solve_by_turns(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, limit = await propose(runtime.context, state.problem, config, n=config.n)
        return {"candidates": candidates, "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("solve_by_turns", solve_by_turns)
    graph.add_node("select", select)
    graph.add_edge(START, "solve_by_turns")
    graph.add_edge("solve_by_turns", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="tir",
    summary="Reason in words and programs by turns; each program's output goes back to the model.",
    paper="ToRA (arXiv 2309.17452), MARIO (arXiv 2401.08190), Qwen2.5-Math (arXiv 2409.12122)",
    config=TirConfig,
    build=build,
    prompts=(*PROMPTS.values(), OBSERVATION_PROMPT),
)
