"""malt: generator, verifier and refiner in a chain; several chains, and a majority of the refiners' answers.

Paper: "MALT: Improving Reasoning with Multi-Agent LLM Training" (arXiv 2412.01928). This is its inference with an
untrained model. One pass a chain, and the refiner always writes. ``verifier=false`` is the paper's ablation. With
``tree=n`` each draft gets n critiques and each critique n refinements: the n³ candidates, in breadth-first order, are
the training data that ``agents/trajectory_tree.py`` reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, ValidationInfo, field_validator, model_validator

from mathagent.agents.blocks.reason import stated_answer
from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.select import vote
from mathagent.agents.context import RunContext
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.agents.trajectory_tree import MALT_PROMPTS, TreeRole, prompt_of
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed
from mathagent.types import Answer, Candidate, Failure, Message, Problem, SamplingParams, Step, StepKind

_KINDS: dict[int, tuple[StepKind, ...]] = {3: ("thought", "critique", "thought"), 2: ("thought", "thought")}
"""The kinds of a trajectory's steps, by its length: with a verifier and without."""


class MaltConfig(StrategyConfig):
    """Settings of malt. The temperature is the paper's for Llama-3.1-8B-Instruct."""

    n: int = Field(default=3, ge=1, le=256, description="Chains, each with a vote; tree³ in tree mode.")
    temperature: float | None = Field(default=0.3, ge=0, le=2, description="Sampling temperature of all roles.")
    verifier: bool = Field(default=True, description="Whether the refiner sees a critique.")
    tree: int = Field(default=0, ge=0, le=6, description="Children of each node of a recorded tree; 0: chains.")

    @model_validator(mode="before")
    @classmethod
    def _leaves(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("tree"), int) or given["tree"] < 1:
            return given
        return {"n": given["tree"] ** 3} | given

    @field_validator("tree")
    @classmethod
    def _whole_tree(cls, tree: int, info: ValidationInfo) -> int:
        if tree and (info.data.get("n") != tree**3 or not info.data.get("verifier")):
            raise ValueError(f"a tree of {tree} children a node has n={tree**3} leaves, and a verifier")
        return tree

    @property
    def children(self) -> int:
        """Critiques of a draft, and refinements of a critique."""
        return max(1, self.tree)


async def write(
    context: RunContext, config: MaltConfig, messages: tuple[Message, ...], role: TreeRole, n: int, sample: int
) -> tuple[tuple[Draft, ...], str | None]:
    """n replies of ``role``, numbered from ``sample``, and the limit that ended it."""
    params = SamplingParams(
        temperature=config.sampling_temperature, top_p=config.top_p, n=n, max_tokens=config.max_tokens
    )
    return await draw(context, messages, params, role=role, first_sample=sample)


async def follow(
    context: RunContext,
    config: MaltConfig,
    role: TreeRole,
    questions: Sequence[tuple[Message, ...] | None],
    first_sample: int,
    limit: str | None,
) -> tuple[tuple[Draft, ...], str | None]:
    """Exactly ``config.children`` replies of ``role`` to each question, in order, and the limit that ended it.

    What a limit, a failed request or a missing question left out is a draft with a failure. No call is made where
    ``limit`` is set.
    """
    reached = limit

    async def answers(place: int, question: tuple[Message, ...] | None) -> tuple[Draft, ...]:
        nonlocal reached
        first = first_sample + place * config.children
        drafts: tuple[Draft, ...] = ()
        why = Failure(kind="no-answer", message="the budget ended before this was written")
        if question is None:
            why = Failure(kind="no-answer", message="there was nothing to follow")
        elif limit is None:
            try:
                drafts, met = await write(context, config, question, role, config.children, first)
                reached = reached or met
            except BackendError as error:
                why = Failure(kind="model-error", message=str(error))
        missing = range(first + len(drafts), first + config.children)
        return (*drafts, *(Draft(sample=sample, messages=question or (), failure=why) for sample in missing))

    results = await asyncio.gather(*(answers(place, question) for place, question in enumerate(questions)))
    return tuple(draft for drafts in results for draft in drafts), reached


