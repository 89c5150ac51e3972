"""complexity: few-shot with the exemplars that have most steps; of many chains, those with most steps vote.

Paper: "Complexity-Based Prompting for Multi-Step Reasoning" (arXiv 2210.00720). Exemplars come from the memory and from
a small set of our own; the most complex stands last, next to the question. A chain's complexity is the number of its
lines that are not blank, programs left out; a truncated chain does not vote where another one has an answer. Of equal
votes the answer of the more complex chain wins (the paper is silent). Reasoning models get lost in long chains: there
``order=asc`` may be better; measure it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.code_text import without_code
from mathagent.agents.blocks.prompt_window import estimated_tokens
from mathagent.agents.blocks.reason import REASON_PROMPTS, ReasonConfig, conclude_reasoning, write_reasoning
from mathagent.agents.blocks.recall import LEAST_TRUST, RECALL_PROMPTS, find_hits, is_shown, tell_recalled
from mathagent.agents.blocks.refine import split_steps
from mathagent.agents.blocks.select import nothing, vote, weighted_vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import Strategy
from mathagent.answers.extract import extract_answer
from mathagent.memory.base import Hit, Query
from mathagent.memory.experience import Exemplar, Experience
from mathagent.prompts import render
from mathagent.types import Candidate, Failure

EXEMPLARS_PROMPT = "complexity/exemplars"
POOL = 64
"""Solved problems of the memory that are looked through, the most similar ones."""


class ComplexityConfig(ReasonConfig):
    """Settings of complexity. 50 chains, of which 40 vote, are the paper's; a budget ends them earlier."""

    n: int = Field(default=50, ge=1, le=256, description="Chains to sample at most.")
    temperature: float | None = Field(default=0.7, ge=0, le=2, description="Sampling temperature.")
    shots: int = Field(default=8, ge=0, le=32, description="Exemplars to show at most.")
    exemplars: Literal["both", "memory", "built-in"] = Field(
        default="both", description="Where exemplars come from; memory: none without one."
    )
    exemplar_tokens: int = Field(default=2000, ge=1, description="Tokens that they may take together (estimated).")
    keep_ratio: float = Field(default=0.8, gt=0, le=1, description="Share of the chains with an answer that vote.")
    order: Literal["desc", "asc"] = Field(
        default="desc", description="Whether the chains with most steps vote, or those with fewest."
    )
    weight: Literal["none", "steps"] = Field(
        default="none", description="Whether a vote counts once, or once a step (not the paper's)."
    )
    step_splitter: Literal["line", "step"] = Field(
        default="line", description="What a step is: a line that is not blank, or a step as refiners divide them."
    )


def steps_in(text: str, splitter: Literal["line", "step"] = "line") -> int:
    """How many steps a chain of thought has, programs left out. Pure."""
    words = without_code(text)
    if splitter == "step":
        return len(split_steps(words))
    return sum(bool(line.strip()) for line in words.splitlines())


def built_in_exemplars() -> list[Hit]:
    """The solved problems of the prompt file, as if memory had found them."""
    turns = render(EXEMPLARS_PROMPT)
    found = []
    for asked, solved in zip(turns[::2], turns[1::2], strict=True):
        answer = extract_answer(solved.content)
        content = Exemplar(problem=asked.content, reasoning=solved.content, answer=answer.normal if answer else "")
        found.append(Hit(experience=Experience(content=content, trust="person"), score=0.0))
    return found


def most_complex(pool: Sequence[Hit], config: ComplexityConfig) -> list[Hit]:
    """The exemplars with most steps, most first, as many as are to be shown and fit the token limit. Pure."""

    def steps(hit: Hit) -> int:
        content = hit.experience.content
        return steps_in(content.reasoning, config.step_splitter) if isinstance(content, Exemplar) else 0

    chosen: list[Hit] = []
    left = config.exemplar_tokens
    for hit in sorted(pool, key=lambda hit: -steps(hit)):
        tokens = estimated_tokens(hit.experience)
        if len(chosen) < config.shots and tokens <= left:
            chosen.append(hit)
            left -= tokens
    return chosen


