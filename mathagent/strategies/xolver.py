"""xolver: a cast of experts solves in rounds; a judge scores each response, and all see the best ones of all rounds.

Paper: "Xolver: Multi-Agent Reasoning with Holistic Experience Learning Just Like an Olympiad Team" (arXiv 2506.14234),
for mathematics (its coding side, with tests and a debugger, is left out). Settings hold what its repository
(github.com/kagnlp/Xolver) does otherwise; the defaults are the paper's. Programs are really executed, one a response.
Where no memory fits, agents recall a similar problem themselves. Of Xolver(+) the paper stores every best response;
memory keeps ours only where it is known to be right (memory/distil.py), and Xolver(-) leaves none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, model_validator

from mathagent.agents.ask import ASK_PROMPTS
from mathagent.agents.blocks.casting import CASTER, cast
from mathagent.agents.blocks.code_loop import OBSERVATION_PROMPT, CodeLoopConfig, code_loop
from mathagent.agents.blocks.extract_best import extract_best
from mathagent.agents.blocks.judging import BINARY_JUDGE, judge_responses
from mathagent.agents.blocks.reason import stated_answer
from mathagent.agents.blocks.recall import LEAST_TRUST, RecallingConfig, search_memory, without_turn_tokens
from mathagent.agents.blocks.recollect import RECOLLECT_PROMPT, recollect
from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.shared_store import best_responses, response_text, shared_response
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import EXTRACTOR, JUDGE
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed, PlanMade
from mathagent.memory.base import Query
from mathagent.memory.experience import Exemplar, Experience
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Failure, Message, SamplingParams, Solution, Step

SOLVE_PROMPT = "xolver/solve"
PERFECT = 1.0
TURNS = 2
"""Of an agent in a round: one that may end in a program, and one that has seen its output."""


class XolverConfig(RecallingConfig):
    """Settings of Xolver. Not ``n``: it is agents times rounds. ``recall`` is the paper's K."""

    agents: int = Field(default=3, ge=1, le=16, description="Experts, and best responses that all see.")
    rounds: int = Field(default=2, ge=1, le=15, description="Rounds at most.")
    temperature: float | None = Field(default=0.2, ge=0, le=2, description="Sampling temperature of all roles.")
    recall: int = Field(default=5, ge=0, le=64, description="Solved problems of the memory to show at most.")
    recall_tokens: int = Field(default=1500, ge=1, description="Tokens that they may take together (estimated).")
    retrieval: Literal["auto", "external", "self", "none"] = Field(
        default="auto",
        description="Similar problems: from the memory (external), recalled by the model (self), or the memory and "
        "where it has none the model (auto).",
    )
    response_chars: int = Field(
        default=1600, ge=200, description="Characters of a response that others see; its ends are kept."
    )
    learn: bool = Field(default=True, description="Xolver(+): a memory that learns may keep the response.")
    kept: Literal["best", "last"] = Field(
        default="best",
        description="The response that it may keep: the winner's; last: the last agent's (repository).",
    )
    exemplars_every_round: bool = Field(
        default=False, description="Show, and recall, similar problems in every round (repository)."
    )
    explanations: bool = Field(
        default=True, description="Show what the judge said; false: scores alone (repository)."
    )
    binary_scores: bool = Field(default=False, description="The judge scores 0 or 1 (repository), not in [0, 1].")
    early_stop: bool = Field(
        default=True, description="Stop once all shared responses score 1; false: never (repository)."
    )
    inclusive_rounds: bool = Field(
        default=False, description="Count rounds from 0 to rounds, as the paper's pseudo-code does: one more."
    )
    run_python: bool = Field(
        default=True, description="Run the agents' programs; false: Python is only mentioned (repository)."
    )

    @model_validator(mode="before")
    @classmethod
    def _attempts_follow(cls, given: Any) -> Any:
        """Responses at most: agents times rounds."""
        if not isinstance(given, dict):
            return given
        agents, rounds = (given.get(name, cls.model_fields[name].default) for name in ("agents", "rounds"))
        if not (isinstance(agents, int) and isinstance(rounds, int)):
            return given
        n = agents * (rounds + bool(given.get("inclusive_rounds")))
        if given.get("n", n) != n:
            raise ValueError("n follows from agents and rounds; set those")
        return {**given, "n": n}

    @property
    def code_loop(self) -> CodeLoopConfig:
        """How an agent answers with programs."""
        return CodeLoopConfig(
            temperature=self.sampling_temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            rounds=TURNS,
            state="fresh",
        )

    def role_params(self, max_tokens: int | None = None) -> SamplingParams:
        """The sampling of a role that writes at most ``max_tokens`` (else as many as an agent)."""
        return SamplingParams(
            temperature=self.sampling_temperature, top_p=self.top_p, max_tokens=max_tokens or self.max_tokens
        )


