"""dotamath: decompose, one program that prints every sub-result, judge the results, correct.

Paper: "DotaMath: Decomposition of Thought with Code Assistance and Self-correction for Mathematical Reasoning"
(arXiv 2407.04078). The paper fine-tunes 7B models on 574,000 such traces; this is the prompted form. With n > 1 the
answers vote.
"""

from __future__ import annotations

import re
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.code_loop import CodeLoopConfig, Observe, Observed, code_loop
from mathagent.agents.blocks.code_text import without_code
from mathagent.agents.blocks.select import vote
from mathagent.agents.blocks.side_by_side import side_by_side
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.prompts import render
from mathagent.types import Candidate, Problem

_SUBTASK = re.compile(r"^[ \t*#]*(?:subtask[ \t]*)?(\d+)[.:)]", re.IGNORECASE | re.MULTILINE)
_RESULT = re.compile(r"^[ \t]*result of subtask[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)


class DotaMathConfig(CodeLoopConfig):
    """Settings of decomposition with self-correction. ``rounds`` follows from ``corrections``."""

    corrections: int = Field(default=2, ge=0, le=16, description="Programs after the first, at most.")
    output_chars: int = Field(default=1000, ge=80, description="Characters of output that are shown; its ends.")
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a program may run.")

    @property
    def programs(self) -> int:
        return 1 + self.corrections


def observer() -> Observe:
    """Words the outputs of one chain; missing sub-results are asked for once."""
    asked = False

    def observe(observed: Observed) -> str:
        nonlocal asked
        subtasks = len(set(_SUBTASK.findall(without_code(observed.turn.text))))
        printed = len(set(_RESULT.findall(observed.output)))
        missing = observed.execution.ok and printed < subtasks and not asked and not observed.last
        asked = asked or missing
        turns = render(
            "dotamath/outputs",
            output=observed.output,
            missing=missing,
            printed=printed,
            subtasks=subtasks,
            failed=not observed.execution.ok,
            last=observed.last,
        )
        return turns[0].content.strip()

    return observe


async def propose(
    context: RunContext, problem: Problem, config: DotaMathConfig, sample: int
) -> tuple[Candidate, str | None]:
    """One chain: 1 + corrections programs at most, and a last turn for the answer."""
    messages = render("dotamath/solve", problem=problem_text(problem), has_choices=bool(problem.choices))
    bounded = config.model_copy(update={"rounds": config.programs + 1, "turns": "chat", "state": "fresh"})
    return await code_loop(
        context, problem, bounded, messages, sample=sample, observe=observer(), programs=config.programs
    )


def build(config: DotaMathConfig) -> StateGraph[Any, Any, Any, Any]:
    """decompose_and_correct → select."""

    async def decompose_and_correct(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        candidates, limit = await side_by_side(
            context, config.n, lambda sample: propose(context, problem, config, sample)
        )
        return {"candidates": candidates, "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("decompose_and_correct", decompose_and_correct)
    graph.add_node("select", select)
    graph.add_edge(START, "decompose_and_correct")
    graph.add_edge("decompose_and_correct", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="dotamath",
    summary="Decompose, print every sub-result from one program, judge the results, correct what does not fit.",
    paper="DotaMath (arXiv 2407.04078)",
    config=DotaMathConfig,
    build=build,
    prompts=("dotamath/solve", "dotamath/outputs"),
)
