"""qalign: sample solutions in proportion to how good they are, by Markov chains, and take the majority.

Paper: "Sample, Don't Search: Rethinking Test-Time Alignment for Language Models" (arXiv 2504.03790). A chain keeps the
beginning of its solution up to a random token, has the rest written anew, and takes the new one by its reward and
length (Metropolis-Hastings); the answer is the most frequent one over all states, not the one with the best reward,
which a flawed reward would mislead. ``unit=token`` needs log-probs (they tell where tokens end) and a backend that
continues a reply; ``unit=line`` cuts at lines, and where a reply cannot be continued asks for the rest in words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.chain import Cut, Link, advance, line_pieces, token_pieces
from mathagent.agents.blocks.reason import stated_answer
from mathagent.agents.blocks.sample import ReplyForm, draw
from mathagent.agents.blocks.score import UNSCORED, ScoringConfig, require_scorer, score_texts
from mathagent.agents.blocks.select import filter_then_vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.scoring import SCORING_PROMPTS
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.errors import BackendError, UnsupportedOption
from mathagent.events import CandidateProposed, Warned
from mathagent.prompts import render
from mathagent.scorers.base import Scorer
from mathagent.types import Answer, Candidate, Completion, Message, Problem, SamplingParams, Step

ROLE = "reasoner"
PROMPTS = ("cot/reason", "qalign/continue")


class QalignConfig(ScoringConfig):
    """Settings of qalign.

    The paper's chains have up to 4,096 states; 32 are for a laptop CPU.
    """

    n: int = Field(default=32, ge=1, le=256, description="States of all chains together, the first ones included.")
    chains: int = Field(default=1, ge=1, le=64, description="Chains side by side, whose states are pooled.")
    beta: float = Field(
        default=0.1,
        gt=0,
        description="How little the reward counts, in units of the score; about half of its spread over fresh samples.",
    )
    unit: Literal["token", "line"] = Field(default="token", description="What a chain cuts at, and lengths count.")
    burn_in: int = Field(default=0, ge=0, description="States at the beginning of each chain that do not vote.")
    thin: int = Field(default=1, ge=1, description="Of the rest every so many-th votes.")
    temperature: float | None = Field(
        default=1.0, ge=0, le=2, description="Sampling temperature; at 1 the chain's target is the model itself."
    )
    trigger: str = Field(default="Let's think step by step.", description="Sentence that starts the reasoning.")


class _Walk:
    """The chains of one solve. ``limit`` is the budget's, once it has ended; ``unscored``: the scorer has failed."""

    def __init__(self, context: RunContext, problem: Problem, config: QalignConfig, scorer: Scorer) -> None:
        self.context, self.problem, self.config, self.scorer = context, problem, config, scorer
        self.limit: str | None = None
        self.unscored = False
        self.drawn = 0
        self.states: list[tuple[int, Link]] = []
        """(number within its chain, state), as they came."""
        self.continues = context.can(ROLE).continue_assistant
        self.asked = render(
            "cot/reason", problem=problem_text(problem), trigger=config.trigger, has_choices=bool(problem.choices)
        )
        if config.unit == "token":
            advice = "qalign cuts at tokens; set unit=line"
            if not self.continues:
                raise UnsupportedOption(context.backend.name, "continue_assistant", advice)
            if not context.can(ROLE).logprobs:
                raise UnsupportedOption(context.backend.name, "log-probs", advice)

    async def run(self) -> None:
        """Walks until there are n states, or the budget ends, or nothing can be had any more.

        Raises BackendError where there is no first state.
        """
        rng = Random(f"qalign/{self.context.seed or 0}")
        begun = await self.propose([(Link(pieces=(), reward=0.0), 0)] * min(self.config.chains, self.config.n))
        links = [link for link in begun if link is not None]
        self._keep(0, links)
        number = 0
        while links and self.goes_on and len(self.states) < self.config.n:
            number += 1
            links = links[: self.config.n - len(self.states)]
            try:
                links, _ = await advance(links, self.propose, rng, self.config.beta)
            except BackendError as error:
                self.context.emit(Warned(message=f"the chains end early: {error}"))
                return
            if self.goes_on:
                self._keep(number, links)

    @property
    def goes_on(self) -> bool:
        """Whether a further state can be had."""
        return self.limit is None and not self.unscored

    def _keep(self, number: int, links: Sequence[Link]) -> None:
        for link in links:
            sample = len(self.states)
            self.states.append((number, link))
            candidate = candidate_of(self.problem, link)
            self.context.emit(CandidateProposed(sample=sample, candidate=candidate))

    async def propose(self, cuts: Sequence[Cut]) -> list[Link | None]:
        """The ends of ``cuts``, written and scored; None where one could not be had.

        Raises BackendError where not a single one could.
        """
        first = self.drawn
        self.drawn += len(cuts)
        written = await asyncio.gather(
            *(self._write(link.pieces[:kept], first + place) for place, (link, kept) in enumerate(cuts)),
            return_exceptions=True,
        )
        failed = [one for one in written if isinstance(one, BackendError)]
        for one in written:
            if isinstance(one, BaseException) and not isinstance(one, BackendError):
                raise one
        if failed and len(failed) == len(written):
            raise failed[0]
        links = [one if isinstance(one, Link) else None for one in written]
        return await self._scored(links)

    async def _write(self, kept: tuple[str, ...], sample: int) -> Link | None:
        by_token = self.config.unit == "token"
        prefix = "".join(kept)
        # Tokens of the whole solution are bounded, as those of the samples that the chain stands for.
        left = max(1, self.config.max_tokens - len(kept)) if by_token else self.config.max_tokens
        params = SamplingParams(
            temperature=self.config.sampling_temperature, top_p=self.config.top_p, max_tokens=left
        )
        drafts, limit = await draw(
            self.context,
            (*self.asked, *self._beginning(prefix)),
            params,
            role=ROLE,
            first_sample=sample,
            continue_assistant=bool(prefix) and self.continues,
            form=ReplyForm(logprobs=0) if by_token else ReplyForm(),
        )
        self.limit = self.limit or limit
        reply = drafts[0].completion if drafts else None
        if reply is None:
            return None
        return Link(
            pieces=(*kept, *self._pieces(reply)), reward=UNSCORED, cut_short=reply.finish_reason == "length"
        )

    def _beginning(self, prefix: str) -> tuple[Message, ...]:
        if not prefix:
            return ()
        begun = Message(role="assistant", content=prefix)
        return (begun,) if self.continues else (begun, *render("qalign/continue"))

    def _pieces(self, reply: Completion) -> tuple[str, ...]:
        return token_pieces(reply.text, reply.logprobs) if self.config.unit == "token" else line_pieces(reply.text)

    async def _scored(self, links: Sequence[Link | None]) -> list[Link | None]:
        """``links`` with their rewards; what the scorer cannot score has none (0)."""
        there = [link for link in links if link is not None]
        if not there or self.limit is not None:
            return list(links)
        try:
            scores = await score_texts(self.context, self.problem, self.scorer, [link.text for link in there])
        except BackendError as error:  # what was written stays
            self.context.emit(Warned(message=f"the chains end early, {self.scorer.name} scores nothing: {error}"))
            self.unscored = True
            return list(links)
        self.limit = self.limit or next((score.limit for score in scores if score.limit), None)
        rewards = iter([UNSCORED if score.value is None else score.value for score in scores])
        return [None if link is None else link.model_copy(update={"reward": next(rewards)}) for link in links]


