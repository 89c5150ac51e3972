"""cot-n-pot: translate each chain of thought into a program; those whose program gives their answer vote.

Papers: "Improving LLM Reasoning through Scaling Inference Computation with Collaborative Verification" (arXiv
2410.05318), and for the vote among what passed "Not All Votes Count! Programs as Verifiers Improve Self-Consistency of
Language Models for Math Reasoning" (arXiv 2410.12608). n samples and at most n translations: compare it with a vote of
2n samples. The first paper draws 64 and ranks by a trained Math-Rev, for which any scorer can stand
(``choose=weighted``, ``choose=best``). A chain whose program fails is unconfirmed, not wrong: where none passes, all
vote. The candidates are the chains and, behind them and in their order, the programs.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS
from mathagent.agents.blocks.program import ProgramConfig, run_programs, write_programs
from mathagent.agents.blocks.reason import REASON_PROMPT, reasoning_prompt, stated_candidate
from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.score import UNSCORED, ScoringConfig, scores_of
from mathagent.agents.blocks.select import best_score, filter_then_vote, vote, weighted_vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import JUDGE
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed, Judged
from mathagent.prompts import render
from mathagent.scorers.base import load_scorer
from mathagent.types import Candidate, Failure, Problem, Verdict

TRANSLATE_PROMPT = "cot_n_pot/translate"


class CotNPotConfig(ScoringConfig):
    """Settings of cot-n-pot. 16 samples are the second paper's; the first draws 64."""

    n: int = Field(default=16, ge=1, le=256, description="Chains of thought, each translated once.")
    temperature: float | None = Field(default=0.7, ge=0, le=2, description="Temperature of the chains.")
    program_tokens: int = Field(default=512, ge=1, description="Completion tokens of one translation.")
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a program may run.")
    choose: Literal["vote", "weighted", "best"] = Field(
        default="vote",
        description="Of the confirmed chains: their majority, the largest sum of scores, or the best score.",
    )

    @property
    def program_config(self) -> ProgramConfig:
        """Of a translation, which is greedy."""
        return ProgramConfig(temperature=0.0, max_tokens=self.program_tokens, timeout_s=self.timeout_s)


async def translated(
    context: RunContext, problem: Problem, config: CotNPotConfig, chain: Candidate, sample: int
) -> tuple[Candidate, str | None]:
    """The candidate of the program that takes the steps of ``chain``, and the limit that ended it.

    A failed request is a candidate that failed. Nobody is asked about a chain without an answer.
    """
    if chain.answer is None:
        return Candidate(failure=Failure(kind="no-answer", message="the chain gives no answer to confirm")), None
    by_program = config.program_config
    messages = render(
        TRANSLATE_PROMPT,
        problem=problem_text(problem),
        solution=chain.steps[-1].text,
        has_choices=bool(problem.choices),
    )
    try:
        drafts, limit = await write_programs(
            context, problem, by_program, n=1, first_sample=sample, messages=messages, role="translator"
        )
    except BackendError as error:
        return Candidate(failure=Failure(kind="model-error", message=str(error))), None
    if not drafts:
        return Candidate(failure=Failure(kind="no-answer", message=limit or "nothing was drawn")), limit
    return (await run_programs(context, problem, by_program, drafts))[0], limit


async def confirmation(context: RunContext, chain: Candidate, program: Candidate) -> Verdict:
    """What the translation of a chain says of its answer: correct where it gives the same."""
    if chain.answer is None or program.answer is None:
        why = program.failure.message if program.failure is not None else "there is no answer"
        return Verdict(judgement="unsure", reason=f"not confirmed: {why}")
    if (await context.comparer.equal(chain.answer, program.answer)).verdict == "equal":
        return Verdict(judgement="correct", reason="its program gives the same answer", checks=program.checks)
    return Verdict(judgement="incorrect", reason=f"its program gives {program.answer.normal}")


def chains_of(state: SolveState) -> list[Candidate]:
    """The chains, those that are confirmed with their programs as evidence. Pure."""
    chains = state.candidates[: len(state.drafts)]
    checks = {index: verdict.checks for index, verdict in state.verdicts.items() if verdict.checks}
    return [
        chain.model_copy(update={"checks": checks[index]}) if index in checks else chain
        for index, chain in enumerate(chains)
    ]


