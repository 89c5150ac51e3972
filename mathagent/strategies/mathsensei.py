"""mathsensei: modules gather what helps, each adding to one growing context; the last writes the solution.

Paper: "MATHSENSEI: A Tool-Augmented Large Language Model for Mathematical Reasoning" (arXiv 2402.17231). Modules:
knowledge (KR), web (BS), wolfram (WA), python (PG, with a code fixer) and, always last, solution (SG). ``modules`` is
one of the published orders (the default is the one that did best on MATH), ``planner`` (Plan-and-Solve: one call
chooses), ``react`` (thought and action by turns), or a list. A module whose tool is not set up or fails adds nothing.

The prompts are ours, with 1 to 3 examples in place of the paper's 16: small models on a CPU read 70 tokens a second.
Where the card leaves room: of the two web searches one is by the model's query and one by the question; a planner that
cannot be read gives python, wolfram, solution; a solution that the budget forbids is replaced by the last program's
output. With n > 1 the answers vote.
"""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, field_validator

from mathagent.agents.ask import ASK_PROMPTS
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.human import review_plan
from mathagent.agents.modules.knowledge import KNOWLEDGE, knowledge
from mathagent.agents.modules.pipeline import (
    Module,
    Pipeline,
    PipelineConfig,
    add_findings,
    available,
    pipelines,
    warn_of_absent_tools,
)
from mathagent.agents.modules.planner import LAST, PLANNER, known_modules, plan_modules
from mathagent.agents.modules.program import PYTHON_PROMPTS, python
from mathagent.agents.modules.react import THINKER, act, finished_answer, is_finished, think
from mathagent.agents.modules.solution import SOLVER, concluded, without_solution, write_solution
from mathagent.agents.modules.web import WEB_PROMPTS, web
from mathagent.agents.modules.wolfram import WOLFRAM_PROMPTS, wolfram
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed, PlanMade
from mathagent.types import Candidate

MODULES: dict[str, Module] = {"knowledge": knowledge, "web": web, "wolfram": wolfram, "python": python}
TASKS = {
    "knowledge": "recalls facts and formulas that the question needs",
    "web": "searches the web for formulas and similar questions",
    "wolfram": "has Wolfram Alpha solve an equation, simplify, integrate, maximise, …",
    "python": "writes and runs a SymPy program",
    LAST: "writes the solution with the final answer",
}
SHORT = {"kr": "knowledge", "bing": "web", "walpha": "wolfram", "pg": "python", "sg": LAST}
"""The paper's names of the modules, of which the names of the published orders are made."""
ORDERS = (
    *("sg", "pg_sg", "walpha_sg", "bing_sg", "kr_sg", "kr_pg_sg", "kr_walpha_sg", "pg_walpha_sg", "walpha_pg_sg"),
    *("bing_pg_sg", "pg_bing_sg", "bing_walpha_sg", "walpha_bing_sg", "bing_pg_walpha_sg"),
)
CHOOSERS = ("planner", "react")