def candidate_of(problem: Problem, trajectory: Sequence[Draft], *, tree: bool) -> Candidate:
    """The candidate of one draft, its critique (where there is one) and its refinement, in this order. Pure.

    A chain that ended before its refinement keeps the answer of its draft; a leaf of a tree is what was refined or
    nothing.
    """
    kinds = _KINDS[len(trajectory)]
    written: list[Step] = []
    for draft, kind in zip(trajectory, kinds, strict=True):
        if draft.completion is None:
            break
        written.append(Step(kind=kind, text=draft.completion.text))
    ends_early = len(written) < len(trajectory)
    last = trajectory[0] if ends_early else trajectory[-1]
    if last.completion is None or (ends_early and tree):
        failed = next(draft.failure for draft in trajectory if draft.completion is None)
        return Candidate(steps=tuple(written), failure=failed)
    stated = stated_answer(last.completion, problem.choices)
    if isinstance(stated, Answer):
        return Candidate(steps=tuple(written), answer=stated, extraction_stage=1)
    return Candidate(steps=tuple(written), failure=stated)


def before_refining(config: MaltConfig, state: SolveState) -> list[tuple[Draft, ...]]:
    """What the refiner sees, question by question: a draft, and its critique where there is a verifier."""
    if not config.verifier:
        return [(draft,) for draft in state.drafts]
    fan = config.children
    return [(state.drafts[place // fan], critique) for place, critique in enumerate(state.critiques)]


def question_of(problem: Problem, before: Sequence[Draft], *more: str) -> tuple[Message, ...] | None:
    """What the next role is asked after ``before`` and ``more``; None where one of them was never written."""
    texts = [draft.completion.text for draft in before if draft.completion is not None]
    return prompt_of(problem, [*texts, *more]) if len(texts) == len(before) else None


def build(config: MaltConfig) -> StateGraph[Any, Any, Any, Any]:
    """generate → verify → refine, for all chains at once or for one after the other; then select."""

    async def generate(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, done, question = runtime.context, len(state.candidates), prompt_of(state.problem, [])
        if config.tree:
            drafts, limit = await follow(context, config, "generator", [question], done, None)
        else:
            wanted = 1 if context.backend.max_parallel == 1 else config.n - done
            drafts, limit = await write(context, config, question, "generator", wanted, done)
        return {"drafts": drafts, "limit": limit}

    async def verify(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        questions = [question_of(state.problem, [draft]) for draft in state.drafts]
        done = len(state.candidates)
        critiques, limit = await follow(runtime.context, config, "verifier", questions, done, state.limit)
        return {"critiques": critiques, "limit": limit}

    async def refine(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, done, before = runtime.context, len(state.candidates), before_refining(config, state)
        no_critique = () if config.verifier else ("",)
        questions = [question_of(state.problem, drafts, *no_critique) for drafts in before]
        refined, limit = await follow(context, config, "refiner", questions, done, state.limit)
        chains = [(*before[place // config.children], draft) for place, draft in enumerate(refined)]
        candidates = [candidate_of(state.problem, chain, tree=config.tree > 0) for chain in chains]
        for sample, candidate in enumerate(candidates, start=done):
            context.emit(CandidateProposed(sample=sample, candidate=candidate))
        raise_if_unreachable(chains)
        return {"candidates": candidates, "limit": limit}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await vote(runtime.context, state.candidates), "finished": True}

    def after_refine(state: SolveState) -> str:
        return "select" if len(state.candidates) >= config.n or state.limit is not None else "generate"

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("generate", generate)
    graph.add_node("refine", refine)
    graph.add_node("select", select)
    graph.add_edge(START, "generate")
    if config.verifier:
        graph.add_node("verify", verify)
        graph.add_edge("generate", "verify")
        graph.add_edge("verify", "refine")
    else:
        graph.add_edge("generate", "refine")
    graph.add_conditional_edges("refine", after_refine, ["generate", "select"])
    graph.add_edge("select", END)
    return graph


def raise_if_unreachable(chains: Sequence[Sequence[Draft]]) -> None:
    """Raises BackendError where a failed request ended every chain; what the chains have is proposed before."""
    errors = [
        next((draft.failure for draft in chain if draft.failure and draft.failure.kind == "model-error"), None)
        for chain in chains
    ]
    if chains and all(errors):
        assert errors[0] is not None
        raise BackendError(errors[0].message)


STRATEGY = Strategy(
    name="malt",
    summary="Draft, critique and refine in chains; the refined answers vote.",
    paper="MALT: Improving Reasoning with Multi-Agent LLM Training (arXiv 2412.01928)",
    config=MaltConfig,
    build=build,
    prompts=MALT_PROMPTS,
    kind="teams",
    calls=(9, 9),
    needs=(),
    training_free=False,
)