def kept(state: SolveState) -> list[bool]:
    """Of each chain, whether its program confirms it. Pure."""
    verdicts = [state.verdicts.get(index) for index in range(len(state.drafts))]
    return [verdict is not None and verdict.judgement == "correct" for verdict in verdicts]


def build(config: CotNPotConfig) -> StateGraph[Any, Any, Any, Any]:
    """sample → translate → (score →) select."""

    async def sample(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        params = config.params.model_copy(update={"n": config.n})
        drafts, limit = await draw(context, reasoning_prompt(problem), params, role="reasoner")
        chains = [stated_candidate(draft, problem.choices) for draft in drafts]
        for draft, chain in zip(drafts, chains, strict=True):
            context.emit(CandidateProposed(sample=draft.sample, candidate=chain))
        return {"drafts": drafts, "candidates": chains, "limit": limit}

    async def translate(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, chains = runtime.context, state.candidates
        made = await asyncio.gather(
            *(
                translated(context, state.problem, config, chain, len(chains) + index)
                for index, chain in enumerate(chains)
            )
        )
        programs = [program for program, _ in made]
        limit = next((limit for _, limit in made if limit), None)
        failures = [
            one.failure for one in programs if one.failure is not None and one.failure.kind == "model-error"
        ]
        if failures and len(failures) == sum(chain.answer is not None for chain in chains):
            raise BackendError(failures[0].message)
        verdicts = await asyncio.gather(
            *(confirmation(context, chain, program) for chain, program in zip(chains, programs, strict=True))
        )
        for index, verdict in enumerate(verdicts):
            context.emit(Judged(sample=index, judgement=verdict.judgement, reason=verdict.reason))
        return {"candidates": programs, "verdicts": dict(enumerate(verdicts)), "limit": limit}

    async def score(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        chains, passed = chains_of(state), kept(state)
        asked = [index for index, keep in enumerate(passed) if keep]
        asked = asked or [index for index, chain in enumerate(chains) if chain.answer is not None]
        some = [chains[index] for index in asked]
        said = await scores_of(runtime.context, state, load_scorer(config.scorer), some, asked)
        values = {index: one.value for index, one in zip(asked, said, strict=True)}
        scores = [values.get(index) or UNSCORED for index in range(len(state.candidates))]
        return {"scores": scores, "limit": next((one.limit for one in said if one.limit), None)}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, chains = runtime.context, chains_of(state)
        scores = state.scores[: len(chains)]
        if not state.verdicts:  # the budget ended before anything was translated
            update = await vote(context, chains)
        elif not any(scores):
            update = await filter_then_vote(context, chains, kept(state))
        elif config.choose == "weighted":
            update = await weighted_vote(context, chains, scores)
        else:
            update = best_score(chains, scores)
        return {**update, "finished": True}

    def after_sampling(state: SolveState) -> str:
        return "select" if state.limit is not None else "translate"

    def after_translation(state: SolveState) -> str:
        needed = config.choose != "vote" and state.limit is None
        return "score" if needed and any(chain.answer for chain in chains_of(state)) else "select"

    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("sample", sample), ("translate", translate), ("score", score), ("select", select)):
        graph.add_node(name, node)
    graph.add_edge(START, "sample")
    graph.add_conditional_edges("sample", after_sampling, ["translate", "select"])
    graph.add_conditional_edges("translate", after_translation, ["score", "select"])
    graph.add_edge("score", "select")
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="cot-n-pot",
    summary="Translate each chain of thought into a program; those that their program confirms vote.",
    paper="Improving LLM Reasoning through Scaling Inference Computation with Collaborative Verification"
    " (arXiv 2410.05318), Prove (arXiv 2410.12608)",
    config=CotNPotConfig,
    build=build,
    prompts=(REASON_PROMPT, TRANSLATE_PROMPT, "pal/solution_prefill", JUDGE.prompt, *ASK_PROMPTS),
    kind="two views",
    calls=(16, 32),
    needs=("sandbox",),
    training_free=False,
)
