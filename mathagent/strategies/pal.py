"""pal: the model writes a program, the interpreter computes the answer.

Paper: "PAL: Program-aided Language Models" (arXiv 2211.10435). With n > 1 the programs' values vote (equal as
mathematics, so 5, 5.0 and 10/2 are one vote); failing programs are dropped, not repaired.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.blocks.program import PROGRAM_PROMPTS, ProgramConfig, run_programs, write_programs
from mathagent.agents.blocks.recall import RECALL_PROMPTS, RecallingConfig, add_recall, newly_shown, offered
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy


class PalConfig(ProgramConfig, RecallingConfig):
    """Settings of pal."""


def build(config: PalConfig) -> StateGraph[Any, Any, Any, Any]:
    """recall → write_program → run_program → select."""

    async def write_program(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        drafts, limit = await write_programs(
            runtime.context, state.problem, config, n=config.n, recalled=offered(state)
        )
        return {"drafts": drafts, "limit": limit, "recalled": newly_shown(state, drafts, "program")}

    async def run_program(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {"candidates": await run_programs(runtime.context, state.problem, config, state.drafts)}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("write_program", write_program)
    graph.add_node("run_program", run_program)
    graph.add_node("select", select)
    add_recall(graph, config, lambda problem: ("program",), before=["write_program"])
    graph.add_edge("write_program", "run_program")
    graph.add_edge("run_program", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="pal",
    summary="Write a program whose value is the answer.",
    paper="PAL: Program-aided Language Models (arXiv 2211.10435)",
    config=PalConfig,
    build=build,
    prompts=(*PROGRAM_PROMPTS, *RECALL_PROMPTS),
    kind="tools",
    calls=(1, 1),
    needs=("sandbox",),
)