def candidate_of(problem: Problem, link: Link) -> Candidate:
    """The candidate that a state is. Pure."""
    steps = (Step(kind="thought", text=link.text),)
    reply = Completion(text=link.text, finish_reason="length" if link.cut_short else "stop")
    stated = stated_answer(reply, problem.choices)
    if isinstance(stated, Answer):
        return Candidate(steps=steps, answer=stated, extraction_stage=1)
    return Candidate(steps=steps, failure=stated)


def votes(config: QalignConfig, number: int) -> bool:
    """Whether state ``number`` of its chain (from 0) votes. Pure."""
    return number >= config.burn_in and (number - config.burn_in) % config.thin == 0


def build(config: QalignConfig) -> StateGraph[Any, Any, Any, Any]:
    """walk → select."""

    async def walk(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        scorer = await require_scorer(runtime.context, state.problem, config.scorer)
        chains = _Walk(runtime.context, state.problem, config, scorer)
        await chains.run()
        kept = tuple(votes(config, number) for number, _ in chains.states)
        candidates = [candidate_of(state.problem, link) for _, link in chains.states]
        update = await filter_then_vote(runtime.context, candidates, kept)
        return {
            **update,
            "candidates": candidates,
            "scores": [link.reward for _, link in chains.states],
            "limit": chains.limit,
            "finished": True,
        }

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("walk", walk)
    graph.add_edge(START, "walk")
    graph.add_edge("walk", END)
    return graph


STRATEGY = Strategy(
    name="qalign",
    summary="Sample solutions in proportion to their reward by Markov chains, and take the majority.",
    paper="Sample, Don't Search: Rethinking Test-Time Alignment for Language Models (arXiv 2504.03790)",
    config=QalignConfig,
    build=build,
    prompts=(*PROMPTS, *SCORING_PROMPTS),
    kind="sampling",
    calls=(64, 64),
    needs=("log-probs",),
)