def shows_exemplars(config: XolverConfig, state: SolveState) -> bool:
    """Whether the agents of the next round see similar problems."""
    return not state.candidates or config.exemplars_every_round


def agent_prompt(
    config: XolverConfig, state: SolveState, agent: int, recollection: str = ""
) -> tuple[Message, ...]:
    """What agent number ``agent`` is asked in the next round. Pure.

    The shared part is the same for all agents and comes first, so that a server reads it once; the agent's own
    previous response is named by its place where it is among the shared ones.
    """
    candidates = state.candidates
    mine = [index for index in range(agent, len(candidates), config.agents) if candidates[index].steps]
    shared = best_responses(candidates, state.scores, config.agents)
    own = mine[-1] if mine else None
    said = state.verdicts if config.explanations else {}
    exemplars = [without_turn_tokens(one.content) for one in state.recalled if isinstance(one.content, Exemplar)]
    return render(
        SOLVE_PROMPT,
        problem=problem_text(state.problem),
        has_choices=bool(state.problem.choices),
        runs=config.run_python,
        exemplars=exemplars if shows_exemplars(config, state) else [],
        recollection=recollection,
        store=[
            shared_response(candidates[index], state.scores[index], said.get(index), config.response_chars)
            for index in shared
        ],
        own="" if own is None else response_text(candidates[own], config.response_chars),
        own_place=shared.index(own) + 1 if own in shared else None,
        role=state.plan.splitlines()[agent],
    )


async def respond(
    context: RunContext, config: XolverConfig, state: SolveState, agent: int
) -> tuple[Candidate, str | None]:
    """The response of agent number ``agent`` in the next round, and the limit that ended it.

    A request that failed is a candidate that failed.
    """
    sample = len(state.candidates) + agent
    itself = config.retrieval == "self" or (config.retrieval == "auto" and not state.recalled)
    recollection = ""
    if itself and shows_exemplars(config, state):
        recollection = await recollect(context, state.problem, config.role_params(), sample=sample)
    messages = agent_prompt(config, state, agent, recollection)
    try:
        if config.run_python:
            return await code_loop(context, state.problem, config.code_loop, messages, role="agent", sample=sample)
        drafts, limit = await draw(context, messages, config.role_params(), role="agent", first_sample=sample)
    except BackendError as error:
        return Candidate(failure=Failure(kind="model-error", message=str(error))), None
    reply = drafts[0].completion if drafts else None
    if reply is None:
        ended = Failure(kind="no-answer", message="the budget ended before an answer")
        return Candidate(failure=ended), limit
    steps = (Step(kind="thought", text=reply.text),)
    stated = stated_answer(reply, state.problem.choices)
    if isinstance(stated, Answer):
        return Candidate(steps=steps, answer=stated), limit
    return Candidate(steps=steps, failure=stated), limit


def raise_if_unreachable(candidates: Sequence[Candidate]) -> None:
    """Raises BackendError where a failed request ended every response of a round."""
    failures = [candidate.failure for candidate in candidates if candidate.failure is not None]
    if len(failures) == len(candidates) and all(one.kind == "model-error" for one in failures):
        raise BackendError(failures[0].message)


def is_settled(config: XolverConfig, state: SolveState) -> bool:
    """Whether all that the agents would see in a further round has the perfect score. Pure."""
    shared = best_responses(state.candidates, state.scores, config.agents)
    return len(shared) == config.agents and all(state.scores[index] >= PERFECT for index in shared)


