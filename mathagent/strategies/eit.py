"""eit: a short solution, a plan of simpler objectives, then the solution with every step filled in.

Paper: "System-2 Mathematical Reasoning via Enriched Instruction Tuning" (arXiv 2412.16964). It enriches the solutions
of a data set for fine-tuning: with a reasoning plan (ERP), then with the reasoning steps that authors leave out (ERS).
Here the same two are done while solving; in the place of the author's solution stands a short one of the model's own,
or none (``draft=false``). Its gains come from training on the result: this is its way of writing, not its model.
With n > 1 the enriched solutions vote.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import StateGraph
from pydantic import Field

from mathagent.agents.blocks.reason import stated_candidate
from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.blocks.side_by_side import propose_then_vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Draft
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.prompts import render
from mathagent.types import Candidate, Failure, Problem, SamplingParams, Step

DRAFTER = Role("drafter", "eit/draft", SamplingParams(max_tokens=512))
PLANNER = Role("planner", "eit/plan", SamplingParams(max_tokens=512))
ENRICHER = Role("enricher", "eit/enrich", SamplingParams(max_tokens=2048))


class EitConfig(StrategyConfig):
    """Settings of eit."""

    max_tokens: int = Field(default=2048, ge=1, description="Completion tokens of the enriched solution.")
    plan_tokens: int = Field(default=512, ge=1, description="Completion tokens of the draft, and of the plan.")
    draft: bool = Field(default=True, description="Whether a short solution is written first.")


async def enriched(
    context: RunContext, problem: Problem, config: EitConfig, sample: int
) -> tuple[Candidate, str | None]:
    """The candidate of one chain, and the limit that ended it. Where enriching came to no answer the draft's
    stands."""
    told: dict[str, Any] = {"problem": problem_text(problem)}
    asked = {"has_choices": bool(problem.choices)}
    limit: str | None = None
    start = Candidate(failure=Failure(kind="no-answer", message="the budget ended before a solution was written"))
    if config.draft:
        draft, limit = await write(context, DRAFTER, config, sample, told | asked)
        start = stated_candidate(draft, problem.choices)
        if draft.completion is None:
            return start, limit
    told |= {"solution": start.steps[0].text if start.steps else ""}
    steps, plan = start.steps, ""
    if limit is None:
        planned, limit = await write(context, PLANNER, config, sample, told)
        if planned.completion is not None:
            plan = planned.completion.text.strip()
            steps = (*steps, Step(kind="thought", text=plan))
        elif not config.draft:
            return Candidate(failure=planned.failure), limit
    if limit is None:
        written, limit = await write(context, ENRICHER, config, sample, told | asked | {"plan": plan})
        if written.completion is not None:
            last = stated_candidate(written, problem.choices)
            steps = (*steps, *last.steps)
            if last.answer is not None or start.answer is None:
                return last.model_copy(update={"steps": steps}), limit
        elif not config.draft:
            return Candidate(steps=steps, failure=written.failure), limit
    return start.model_copy(update={"steps": steps}), limit


async def write(
    context: RunContext, role: Role, config: EitConfig, sample: int, slots: dict[str, Any]
) -> tuple[Draft, str | None]:
    """One text of ``role``, or why there is none, and the limit that ended it."""
    params = SamplingParams(
        temperature=config.sampling_temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens if role is ENRICHER else config.plan_tokens,
    )
    return await draw_one(context, render(role.prompt, **slots), params, role=role.name, sample=sample)


def build(config: EitConfig) -> StateGraph[Any, Any, Any, Any]:
    """enrich (draft, plan, steps) → select."""

    async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
        return await enriched(context, problem, config, sample)

    return propose_then_vote("enrich", config.n, propose)


STRATEGY = Strategy(
    name="eit",
    summary="Write a short solution, plan objectives, then write the solution with every step filled in.",
    paper="System-2 Mathematical Reasoning via Enriched Instruction Tuning (arXiv 2412.16964)",
    config=EitConfig,
    build=build,
    prompts=(DRAFTER.prompt, PLANNER.prompt, ENRICHER.prompt),
    kind="prompting",
    calls=(3, 3),
    needs=(),
    training_free=False,
)