def rank(candidates: Sequence[Candidate], config: ComplexityConfig) -> list[tuple[Candidate, int]]:
    """The candidates that vote, each with its steps: the most complex first (see ``order``), then the earlier. Pure."""
    answered = [
        (candidate, steps_in(candidate.steps[0].text, config.step_splitter))
        for candidate in candidates
        if candidate.answer is not None
    ]
    sign = -1 if config.order == "desc" else 1
    kept = max(1, round(config.keep_ratio * len(answered)))
    return sorted(answered, key=lambda one: sign * one[1])[:kept]


def not_cut(candidates: Sequence[Candidate], drafts: Sequence[Draft]) -> list[Candidate]:
    """The candidates, those of chains that were cut without their answers: a chain that rambles on behind its answer
    would be the most complex of all. Where no other has an answer they keep it. Pure."""
    cut = [draft.completion is not None and draft.completion.finish_reason == "length" for draft in drafts]
    if all(was_cut for was_cut, one in zip(cut, candidates, strict=True) if one.answer is not None):
        return list(candidates)
    truncated = Failure(kind="truncated", message="the chain was cut: it does not vote")
    return [
        Candidate(steps=one.steps, failure=one.failure or truncated) if was_cut else one
        for was_cut, one in zip(cut, candidates, strict=True)
    ]


async def choose(context: RunContext, candidates: Sequence[Candidate], config: ComplexityConfig) -> dict[str, Any]:
    """The state update with the majority of the chains that vote; its confidence is of these, not of all chains."""
    ranked = rank(candidates, config)
    if not ranked:
        return nothing("no chain gave an answer")
    voters, steps = [one for one, _ in ranked], [float(count) for _, count in ranked]
    if config.weight == "steps":
        update = await weighted_vote(context, voters, [max(1.0, count) for count in steps])
    else:
        update = await vote(context, voters)
    which = "longest" if config.order == "desc" else "shortest"
    basis = f"{update['confidence_basis']} (the {len(voters)} {which} chains of {len(candidates)})"
    return {**update, "confidence_basis": basis}


def build(config: ComplexityConfig) -> StateGraph[Any, Any, Any, Any]:
    """pick → reason → extract → select."""

    async def pick(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        remembered: list[Hit] = []
        if config.exemplars != "built-in" and config.shots:
            query = Query(
                text=problem_text(state.problem), kinds=("exemplar",), limit=POOL, least_trust=LEAST_TRUST
            )
            remembered = [hit for hit in await find_hits(context, query) if is_shown(hit.experience, "reasoning")]
        own = [] if config.exemplars == "memory" else built_in_exemplars()
        return {"found": tuple(most_complex([*remembered, *own], config))}

    async def reason(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        own = {hit.experience.id for hit in built_in_exemplars()}
        of_memory = [hit for hit in state.found if hit.experience.id not in own]
        if of_memory:
            tell_recalled(context, of_memory)
        shown = [hit.experience for hit in state.found]
        drafts, limit = await write_reasoning(context, state.problem, config, n=config.n, recalled=shown)
        replied = any(draft.completion is not None for draft in drafts)
        recalled = [hit.experience for hit in of_memory] if replied else []
        return {"drafts": drafts, "limit": limit, "recalled": recalled}

    async def extract(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, limit = await conclude_reasoning(
            runtime.context, state.problem, config, state.drafts, rescue_truncated=config.n == 1
        )
        return {"candidates": candidates, "limit": state.limit or limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        voters = not_cut(state.candidates, state.drafts)
        return {**await choose(runtime.context, voters, config), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("pick", pick), ("reason", reason), ("extract", extract), ("select", select)):
        graph.add_node(name, node)
    graph.add_edge(START, "pick")
    graph.add_edge("pick", "reason")
    graph.add_edge("reason", "extract")
    graph.add_edge("extract", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="complexity",
    summary="Show the most complex exemplars, sample many chains, let the most complex of them vote.",
    paper="Complexity-Based Prompting for Multi-Step Reasoning (arXiv 2210.00720)",
    config=ComplexityConfig,
    build=build,
    prompts=(EXEMPLARS_PROMPT, *REASON_PROMPTS, *RECALL_PROMPTS),
    kind="prompting",
    calls=(50, 100),
    needs=("memory",),
)
