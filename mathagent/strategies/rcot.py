"""rcot: rebuild the problem from its solution alone, compare the two condition by condition, revise what differs.

Paper: "RCOT: Detecting and Rectifying Factual Inconsistency in Reasoning by Reversing Chain-of-Thought" (arXiv
2305.11499). A condition of the problem that does not follow from the rebuilt one was overlooked, one of the rebuilt
problem that does not follow from the problem was invented, and the questions may differ. What was found, and nothing
coarser, is the feedback for one revision; where nothing was found, or nothing could be compared, the first solution
stands. Each comparison is a question of its own, so k conditions cost k calls; ``batch`` asks for all at once.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.compare_problems import (
    COMPARE_PROMPTS,
    Findings,
    Parts,
    compared,
    compared_at_once,
    taken_apart,
)
from mathagent.agents.blocks.reason import REASON_PROMPT, reasoning_prompt, stated_candidate
from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.select import last_answered, nothing, take
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Draft, Finding, SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.events import CandidateProposed
from mathagent.prompts import render
from mathagent.types import Message, Problem, SamplingParams, Step

REBUILDER = Role("rebuilder", "rcot/rebuild", SamplingParams(max_tokens=512))
REVISE_PROMPT = "rcot/revise"


class RcotConfig(StrategyConfig):
    """Settings of rcot. The paper decodes greedily and revises once."""

    n: int = Field(default=1, ge=1, le=1, description="One solution; vote over several runs for more.")
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="Temperature of solutions.")
    batch: bool = Field(default=False, description="Whether all conditions are compared in one question.")
    rounds: int = Field(default=1, ge=1, le=8, description="Revisions at most, each of what was found anew.")


def latest(state: SolveState, module: str) -> str:
    """What ``module`` has found last; "" where it has found nothing. Pure."""
    chain = state.findings[0] if state.findings else ()
    return next((one.text for one in reversed(chain) if one.module == module), "")


def noted(state: SolveState, **found: str) -> dict[str, Any]:
    """The state update with what modules have found, by name. Pure."""
    before = state.findings[0] if state.findings else ()
    return {"findings": ((*before, *(Finding(module=name, text=text) for name, text in found.items())),)}


def revision_prompt(problem: Problem, parts: Parts, draft: Draft, found: Findings) -> tuple[Message, ...]:
    """The chat in which a solution is written anew: its own, then what was found against it. Pure."""
    assert draft.completion is not None
    feedback = render(
        REVISE_PROMPT,
        overlooked=found.overlooked,
        invented=found.invented,
        asked=found.asked,
        question=parts.question,
        conditions=parts.numbered,
        has_choices=bool(problem.choices),
    )
    return (*draft.messages, Message(role="assistant", content=draft.completion.text), *feedback)


def build(config: RcotConfig) -> StateGraph[Any, Any, Any, Any]:
    """solve → rebuild → decompose → compare → (revise → rebuild …) → select."""

    async def solve(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        drafts, limit = await draw(
            runtime.context, reasoning_prompt(state.problem), config.params, role="reasoner"
        )
        return {**proposed(runtime.context, state, drafts), "limit": limit}

    async def rebuild(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        reply = state.drafts[0].completion
        assert reply is not None
        messages = render(REBUILDER.prompt, solution=reply.text)
        drafts, limit = await draw(
            runtime.context, messages, REBUILDER.params, role=REBUILDER.name, first_sample=state.rounds
        )
        done = [one.completion.text.strip() for one in drafts if one.completion is not None]
        return {**noted(state, rebuilt="".join(done)), "limit": limit}

    async def decompose(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        texts = {"rebuilt_parts": latest(state, "rebuilt")}
        if not latest(state, "parts"):
            texts = {"parts": problem_text(state.problem)} | texts
        parts, limit = await taken_apart(runtime.context, list(texts.values()), state.rounds)
        written = {name: one.model_dump_json() for name, one in zip(texts, parts, strict=True)}
        return {**noted(state, **written), "limit": limit}

    async def compare(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        problem, rebuilt = parts_of(state)
        if not problem.conditions or not rebuilt.conditions:
            return noted(state, found=Findings().model_dump_json())
        by = compared_at_once if config.batch else compared
        found, limit = await by(runtime.context, problem, rebuilt, state.rounds)
        return {**noted(state, found=found.model_dump_json()), "limit": limit}

    async def revise(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        found = Findings.model_validate_json(latest(state, "found"))
        messages = revision_prompt(state.problem, parts_of(state)[0], state.drafts[0], found)
        drafts, limit = await draw(runtime.context, messages, config.params, role="refiner")
        critique = messages[-1].content
        return {**proposed(runtime.context, state, drafts, critique), "limit": limit, "rounds": state.rounds + 1}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        index = last_answered(state.candidates)
        if index is None:
            return {**nothing("no solution states an answer"), "finished": True}
        return {**await take(runtime.context, state.candidates, index, verdict_of(state)), "finished": True}

    def goes_on(node: str, state: SolveState) -> str:
        return "select" if state.limit is not None else node

    def after_solving(state: SolveState) -> str:
        written = any(draft.completion is not None for draft in state.drafts)
        return goes_on("rebuild", state) if written and state.rounds < config.rounds else "select"

    def after_rebuilding(state: SolveState) -> str:
        return goes_on("decompose", state) if latest(state, "rebuilt") else "select"

    def after_comparing(state: SolveState) -> str:
        found = Findings.model_validate_json(latest(state, "found"))
        return goes_on("revise", state) if found.any else "select"

    graph = StateGraph(SolveState, context_schema=RunContext)
    nodes = {"solve": solve, "rebuild": rebuild, "decompose": decompose, "compare": compare, "revise": revise}
    for name, node in {**nodes, "select": select}.items():
        graph.add_node(name, node)
    graph.add_edge(START, "solve")
    graph.add_conditional_edges("solve", after_solving, ["rebuild", "select"])
    graph.add_conditional_edges("rebuild", after_rebuilding, ["decompose", "select"])
    graph.add_conditional_edges("decompose", lambda state: goes_on("compare", state), ["compare", "select"])
    graph.add_conditional_edges("compare", after_comparing, ["revise", "select"])
    graph.add_conditional_edges("revise", after_solving, ["rebuild", "select"])
    graph.add_edge("select", END)
    return graph


def parts_of(state: SolveState) -> tuple[Parts, Parts]:
    """The problem and the rebuilt one, taken apart. Pure."""
    texts = (latest(state, "parts"), latest(state, "rebuilt_parts"))
    problem, rebuilt = (Parts.model_validate_json(text) for text in texts)
    return problem, rebuilt


def proposed(
    context: RunContext, state: SolveState, drafts: tuple[Draft, ...], critique: str = ""
) -> dict[str, Any]:
    """The state update with the solution in ``drafts``, one that was revised behind its ``critique``."""
    before = (Step(kind="critique", text=critique),) if critique else ()
    candidates = [stated_candidate(draft, state.problem.choices) for draft in drafts]
    candidates = [one.model_copy(update={"steps": (*before, *one.steps)}) for one in candidates]
    for number, candidate in enumerate(candidates, start=len(state.candidates)):
        context.emit(CandidateProposed(sample=number, candidate=candidate))
    return {"drafts": drafts, "candidates": candidates}


def verdict_of(state: SolveState) -> str:
    """What came of the comparison, in words. Pure."""
    if state.limit is not None:
        return "the budget ended before all was compared and revised"
    if not latest(state, "found") or not all(parts.conditions for parts in parts_of(state)):
        return "nothing could be compared"
    found = Findings.model_validate_json(latest(state, "found"))
    if not found.any:
        return "the rebuilt problem is the same"
    counts = f"{len(found.overlooked)} overlooked and {len(found.invented)} invented conditions"
    told = f"{counts}{' and another question' if found.asked else ''}"
    if state.candidates[-1].answer is None:
        return f"the solution revised for {told} states no answer"
    return f"revised for {told}"


STRATEGY = Strategy(
    name="rcot",
    summary="Rebuild the problem from the solution; tell the solver which conditions differ, and revise.",
    paper="RCOT: Detecting and Rectifying Factual Inconsistency in Reasoning by Reversing Chain-of-Thought"
    " (arXiv 2305.11499)",
    config=RcotConfig,
    build=build,
    prompts=(REASON_PROMPT, REBUILDER.prompt, REVISE_PROMPT, *COMPARE_PROMPTS),
    kind="two views",
    calls=(2, 54),
    needs=(),
)