def last_giving(candidates: Sequence[Candidate], answer: str | None) -> int | None:
    """The last response that was written, if it gives ``answer``: the repository stores it whatever it says. Pure."""
    last = next((index for index in reversed(range(len(candidates))) if candidates[index].steps), None)
    given = None if last is None else candidates[last].answer
    return last if given is not None and given.normal == answer else None


def learn(solution: Solution, found: Sequence[Experience]) -> list[Experience]:
    """``found`` without its exemplar for Xolver(-), and where the response to be kept does not give the answer. Pure.

    What vouches for the answer can vouch for no response that gives another.
    """
    config = XolverConfig.model_validate(solution.config)
    kept = config.learn and (config.kept == "best" or solution.winner is not None)
    return [one for one in found if kept or one.kind != "exemplar"]


def build(config: XolverConfig) -> StateGraph[Any, Any, Any, Any]:
    """plan → retrieve → (attempt → judge), round by round → verify."""
    external = config.retrieval in ("auto", "external") and config.recall > 0

    async def plan(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        names, limit = await cast(
            context, state.problem, config.agents, config.role_params(CASTER.params.max_tokens)
        )
        context.emit(PlanMade(text="\n".join(names)))
        return {"plan": "\n".join(names), "limit": limit}

    async def retrieve(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        text = problem_text(state.problem)
        query = Query(text=text, kinds=("exemplar",), limit=config.recall, least_trust=LEAST_TRUST)
        return {"recalled": await search_memory(runtime.context, query, max_tokens=config.recall_tokens)}

    async def attempt(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        results = await asyncio.gather(*(respond(context, config, state, agent) for agent in range(config.agents)))
        candidates = [candidate for candidate, _ in results]
        for sample, candidate in enumerate(candidates, start=len(state.candidates)):
            context.emit(CandidateProposed(sample=sample, candidate=candidate))
        raise_if_unreachable(candidates)
        return {"candidates": candidates, "limit": next((limit for _, limit in results if limit), None)}

    async def judge(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        params = config.role_params(JUDGE.params.max_tokens)
        return await judge_responses(runtime.context, state, params, binary=config.binary_scores)

    async def verify(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        params = config.role_params(EXTRACTOR.params.max_tokens)
        update = await extract_best(runtime.context, state, params)
        if config.kept == "last":
            update["winner"] = last_giving(state.candidates, update["answer"])
        return {**update, "finished": True}

    def after_plan(state: SolveState) -> str:
        return "verify" if state.limit is not None else "retrieve" if external else "attempt"

    def after_judge(state: SolveState) -> str:
        ended = state.limit is not None or len(state.candidates) >= config.n
        return "verify" if ended or (config.early_stop and is_settled(config, state)) else "attempt"

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("plan", plan)
    if external:
        graph.add_node("retrieve", retrieve)
        graph.add_edge("retrieve", "attempt")
    graph.add_node("attempt", attempt)
    graph.add_node("judge", judge)
    graph.add_node("verify", verify)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", after_plan, ["retrieve" if external else "attempt", "verify"])
    graph.add_edge("attempt", "judge")
    graph.add_conditional_edges("judge", after_judge, ["attempt", "verify"])
    graph.add_edge("verify", END)
    return graph


STRATEGY = Strategy(
    name="xolver",
    summary="A cast of experts solves in rounds and sees the best-judged responses; memory lends solved problems.",
    paper="Xolver: Multi-Agent Reasoning with Holistic Experience Learning (arXiv 2506.14234)",
    config=XolverConfig,
    build=build,
    prompts=(
        *(CASTER.prompt, RECOLLECT_PROMPT, SOLVE_PROMPT, OBSERVATION_PROMPT),
        *(JUDGE.prompt, BINARY_JUDGE.prompt, EXTRACTOR.prompt),
        *ASK_PROMPTS,
    ),
    learn=learn,
    kind="teams",
    calls=(8, 23),
    needs=("sandbox",),
)
