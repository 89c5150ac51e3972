"""nesycd: notes that a teacher wrote on failed problems, shown where the model is not sure of itself.

Paper: "Neural-Symbolic Collaborative Distillation: Advancing Small Language Models for Complex Reasoning Tasks" (arXiv
2409.13203), its knowledge base and retrieval without its training. The first 512 words of the problem find three notes;
the best is shown. A gate asks first whether the model seems sure, since a note of the wrong kind does harm: three
answers without reasoning that agree, or, as in the paper, a mean margin of token probabilities above 68 percent. Where
memory holds nothing fitting, nothing is asked. Notes are written while learning: blocks/teacher_note.py.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS
from mathagent.agents.blocks.certainty import guesses_agree, opening_margin
from mathagent.agents.blocks.reason import REASON_PROMPTS, ReasonConfig, conclude_reasoning, write_reasoning
from mathagent.agents.blocks.recall import RECALL_PROMPTS, find_hits, tell_recalled
from mathagent.agents.blocks.select import vote
from mathagent.agents.blocks.teacher_note import TEACHER
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.memory.base import Query
from mathagent.prompts import render
from mathagent.types import Problem

QUERY_WORDS = 512
RETRIEVED = 3
GUESS_PROMPT = "nesycd/guess"


class NesycdConfig(ReasonConfig):
    """Settings of nesycd."""

    gate: Literal["samples", "logprobs", "none"] = Field(
        default="samples", description="What tells that no note is needed; none: notes are always shown."
    )
    margin: float = Field(
        default=68.0, ge=0, le=100, description="Mean margin in percent above which gate=logprobs shows no note."
    )
    notes: int = Field(default=1, ge=1, le=RETRIEVED, description="Notes shown at most.")


def query_of(problem: Problem) -> str:
    """The words by which notes are looked for: the first 512 of the problem. Pure."""
    return " ".join(problem_text(problem).split()[:QUERY_WORDS])


async def is_sure(context: RunContext, problem: Problem, config: NesycdConfig) -> tuple[bool, str | None]:
    """Whether the model seems sure without a note, and the limit that ended the asking."""
    shown = {"problem": problem_text(problem), "has_choices": bool(problem.choices)}
    if config.gate == "samples":
        return await guesses_agree(context, problem, render(GUESS_PROMPT, **shown))
    margin, limit = await opening_margin(context, render("cot/reason", trigger=config.trigger, **shown))
    return margin is not None and margin > config.margin, limit


def build(config: NesycdConfig) -> StateGraph[Any, Any, Any, Any]:
    """recall → gate → solve → select; without a note no gate."""

    async def recall(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        query = Query(text=query_of(state.problem), kinds=("lesson", "fact"), limit=RETRIEVED)
        hits = await find_hits(runtime.context, query)
        fitting = [hit for hit in hits if hit.alike]
        return {"found": tuple(fitting)}

    async def gate(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        sure, limit = await is_sure(runtime.context, state.problem, config)
        return {"agreed": sure, "limit": limit}

    async def solve(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        best = () if state.agreed else state.found[: config.notes]
        shown = tell_recalled(context, best) if context.memory is not None else []
        drafts, limit = await write_reasoning(context, problem, config, n=config.n, recalled=shown)
        candidates, later = await conclude_reasoning(
            context, problem, config, drafts, rescue_truncated=config.n == 1
        )
        return {"recalled": shown, "drafts": drafts, "candidates": candidates, "limit": limit or later}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    def after_recall(state: SolveState) -> str:
        return "gate" if state.found and config.gate != "none" else "solve"

    def after_gate(state: SolveState) -> str:
        return "select" if state.limit is not None else "solve"

    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("recall", recall), ("gate", gate), ("solve", solve), ("select", select)):
        graph.add_node(name, node)
    graph.add_edge(START, "recall")
    graph.add_conditional_edges("recall", after_recall, ["gate", "solve"])
    graph.add_conditional_edges("gate", after_gate, ["solve", "select"])
    graph.add_edge("solve", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="nesycd",
    summary="Reason with a teacher's note on similar problems where the model is not sure of itself.",
    paper="Neural-Symbolic Collaborative Distillation (arXiv 2409.13203)",
    config=NesycdConfig,
    build=build,
    prompts=(*REASON_PROMPTS, *RECALL_PROMPTS, GUESS_PROMPT, TEACHER.prompt, *ASK_PROMPTS),
    kind="memory",
    calls=(1, 5),
    needs=("memory",),
    training_free=False,
)