class MathSenseiConfig(PipelineConfig):
    """Settings of mathsensei. Each module's temperature and tokens are the paper's."""

    modules: str | tuple[str, ...] = Field(
        default="pg_walpha_sg",
        description=f"Which modules, in which order: {', '.join((*ORDERS, *CHOOSERS))}, or a list of modules.",
    )
    react_steps: int = Field(default=5, ge=1, le=32, description="Thoughts of react at most.")

    @field_validator("modules")
    @classmethod
    def _known(cls, modules: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(modules, str):
            if modules not in (*ORDERS, *CHOOSERS):
                known = ", ".join((*ORDERS, *CHOOSERS))
                raise ValueError(f'it is one of {known}, or a list of modules such as ["kr", "pg", "sg"]')
            return modules
        order = tuple(SHORT.get(name, name) for name in modules)
        unknown = [name for name in order if name not in TASKS]
        if unknown:
            raise ValueError(f"there is no module {unknown[0]!r}; the modules are {', '.join(TASKS)}")
        if not order or order[-1] != LAST or len(set(order)) < len(order):
            raise ValueError(f"each module may come once, and {LAST} is the last")
        return order

    @property
    def order(self) -> tuple[str, ...]:
        """The modules in their order; empty where it is chosen while solving."""
        if not isinstance(self.modules, str):
            return self.modules
        return () if self.modules in CHOOSERS else tuple(SHORT[name] for name in self.modules.split("_"))


def module_node(config: MathSenseiConfig, name: str) -> Any:
    """The node of module ``name``."""

    async def node(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        if not state.candidates:
            warn_of_absent_tools(runtime.context, [name])
        return await add_findings(config, state, runtime.context, MODULES[name])

    return node


async def conclude(pipeline: Pipeline, state: SolveState) -> tuple[Candidate, str | None]:
    """The candidate of a chain: what it has finished with, else what its solution states."""
    answer = finished_answer(pipeline.findings, state.problem.choices)
    if answer is not None:
        return await concluded(pipeline, answer, stage=1), None
    if state.limit is not None:
        return await without_solution(pipeline, None), None
    return await write_solution(pipeline)


def build(config: MathSenseiConfig) -> StateGraph[Any, Any, Any, Any]:
    """The modules in their order, or plan → modules, or think ⇄ act; then solution → select."""

    async def solution(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        results = await asyncio.gather(*(conclude(one, state) for one in pipelines(config, state, context)))
        candidates = [candidate for candidate, _ in results]
        for sample, candidate in enumerate(candidates, start=len(state.candidates)):
            context.emit(CandidateProposed(sample=sample, candidate=candidate))
        raise_if_unreachable(candidates)
        limit = next((limit for _, limit in results if limit), None)
        return {"candidates": candidates, "findings": (), "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node(LAST, solution)
    graph.add_node("select", select)
    if config.modules == "react":
        first = add_react(graph, config)
    elif config.modules == "planner":
        first = add_planner(graph, config)
    else:
        first = add_order(graph, config)

    def after_solution(state: SolveState) -> str:
        return "select" if len(state.candidates) >= config.n or state.limit is not None else first

    graph.add_conditional_edges(LAST, after_solution, list(dict.fromkeys(["select", first])))
    graph.add_edge("select", END)
    return graph


def add_order(graph: StateGraph[Any, Any, Any, Any], config: MathSenseiConfig) -> str:
    """Adds the modules one behind the other, and returns the first."""
    for name, following in zip(config.order, config.order[1:], strict=False):
        graph.add_node(name, module_node(config, name))
        graph.add_edge(name, following)
    graph.add_edge(START, config.order[0])
    return config.order[0]


def add_planner(graph: StateGraph[Any, Any, Any, Any], config: MathSenseiConfig) -> str:
    """Adds a planner and all modules, each of which goes back to it; returns the planner's name.

    It plans once: a further chain would have the same plan, which is made at temperature 0.
    """

    async def plan(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        if state.plan:
            return {}
        offered = available(TASKS, context)
        warn_of_absent_tools(context, TASKS)
        default = ("python", "wolfram", LAST)
        names, limit = await plan_modules(context, state.problem, offered, default, config.about)
        reviewed = await review_plan(context, "\n".join(names))
        names = known_modules(reviewed.splitlines(), offered)
        context.emit(PlanMade(text="\n".join(names)))
        return {"plan": "\n".join(names), "limit": limit}

    def following(state: SolveState) -> str:
        place = len(state.findings[0]) if state.findings else 0
        return LAST if state.limit is not None else state.plan.splitlines()[place]

    graph.add_node("plan", plan)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", following, [*MODULES, LAST])
    for name in MODULES:
        graph.add_node(name, module_node(config, name))
        graph.add_edge(name, "plan")
    return "plan"


def add_react(graph: StateGraph[Any, Any, Any, Any], config: MathSenseiConfig) -> str:
    """Adds thought and action by turns, and returns the name of the first node."""

    async def think_next(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        if not state.candidates and not state.findings:
            warn_of_absent_tools(context, TASKS)
        under_way = pipelines(config, state, context)
        open_ones = [one for one in under_way if not is_finished(one.findings)]
        thought = await asyncio.gather(*(think(one, config.react_steps) for one in open_ones))
        return {
            "findings": tuple(one.findings for one in under_way),
            "drafts": tuple(draft for draft, _ in thought),
            "limit": next((limit for _, limit in thought if limit), None),
        }

    async def act_on_it(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        drafts = {draft.sample: draft for draft in state.drafts}
        under_way = pipelines(config, state, runtime.context)
        acting = [one for one in under_way if one.sample in drafts]
        found = await asyncio.gather(*(act(one, drafts[one.sample]) for one in acting))
        new = {one.sample: finding for one, (finding, _) in zip(acting, found, strict=True)}
        grown = tuple((*one.findings, new[one.sample]) if one.sample in new else one.findings for one in under_way)
        return {"findings": grown, "limit": next((limit for _, limit in found if limit), None)}

    def after_act(state: SolveState) -> str:
        unfinished = [one for one in state.findings if not is_finished(one) and len(one) < config.react_steps]
        return "think" if unfinished and state.limit is None else LAST

    graph.add_node("think", think_next)
    graph.add_node("act", act_on_it)
    graph.add_edge(START, "think")
    graph.add_edge("think", "act")
    graph.add_conditional_edges("act", after_act, ["think", LAST])
    return "think"


def raise_if_unreachable(candidates: list[Candidate]) -> None:
    """Raises BackendError where a failed request ended every chain; the candidates are proposed before."""
    errors = [one.failure for one in candidates if one.failure is not None and one.failure.kind == "model-error"]
    if candidates and len(errors) == len(candidates):
        raise BackendError(errors[0].message)


STRATEGY = Strategy(
    name="mathsensei",
    summary="Tool modules (knowledge, web, wolfram, python) build up a context; the last module writes the solution.",
    paper="MATHSENSEI (arXiv 2402.17231)",
    config=MathSenseiConfig,
    build=build,
    prompts=(
        KNOWLEDGE.prompt,
        *WEB_PROMPTS,
        *WOLFRAM_PROMPTS,
        *PYTHON_PROMPTS,
        SOLVER.prompt,
        PLANNER.prompt,
        THINKER.prompt,
        *ASK_PROMPTS,
    ),
    kind="tools",
    calls=(2, 11),
    needs=("sandbox", "tools"),
)
