"""auto: two cheap views; where they agree and nothing speaks against it, done; else sample, check and repair.

Our own composition: agreement of two views (JointThinking, arXiv 2508.03363), more samples until the lead is clear
(Adaptive-Consistency, arXiv 2305.11860), executed checks weigh the votes, and a repair of what fails them (Self-Refine,
arXiv 2303.17651). Why these parts in this order: docs/decisions/7-auto.md.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Literal

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS
from mathagent.agents.blocks.agree_or_escalate import agree_or_escalate
from mathagent.agents.blocks.by_turns import TURNS_PROMPTS, sample_by_turns
from mathagent.agents.blocks.check import CHECK_PROMPTS, voters
from mathagent.agents.blocks.code_loop import CodeLoopConfig
from mathagent.agents.blocks.program import PROGRAM_PROMPTS, ProgramConfig, run_programs, write_programs
from mathagent.agents.blocks.reason import REASON_PROMPTS, ReasonConfig, conclude_reasoning, write_reasoning
from mathagent.agents.blocks.recall import (
    RECALL_PROMPTS,
    ExemplarForm,
    RecallingConfig,
    add_recall,
    newly_shown,
    offered,
)
from mathagent.agents.blocks.repair import REPAIR_PROMPT, repair_program
from mathagent.agents.blocks.select import answer_classes
from mathagent.agents.blocks.stopping import adaptive_consistency
from mathagent.agents.blocks.verify import choose_verified, verify
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.events import Voted
from mathagent.types import Problem

_COMPUTES = re.compile(
    r"\d|[=+^√∑∫π]|\\[a-z]+|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty"
    r"|hundred|thousand|half|third|quarter|twice|thrice|double|triple|dozen|percent|sum|product|number|many|much)\b",
    re.IGNORECASE,
)


class AutoConfig(RecallingConfig):
    """Settings of the default strategy."""

    n: int = Field(default=6, ge=2, le=256, description="Samples at most, the two views included.")
    temperature: float | None = Field(
        default=0.7, ge=0, le=2, description="Temperature of further samples; the two views are greedy."
    )
    threshold: float = Field(default=0.95, gt=0.5, lt=1, description="Lead probability that ends sampling.")
    by: Literal["turns", "program"] = Field(
        default="turns",
        description="A sample with programs: turns with the sandbox, as tir, or one program, as pal.",
    )
    programs: int = Field(default=3, ge=0, le=64, description="Programs in each further window of samples.")
    words: int = Field(default=1, ge=0, le=64, description="Chains of reasoning in each further window.")
    ask_verifier: bool = Field(
        default=True, description="Whether a verifier proposes checks where no lead is clear."
    )
    repairs: int = Field(
        default=1, ge=0, le=16, description="Repairs of an answer that fails its checks, at most."
    )
    program_tokens: int = Field(default=512, ge=1, description="Completion tokens of one program.")
    rounds: int = Field(default=4, ge=1, le=64, description="Turns of the model at most, where it works by turns.")

    def program_config(self, temperature: float | None) -> ProgramConfig:
        return ProgramConfig(temperature=temperature, top_p=self.top_p, max_tokens=self.program_tokens)

    def turns_config(self, temperature: float | None) -> CodeLoopConfig:
        return CodeLoopConfig(
            temperature=temperature, top_p=self.top_p, max_tokens=self.max_tokens, rounds=self.rounds
        )

    def reason_config(self, temperature: float | None) -> ReasonConfig:
        return ReasonConfig(temperature=temperature, top_p=self.top_p, max_tokens=self.max_tokens)


def computes(problem: Problem) -> bool:
    """Whether a program could help: the problem speaks of numbers or formulas. Pure."""
    return bool(_COMPUTES.search("\n".join((problem.text, *problem.choices))))


def forms_of(problem: Problem) -> tuple[ExemplarForm, ...]:
    """The forms of remembered solutions that the views of ``problem`` can be shown. Pure."""
    return ("program", "reasoning") if computes(problem) else ("reasoning",)


async def by_words(
    context: RunContext, state: SolveState, config: ReasonConfig, *, n: int, first_sample: int, rescue: bool
) -> dict[str, Any]:
    """The state update with n candidates by reasoning in words; ``rescue`` asks truncated ones, too."""
    drafts, limit = await write_reasoning(
        context, state.problem, config, n=n, first_sample=first_sample, recalled=offered(state)
    )
    candidates, later = await conclude_reasoning(context, state.problem, config, drafts, rescue_truncated=rescue)
    shown = newly_shown(state, drafts, "reasoning")
    return {"candidates": candidates, "limit": limit or later, "recalled": shown}


async def by_programs(
    context: RunContext,
    state: SolveState,
    config: AutoConfig,
    temperature: float | None,
    *,
    n: int,
    first_sample: int,
) -> dict[str, Any]:
    """The state update with n candidates that compute, by turns with the sandbox or by one program each."""
    if config.by == "turns":
        loop = config.turns_config(temperature)
        return await sample_by_turns(context, state, loop, n=n, first_sample=first_sample)
    program = config.program_config(temperature)
    drafts, limit = await write_programs(
        context, state.problem, program, n=n, first_sample=first_sample, recalled=offered(state)
    )
    candidates = await run_programs(context, state.problem, program, drafts)
    return {"candidates": candidates, "limit": limit, "recalled": newly_shown(state, drafts, "program")}


def build(config: AutoConfig) -> StateGraph[Any, Any, Any, Any]:
    """recall → (reason, write_program) → compare → check, or sample ⇄ vote → verify ⇄ repair → select."""

    async def reason(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return await by_words(runtime.context, state, config.reason_config(0.0), n=1, first_sample=0, rescue=True)

    async def write_program(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        if not computes(state.problem):
            return {}
        return await by_programs(runtime.context, state, config, 0.0, n=1, first_sample=1)

    async def check(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        """The checks that cost no call to a model, on the answer that the views share."""
        last = len(state.candidates) - 1  # the program's, where there is one: it can be run again
        update = await verify(runtime.context, state, [last], ask_verifier=False)
        return {**update, "agreed": update["verdicts"][last].judgement != "incorrect"}

    async def sample(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem, done = runtime.context, state.problem, len(state.candidates)
        with_programs = computes(problem) and config.programs > 0
        words = config.words if with_programs else max(1, config.words + config.programs)
        programs = min(config.programs if with_programs else 0, config.n - done)
        words = min(words, config.n - done - programs)
        draws = []
        if programs:
            draws.append(by_programs(context, state, config, config.temperature, n=programs, first_sample=done))
        if words:
            in_words, first = config.reason_config(config.temperature), done + programs
            draws.append(by_words(context, state, in_words, n=words, first_sample=first, rescue=False))
        updates = await asyncio.gather(*draws)
        return {
            "candidates": [one for update in updates for one in update["candidates"]],
            "limit": next((update["limit"] for update in updates if update["limit"]), None),
            "recalled": [one for update in updates for one in update["recalled"]],
        }

    async def vote(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        classes = await answer_classes(runtime.context, voters(state.problem, state.candidates))
        samples = len(state.candidates)
        decision = adaptive_consistency(
            [one.votes for one in classes], samples, threshold=config.threshold, least=2, most=config.n
        )
        stop = decision.stop or state.limit is not None
        tally = tuple((one.answer, one.votes) for one in classes)
        runtime.context.emit(
            Voted(classes=tally, samples=samples, stop=stop, reason=state.limit or decision.reason)
        )
        clear = decision.stop and decision.confidence >= config.threshold
        return {"finished": stop, "agreed": clear}

    async def check_leaders(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        classes = await answer_classes(runtime.context, voters(state.problem, state.candidates))
        leaders = [_witness(state, one.members) for one in classes[:2]]
        if state.rounds:
            leaders.append(len(state.candidates) - 1)
        fresh = [index for index in dict.fromkeys(leaders) if index not in state.verdicts]
        answered = [index for index in fresh if state.candidates[index].answer is not None]
        return await verify(runtime.context, state, answered, ask_verifier=config.ask_verifier)

    async def repair(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, number = runtime.context, len(state.candidates)
        index = await _leader(context, state)
        verdict = state.verdicts.get(index)
        candidate, limit = await repair_program(
            context,
            state.problem,
            config.program_config(0.0),
            state.candidates[index],
            verdict.checks if verdict else (),
            sample=number,
        )
        return {"candidates": [candidate], "limit": limit, "rounds": state.rounds + 1}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates = voters(state.problem, state.candidates)
        return {**await choose_verified(runtime.context, candidates, state.verdicts), "finished": True}

    def after_check(state: SolveState) -> str:
        return "select" if state.agreed or state.limit is not None else "sample"

    def after_vote(state: SolveState) -> str:
        if not state.finished:
            return "sample"
        if state.agreed or state.limit is not None:
            return "select"
        return "verify" if any(candidate.answer for candidate in state.candidates) else after_verify(state)

    def after_verify(state: SolveState) -> str:
        ended = state.limit is not None or state.rounds >= config.repairs or not computes(state.problem)
        judged = {verdict.judgement for verdict in state.verdicts.values()}
        fine = "correct" in judged or judged == {"unsure"}
        return "select" if ended or fine else "repair"

    graph = StateGraph(SolveState, context_schema=RunContext)
    views = {"reason": reason, "write_program": write_program}
    agree_or_escalate(graph, views, agreed="check", escalate="sample", ended="select")
    add_recall(graph, config, forms_of, before=list(views))
    nodes = {"check": check, "sample": sample, "vote": vote, "verify": check_leaders, "repair": repair}
    for name, node in {**nodes, "select": select}.items():
        graph.add_node(name, node)
    graph.add_conditional_edges("check", after_check, ["select", "sample"])
    graph.add_edge("sample", "vote")
    graph.add_conditional_edges("vote", after_vote, ["sample", "verify", "repair", "select"])
    graph.add_conditional_edges("verify", after_verify, ["repair", "select"])
    graph.add_edge("repair", "verify")
    graph.add_edge("select", END)
    return graph


def _witness(state: SolveState, members: tuple[int, ...]) -> int:
    """The member of a class to be checked: one with a program, which can be run again, else the first."""
    return next((index for index in members if state.candidates[index].checks), members[0])


async def _leader(context: RunContext, state: SolveState) -> int:
    """The witness of the class with the most votes; the last candidate where no one has an answer."""
    classes = await answer_classes(context, voters(state.problem, state.candidates))
    return _witness(state, classes[0].members) if classes else len(state.candidates) - 1


STRATEGY = Strategy(
    name="auto",
    summary="Two cheap views; if they differ, more samples, executed checks, repair: as much as the problem needs.",
    paper="JointThinking (arXiv 2508.03363), Adaptive-Consistency (arXiv 2305.11860), Self-Refine (arXiv 2303.17651)",
    config=AutoConfig,
    build=build,
    prompts=(
        *(*REASON_PROMPTS, *PROGRAM_PROMPTS, *TURNS_PROMPTS, *RECALL_PROMPTS),
        *(REPAIR_PROMPT, *CHECK_PROMPTS, *ASK_PROMPTS),
    ),
    kind="two views",
    calls=(2, 22),
    needs=("sandbox",),
)
