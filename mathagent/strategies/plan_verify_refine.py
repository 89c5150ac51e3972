"""plan-verify-refine: a planner plans, a coder writes the program, a verifier checks the answer, a refiner repairs.

Our own composition of published parts: planning before solving as in "Plan-and-Solve Prompting" (arXiv 2305.04091),
programs as in PAL (arXiv 2211.10435), repair from feedback as in "Self-Refine" (arXiv 2303.17651). The feedback is not
the model's opinion but executed checks: the loop ends when a strong check holds and none fails, when nothing speaks
against the answer, or with the budget.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.check import CHECK_PROMPTS
from mathagent.agents.blocks.program import ProgramConfig, run_programs, write_programs
from mathagent.agents.blocks.repair import REPAIR_PROMPT, repair_program
from mathagent.agents.blocks.verify import choose_verified, verify
from mathagent.agents.context import RunContext
from mathagent.agents.human import review_plan
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import CODER, PLANNER, Plan
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.errors import BackendError
from mathagent.events import PlanMade, Warned
from mathagent.prompts import render


class PlanVerifyRefineConfig(ProgramConfig):
    """Settings of planning, checking and repairing."""

    answer_from: Literal["solution"] = Field(
        default="solution", description="The answer is what solution() returns."
    )
    plan: bool = Field(default=True, description="Whether a planner plans first.")
    rounds: int = Field(default=2, ge=0, le=16, description="Repairs at most.")


async def make_plan(context: RunContext, state: SolveState) -> tuple[str, str | None]:
    """The plan as numbered lines, as a person may have left it; empty where there is none; and the limit met."""
    unplanned = Plan(steps=("Solve the problem.",), needs_program=True)
    try:
        asked = await ask(context, PLANNER, fallback=unplanned, problem=problem_text(state.problem))
    except BackendError as error:
        context.emit(Warned(message=f"there is no plan: {error}"))
        return "", None
    steps = () if asked.fell_back else asked.reply.steps
    plan = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    plan = await review_plan(context, plan) if plan else ""
    if plan:
        context.emit(PlanMade(text=plan))
    return plan, asked.limit


def doubtful(state: SolveState) -> bool:
    """Whether the latest candidate needs repair: it has no answer, or a check fails and no strong one holds."""
    latest = len(state.candidates) - 1
    verdict = state.verdicts.get(latest)
    return state.candidates[latest].answer is None or (verdict is not None and verdict.judgement == "incorrect")


def stuck(state: SolveState) -> bool:
    """Whether the last repair changed nothing: one more would give the same again."""
    programs = [
        next((step.text for step in reversed(candidate.steps) if step.kind == "code"), "")
        for candidate in state.candidates[-2:]
    ]
    return state.rounds > 0 and len(set(programs)) == 1


def build(config: PlanVerifyRefineConfig) -> StateGraph[Any, Any, Any, Any]:
    """plan → code → verify ⇄ refine → select."""

    async def plan(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        text, limit = await make_plan(runtime.context, state)
        return {"plan": text, "limit": limit}

    async def code(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        messages = render(
            CODER.prompt, problem=problem_text(problem), plan=state.plan, has_choices=bool(problem.choices)
        )
        drafts, limit = await write_programs(context, problem, config, n=config.n, messages=messages)
        return {"candidates": await run_programs(context, problem, config, drafts), "limit": limit}

    async def check(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        fresh = [index for index in range(len(state.candidates)) if index not in state.verdicts]
        return await verify(runtime.context, state, fresh)

    async def refine(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, number = runtime.context, len(state.candidates)
        latest, verdict = state.candidates[-1], state.verdicts.get(number - 1)
        candidate, limit = await repair_program(
            context, state.problem, config, latest, verdict.checks if verdict else (), sample=number
        )
        return {"candidates": [candidate], "limit": limit, "rounds": state.rounds + 1}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await choose_verified(runtime.context, state.candidates, state.verdicts), "finished": True}

    def after_check(state: SolveState) -> str:
        ended = state.limit is not None or state.rounds >= config.rounds or not state.candidates
        return "select" if ended or not doubtful(state) or stuck(state) else "refine"

    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("plan", plan), ("code", code), ("verify", check), ("refine", refine), ("select", select)):
        graph.add_node(name, node)
    graph.add_edge(START, "plan" if config.plan else "code")
    graph.add_edge("plan", "code")
    graph.add_edge("code", "verify")
    graph.add_conditional_edges("verify", after_check, ["refine", "select"])
    graph.add_edge("refine", "verify")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="plan-verify-refine",
    summary="Plan, write a program, check its answer by executed checks, repair it until nothing speaks against it.",
    paper="Plan-and-Solve (arXiv 2305.04091), PAL (arXiv 2211.10435), Self-Refine (arXiv 2303.17651)",
    config=PlanVerifyRefineConfig,
    build=build,
    prompts=(PLANNER.prompt, CODER.prompt, "pal/solution_prefill", REPAIR_PROMPT, *CHECK_PROMPTS, *ASK_PROMPTS),
    kind="teams",
    calls=(3, 5),
    needs=("sandbox",),
)
