"""adaptive-prompting: how hard a problem looks decides whether it is solved at once, by steps, or by checked steps.

Paper: "Think Beyond Size: Adaptive Prompting for More Effective Reasoning" (arXiv 2410.08130). It publishes no prompts,
so that the algorithm is our reading. Low: a chain of thought. Medium: a breakdown into steps, which are carried out
together and checked. High: each step is carried out and checked by itself. What a check rejects is written anew, told
what is wrong, at most ``retries`` times; then the problem is broken down once more, told what failed. What no check
accepts still gives an answer, as "unvalidated". With k steps that makes 2 + 2 * (1 + 6k) calls at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.guided_steps import GUIDED_PROMPTS, GuidedConfig, GuidedWork
from mathagent.agents.blocks.reason import REASON_PROMPTS, conclude_reasoning, write_reasoning
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Finding, SolveState
from mathagent.agents.strategy import Strategy
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed
from mathagent.prompts import render
from mathagent.types import Candidate, Failure, Problem, SamplingParams, Step, Value

FINAL_TOKENS = 64
UNVALIDATED_CONFIDENCE = 1 / 3


class Assessment(Value):
    """How hard a problem looks before it is solved."""

    complexity: Literal["low", "medium", "high"] = Field(description="how complex the problem is")
    kind: str = Field(default="", description="its kind, in a few words")
    steps: int = Field(default=3, ge=1, le=12, description="how many steps it will take")


ASSESSOR = Role("assessor", "adaptive_prompting/assess", SamplingParams(max_tokens=256), Assessment)
FORMATTER = Role("formatter", "adaptive_prompting/final", SamplingParams(max_tokens=FINAL_TOKENS))


class AdaptivePromptingConfig(GuidedConfig):
    """Settings of adaptive-prompting. The numbers are ours: the paper gives none."""

    n: int = Field(default=1, ge=1, le=1, description="Always 1: its retries are its samples.")


async def conclude(
    context: RunContext, problem: Problem, results: Sequence[Finding], steps: tuple[Step, ...], limit: str | None
) -> tuple[Candidate, str | None]:
    """The candidate of what was worked out: the formatter's answer, else the one that the last result states."""
    if not results:
        return Candidate(steps=steps, failure=Failure(kind="no-answer", message="no step was worked out")), limit
    found, stage = extract_answer(results[-1].text, problem.choices), 1
    if limit is None:
        messages = render(
            FORMATTER.prompt, problem=problem_text(problem), results=results, has_choices=bool(problem.choices)
        )
        draft, limit = await draw_one(context, messages, FORMATTER.params, role=FORMATTER.name)
        if draft.completion is not None:
            steps = (*steps, Step(kind="thought", text=draft.completion.text))
            formatted = extract_answer(draft.completion.text, problem.choices)
            if formatted is None and (found is None or draft.completion.finish_reason != "length"):
                formatted = extract_from_trigger_reply(draft.completion.text, problem.choices)
            found, stage = (formatted, 2) if formatted is not None else (found, stage)
    if found is None:
        failure = Failure(kind="no-answer", message="what was worked out states no answer")
        return Candidate(steps=steps, failure=failure), limit
    return Candidate(steps=steps, answer=found, extraction_stage=stage), limit


def build(config: AdaptivePromptingConfig) -> StateGraph[Any, Any, Any, Any]:
    """assess → direct, or assess → work → conclude; then select."""

    async def assess(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        asked = await ask(
            runtime.context,
            ASSESSOR,
            fallback=Assessment(complexity="medium"),
            problem=problem_text(state.problem),
        )
        finding = Finding(module="assess", title=asked.reply.complexity, text=asked.reply.model_dump_json())
        return {"findings": ((finding,),), "limit": asked.limit}

    async def direct(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        drafts, limit = await write_reasoning(context, problem, config, n=1)
        candidates, later = await conclude_reasoning(context, problem, config, drafts, rescue_truncated=True)
        return {"candidates": candidates, "limit": limit or later}

    async def work(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        ((assessed,),) = state.findings
        assessment = Assessment.model_validate_json(assessed.text)
        whole = assessment.complexity != "high"
        done = GuidedWork(runtime.context, state.problem, config, count=assessment.steps, whole=whole)
        await done.run()
        if done.unreachable and not done.results:
            raise BackendError(done.doubt)
        checked = Finding(module="validation", text=done.doubt, steps=tuple(done.steps))
        return {"findings": ((assessed, *done.results, checked),), "limit": done.limit}

    async def final(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        ((_, *results, checked),) = state.findings
        context, problem = runtime.context, state.problem
        candidate, limit = await conclude(context, problem, results, checked.steps, state.limit)
        context.emit(CandidateProposed(sample=0, candidate=candidate))
        return {"candidates": [candidate], "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        update = await vote(runtime.context, state.candidates)
        doubt = next((one.text for chain in state.findings for one in chain if one.module == "validation"), "")
        if doubt and update["answer"] is not None:
            update |= {"confidence": round(UNVALIDATED_CONFIDENCE, 4), "confidence_basis": f"unvalidated: {doubt}"}
        return {**update, "finished": True}

    def after_assess(state: SolveState) -> str:
        if state.limit is not None:
            return "select"
        return "direct" if state.findings[0][0].title == "low" else "work"

    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("assess", assess), ("direct", direct), ("work", work)):
        graph.add_node(name, node)
    graph.add_node("conclude", final)
    graph.add_node("select", select)
    graph.add_edge(START, "assess")
    graph.add_conditional_edges("assess", after_assess, ["direct", "work", "select"])
    graph.add_edge("direct", "select")
    graph.add_edge("work", "conclude")
    graph.add_edge("conclude", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="adaptive-prompting",
    summary="Assess how hard the problem is; solve at once, by steps, or by steps that are each checked and corrected.",
    paper="Think Beyond Size: Adaptive Prompting for More Effective Reasoning (arXiv 2410.08130)",
    config=AdaptivePromptingConfig,
    build=build,
    prompts=(
        ASSESSOR.prompt,
        *GUIDED_PROMPTS,
        FORMATTER.prompt,
        *REASON_PROMPTS,
        *ASK_PROMPTS,
    ),
    kind="prompting",
    calls=(2, 148),
    needs=(),
)
