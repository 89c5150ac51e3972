"""sift: write the problem's facts on a sticker, predict from it and with it, mend the sticker until both agree.

Paper: "SIFT: Grounding LLM Reasoning in Contexts via Stickers" (arXiv 2502.14922). Stage 1 predicts from the sticker
alone and from problem and sticker; stage 2 corrects the sticker against the problem; stage 3 first works it back out of
the latest prediction. Predictions that agree end it, else the problem is solved without sticker: 3, 6, 10 or 11 calls.
The abstract compares the problem alone with problem and sticker (``pair=query``); the default is what the authors' code
does. Predictions state their answers; none is asked for afterwards, and a missing one agrees with nothing.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.agree_or_escalate import agree_or_escalate
from mathagent.agents.blocks.reason import REASON_PROMPT, reasoning_prompt, stated_candidate
from mathagent.agents.blocks.sample import draw, draw_one
from mathagent.agents.blocks.select import last_answered, nothing, take
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import Draft, Finding, SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.events import CandidateProposed
from mathagent.prompts import render
from mathagent.types import Problem, Step

PROMPTS = {"extractor": "sift/extract", "refiner": "sift/refine", "inverter": "sift/invert"}
"""By role: who writes a sticker."""
VIEWS = 2

_CONDITIONS = re.compile(r"^[ \t#>*_]*conditions?\b[ \t*_]*(?:[:：]|$)", re.IGNORECASE | re.MULTILINE)
_QUESTION = re.compile(r"^[ \t#>*_]*questions?\b[ \t*_]*(?:[:：]|$)", re.IGNORECASE | re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


class SiftConfig(StrategyConfig):
    """Settings of sift. The authors decode greedily with 1024 new tokens."""

    n: int = Field(default=1, ge=1, le=1, description="One solution; vote over several runs for more.")
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="Sampling temperature.")
    stages: int = Field(default=3, ge=1, le=3, description="1: the first sticker, 2: refined, 3: also inverted.")
    pair: Literal["sticker", "query"] = Field(
        default="sticker",
        description="What is compared with the prediction from problem and sticker: sticker or problem alone.",
    )


def read_sticker(text: str) -> str:
    """The sticker in a reply, from its Conditions to a closing fence; "" where it has not both headings. Pure."""
    found = _CONDITIONS.search(text)
    if found is None:
        return ""
    sticker = _FENCE.split(text[found.start() :])[0].strip()
    return sticker if _QUESTION.search(sticker) else ""


def sticker_of(state: SolveState) -> str:
    """The latest sticker; "" where there is none. Pure."""
    return state.findings[0][-1].text if state.findings else ""


def with_sticker(state: SolveState, module: str, text: str) -> dict[str, Any]:
    """The state update with a further sticker, written by ``module``. Pure."""
    before = state.findings[0] if state.findings else ()
    return {"findings": ((*before, Finding(module=module, text=text)),)}


async def write_sticker(
    context: RunContext, config: SiftConfig, role: str, *, sample: int = 0, **slots: str
) -> tuple[str, str | None]:
    """The sticker that ``role`` writes ("": none that is whole can be read), and the limit that ended it."""
    messages = render(PROMPTS[role], **slots)
    drafts, limit = await draw(context, messages, config.params, role=role, first_sample=sample)
    reply = drafts[0].completion if drafts else None
    if reply is None or reply.finish_reason == "length":
        return "", limit
    return read_sticker(reply.text), limit


def predicted(
    context: RunContext, problem: Problem, draft: Draft, number: int, sticker: str = ""
) -> dict[str, Any]:
    """The state update with candidate ``number``: what was predicted, after the ``sticker`` that it was shown."""
    candidate = stated_candidate(draft, problem.choices)
    if sticker and candidate.steps:
        shown = Step(kind="thought", text=sticker)
        candidate = candidate.model_copy(update={"steps": (shown, *candidate.steps)})
    context.emit(CandidateProposed(sample=number, candidate=candidate))
    return {"candidates": [candidate]}


async def predict(context: RunContext, config: SiftConfig, state: SolveState, given: str) -> dict[str, Any]:
    """The state update with the prediction from the text ``given`` of one view, and the limit that ended it."""
    sticker, stage, problem = sticker_of(state), state.rounds, state.problem
    texts = {"sticker": sticker, "query": problem.text, "both": f"{problem.text}\n\n{sticker}"}
    shown = problem.model_copy(update={"text": texts[given]})
    # The problem alone is the same request at each stage: the cache may answer it.
    sample = 0 if given == "query" else stage
    draft, limit = await draw_one(context, reasoning_prompt(shown), config.params, role="reasoner", sample=sample)
    number = VIEWS * stage + (given == "both")
    update = predicted(context, problem, draft, number, "" if given == "query" else sticker)
    return {**update, "limit": limit}


def build(config: SiftConfig) -> StateGraph[Any, Any, Any, Any]:
    """extract → (solve_alone, solve_with_both) → compare → select, or (invert →) refine → the views again, or solve."""

    async def extract(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        query = problem_text(state.problem)
        sticker, limit = await write_sticker(runtime.context, config, "extractor", problem=query)
        return {**(with_sticker(state, "extract", sticker) if sticker else {}), "limit": limit}

    async def solve_alone(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return await predict(runtime.context, config, state, config.pair)

    async def solve_with_both(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return await predict(runtime.context, config, state, "both")

    async def refine(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        old, query = sticker_of(state), problem_text(state.problem)
        new, limit = await write_sticker(
            runtime.context, config, "refiner", sample=state.rounds, problem=query, sticker=old
        )
        return {**with_sticker(state, "refine", new or old), "limit": limit, "rounds": state.rounds + 1}

    async def invert(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        prediction = state.candidates[-1]
        if not prediction.steps:  # its request failed
            return {}
        solution = prediction.steps[-1].text
        sticker, limit = await write_sticker(runtime.context, config, "inverter", solution=solution)
        return {**(with_sticker(state, "invert", sticker) if sticker else {}), "limit": limit}

    async def solve(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        drafts, limit = await draw(context, reasoning_prompt(problem), config.params, role="reasoner")
        if not drafts:
            return {"limit": limit}
        return {**predicted(context, problem, drafts[0], len(state.candidates)), "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await settled(runtime.context, state), "finished": True}

    def after_sticker(state: SolveState) -> list[str]:
        if state.limit is not None:
            return ["select"]
        return list(views) if sticker_of(state) else ["solve"]

    views = {"solve_alone": solve_alone, "solve_with_both": solve_with_both}
    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("extract", extract), ("refine", refine), ("invert", invert), ("solve", solve)):
        graph.add_node(name, node)
    graph.add_node("select", select)
    repairs = ("refine", "invert")[: config.stages - 1]
    agree_or_escalate(graph, views, agreed="select", escalate=(*repairs, "solve"), ended="select")
    graph.add_edge(START, "extract")
    graph.add_conditional_edges("extract", after_sticker, [*views, "solve", "select"])
    graph.add_conditional_edges("refine", after_sticker, [*views, "solve", "select"])
    graph.add_conditional_edges(
        "invert", lambda state: "select" if state.limit else "refine", ["refine", "select"]
    )
    graph.add_edge("solve", "select")
    graph.add_edge("select", END)
    return graph


async def settled(context: RunContext, state: SolveState) -> dict[str, Any]:
    """The state update with the answer: the first prediction of a pair that agrees, else the latest prediction that has
    an answer, which is the one without a sticker where it has one."""
    candidates, stage = state.candidates, state.rounds + 1
    if state.agreed:
        return await take(context, candidates, len(candidates) - VIEWS, f"both predictions of stage {stage} agree")
    latest = last_answered(candidates)
    if latest is None:
        return nothing("no prediction states an answer")
    direct = len(candidates) % VIEWS == 1
    if not direct:
        said = "the budget ended before predictions agreed"
    elif len(candidates) == 1:
        said = "no sticker could be read"
    else:
        said = f"no predictions of {stage} stages agree"
    return await take(context, candidates, latest, said)


STRATEGY = Strategy(
    name="sift",
    summary="Note the problem's facts on a sticker; solve from it and with it; mend it until both agree.",
    paper="SIFT: Grounding LLM Reasoning in Contexts via Stickers (arXiv 2502.14922)",
    config=SiftConfig,
    build=build,
    prompts=(*PROMPTS.values(), REASON_PROMPT),
    kind="two views",
    calls=(2, 11),
    needs=(),
)
