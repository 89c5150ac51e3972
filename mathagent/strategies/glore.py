"""glore: judge a draft; if it is doubtful, find its first wrong step and rewrite it whole and from there; judge again.

Paper: "GLoRe: When, Where, and How to Improve LLM Reasoning via Global and Local Refinements" (arXiv 2402.10963), with
prompts in place of its trained models: the judge stands for the outcome reward model, the localiser for the stepwise
one. A draft judged good enough is left alone, since refining right drafts makes them worse. Where the localiser finds
no wrong step there is no local refinement. Of draft, global and local the best judged wins; ties keep the earliest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.reason import (
    REASON_PROMPTS,
    ReasonConfig,
    conclude_reasoning,
    write_reasoning,
)
from mathagent.agents.blocks.refine import REFINE_PROMPTS, continue_from, numbered, rewrite, split_steps
from mathagent.agents.blocks.select import best_score
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import JUDGE, JudgedScore, Role
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import Strategy
from mathagent.errors import BackendError
from mathagent.types import Candidate, Failure, Problem, SamplingParams, Value


class FirstWrongStep(Value):
    """Where a solution goes wrong, as a localiser sees it."""

    step: int | None = Field(default=None, ge=1, description="number of the first wrong step")


LOCALISER = Role("localiser", "glore/locate", SamplingParams(max_tokens=768), FirstWrongStep)
UNJUDGED = 0.5
"""The score of a solution that the judge said nothing readable about."""


class GloreConfig(ReasonConfig):
    """Settings of glore. The paper drafts greedily."""

    n: int = Field(default=3, ge=3, le=3, description="Draft, global and local refinement.")
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="Sampling temperature.")
    gate: float = Field(default=0.9, ge=0, le=1, description="A draft with this score or more is not refined.")


async def judged(
    context: RunContext, problem: Problem, candidate: Candidate, sample: int
) -> tuple[float, str | None]:
    """The judge's score of a candidate, and the limit that ended it. Without an answer it is 0, and nobody is asked."""
    if candidate.answer is None:
        return 0.0, None
    asked = await ask(
        context,
        JUDGE,
        fallback=JudgedScore(score=UNJUDGED),
        sample=sample,
        problem=problem_text(problem),
        solution=candidate.steps[0].text,
    )
    return asked.reply.score, asked.limit


async def located(context: RunContext, problem: Problem, steps: tuple[str, ...]) -> tuple[int | None, str | None]:
    """The number of the first wrong step, None where there is none or none such; and the limit that ended it."""
    asked = await ask(
        context, LOCALISER, fallback=FirstWrongStep(), problem=problem_text(problem), steps=numbered(steps)
    )
    step = asked.reply.step
    return (step if step is not None and step <= len(steps) else None), asked.limit


async def refinements(
    context: RunContext, problem: Problem, config: GloreConfig, solution: str
) -> tuple[tuple[Draft, ...], str | None]:
    """The global refinement of ``solution``, then the local one where a wrong step was found; and the limit."""
    params = SamplingParams(
        temperature=config.sampling_temperature, top_p=config.top_p, max_tokens=config.max_tokens
    )
    steps = split_steps(solution)
    wrong, limit = await located(context, problem, steps)
    if limit is not None:
        return (), limit
    ways = [_attempt(1, rewrite(context, problem, solution, params=params, sample=1))]
    if wrong is not None:
        ways.append(_attempt(2, continue_from(context, problem, steps, wrong, params=params, sample=2)))
    results = await asyncio.gather(*ways)
    drafts = tuple(draft for some, _ in results for draft in some)
    failures = [draft.failure for draft in drafts if draft.failure is not None]
    if failures and len(failures) == len(drafts):
        raise BackendError(failures[0].message)
    return drafts, next((met for _, met in results if met), None)


async def _attempt(
    sample: int, way: Coroutine[Any, Any, tuple[tuple[Draft, ...], str | None]]
) -> tuple[tuple[Draft, ...], str | None]:
    """``way``'s drafts; a failed request is a draft that failed, so that the other way's reply is kept."""
    try:
        return await way
    except BackendError as error:
        failure = Failure(kind="model-error", message=str(error))
        return (Draft(sample=sample, messages=(), failure=failure),), None


def build(config: GloreConfig) -> StateGraph[Any, Any, Any, Any]:
    """draft → judge → (refine → judge) → select."""

    async def draft(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        drafts, limit = await write_reasoning(runtime.context, state.problem, config, n=1)
        candidates, later = await conclude_reasoning(
            runtime.context, state.problem, config, drafts, rescue_truncated=False
        )
        return {"drafts": drafts, "candidates": candidates, "limit": limit or later}

    async def judge(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        first = len(state.scores)
        results = await asyncio.gather(
            *(
                judged(runtime.context, state.problem, candidate, sample)
                for sample, candidate in enumerate(state.candidates[first:], start=first)
            )
        )
        limit = next((met for _, met in results if met), None)
        return {"scores": [score for score, _ in results], "limit": state.limit or limit}

    async def refine(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        solution = state.candidates[0].steps[0].text
        drafts, limit = await refinements(runtime.context, state.problem, config, solution)
        candidates, later = await conclude_reasoning(
            runtime.context, state.problem, config, drafts, rescue_truncated=False
        )
        return {"drafts": drafts, "candidates": candidates, "limit": limit or later}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**best_score(state.candidates, state.scores), "finished": True}

    def after_judge(state: SolveState) -> str:
        good_enough = not state.scores or state.scores[0] >= config.gate
        refined = len(state.candidates) > 1
        return "select" if good_enough or refined or state.limit is not None else "refine"

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("draft", draft)
    graph.add_node("judge", judge)
    graph.add_node("refine", refine)
    graph.add_node("select", select)
    graph.add_edge(START, "draft")
    graph.add_edge("draft", "judge")
    graph.add_conditional_edges("judge", after_judge, ["refine", "select"])
    graph.add_edge("refine", "judge")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="glore",
    summary="Judge a draft, rewrite a doubtful one whole and from its first wrong step, keep the best judged.",
    paper="GLoRe: When, Where, and How to Improve LLM Reasoning via Global and Local Refinements (arXiv 2402.10963)",
    config=GloreConfig,
    build=build,
    prompts=(*REASON_PROMPTS, *REFINE_PROMPTS, *ASK_PROMPTS, JUDGE.prompt, LOCALISER.prompt),
    kind="teams",
    calls=(2, 10),
    needs=(),
    training_free=False,
)
