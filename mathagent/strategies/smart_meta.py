"""smart-meta: try first the strategy that did best on similar problems; where its answer is rejected, the next best.

Paper: "SMART: Self-learning Meta-strategy Agent for Reasoning Tasks" (arXiv 2410.16128), with outcomes remembered in
place of training. Score: smoothed success rate among the nearest outcomes of this model, weighted by similarity, less
what the tokens cost; with probability ``epsilon`` (decided by problem and seed) another one goes first. An answer is
rejected where a check fails or it is missing; no strategy is tried twice. Unlike the paper's, a later try sees nothing
of the earlier ones. All share one budget.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, field_validator

from mathagent.agents.blocks.agree_or_escalate import all_agree
from mathagent.agents.blocks.check import CHECK_PROMPTS
from mathagent.agents.blocks.code_loop import OBSERVATION_PROMPT
from mathagent.agents.blocks.part import run_part, with_update
from mathagent.agents.blocks.program import PROGRAM_PROMPTS
from mathagent.agents.blocks.reason import REASON_PROMPTS
from mathagent.agents.blocks.recall import RECALL_PROMPTS, find_hits
from mathagent.agents.blocks.strategy_choice import (
    Neighbour,
    estimate_strategies,
    explained,
    explored,
    with_outcomes,
)
from mathagent.agents.blocks.verify import choose_verified, verify
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.errors import UsageError
from mathagent.events import PlanMade
from mathagent.memory.base import Query
from mathagent.memory.experience import StrategyStatistics
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem, Trial

NAME = "smart-meta"
UNKNOWN_SIMILARITY = 0.5
"""Of an outcome that only its words were found by."""


class SmartMetaConfig(StrategyConfig):
    """Settings of smart-meta. Temperature, top_p and max_tokens, where given, are the strategies'."""

    n: int = Field(default=3, ge=1, le=16, description="Strategies tried at most, one after another.")
    top_p: float | None = Field(default=None, gt=0, le=1, description="Nucleus of sampling.")  # type: ignore[assignment]
    max_tokens: int | None = Field(default=None, ge=1, description="Completion tokens of one sample.")  # type: ignore[assignment]
    strategies: tuple[str, ...] = Field(
        default=("cot", "pal", "tir"), min_length=1, max_length=16, description="The strategies to choose from."
    )
    neighbours: int = Field(default=10, ge=1, le=100, description="Outcomes that count, of each strategy.")
    cost_weight: float = Field(default=0.05, ge=0, description="Success rate that 1,000 tokens are worth.")
    epsilon: float = Field(default=0.1, ge=0, le=1, description="Probability of exploring.")
    accept: Literal["unsure", "correct"] = Field(
        default="unsure",
        description="Verdict that is enough to accept an answer; an unsure one that two give is always enough.",
    )
    ask_verifier: bool = Field(default=True, description="Whether a verifier proposes checks.")

    @field_validator("strategies")
    @classmethod
    def _can_be_tried(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        chosen: list[Strategy] = [STRATEGIES.load(name) for name in names]
        if any(strategy.name == NAME for strategy in chosen):
            raise UsageError(
                f"{NAME} cannot be one of its own strategies; leave it out of the setting 'strategies'"
            )
        if len({strategy.name for strategy in chosen}) < len(chosen):
            raise UsageError("the setting 'strategies' names a strategy twice; name each once")
        return names

    def settings_of_strategies(self) -> dict[str, Any]:
        """What is set for all strategies alike."""
        shared = {"temperature": self.temperature, "top_p": self.top_p, "max_tokens": self.max_tokens}
        return {key: value for key, value in shared.items() if value is not None}


async def outcomes_near(context: RunContext, problem: Problem, config: SmartMetaConfig) -> list[Neighbour]:
    """How the strategies fared on similar problems with this model, the nearest first."""
    query = Query(
        text=problem_text(problem),
        kinds=("statistics",),
        limit=config.neighbours,
        model=context.backend.name,
        least_trust="judged",
        diversity=0.0,
    )
    found: list[Neighbour] = []
    for name in config.strategies:
        strategy: Strategy = STRATEGIES.load(name)
        for hit in await find_hits(context, query.model_copy(update={"strategy": strategy.name})):
            content = hit.experience.content
            assert isinstance(content, StrategyStatistics)
            similarity = UNKNOWN_SIMILARITY if hit.similarity is None else max(0.0, hit.similarity)
            found.append((content.model_copy(update={"strategy": name}), similarity))
    return found


async def judged(
    context: RunContext, state: SolveState, config: SmartMetaConfig, trial: Trial
) -> tuple[Trial, dict[str, Any]]:
    """``trial``, whose candidates are in ``state``, with what its checks say; and the state update of the checks."""
    if trial.candidate is None:
        cut = state.limit is not None  # the strategy did not fail: it could not end
        return trial.model_copy(update={"judgement": "unsure" if cut else "incorrect"}), {}
    update = await verify(context, state, [trial.candidate], ask_verifier=config.ask_verifier)
    judgement = update["verdicts"][trial.candidate].judgement
    accepted = judgement == "correct" or (
        judgement == "unsure" and (config.accept == "unsure" or await _is_shared(context, state, trial))
    )
    return trial.model_copy(update={"judgement": judgement, "accepted": accepted}), update


async def _is_shared(context: RunContext, state: SolveState, trial: Trial) -> bool:
    """Whether an earlier trial, not found incorrect, has the answer of ``trial``."""
    assert trial.candidate is not None
    own = state.candidates[trial.candidate]
    for earlier in state.trials:
        if earlier.candidate is None or earlier.judgement == "incorrect":
            continue
        if await all_agree(context, [own, state.candidates[earlier.candidate]]):
            return True
    return False


def build(config: SmartMetaConfig) -> StateGraph[Any, Any, Any, Any]:
    """choose → try_strategy, until an answer is accepted → select."""

    async def choose(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        estimates = estimate_strategies(
            config.strategies,
            await outcomes_near(context, problem, config),
            nearest=config.neighbours,
            cost_weight=config.cost_weight,
        )
        order = explored(estimates, epsilon=config.epsilon, key=f"{problem.content_hash()} {context.seed}")
        plan = explained(order, best=estimates[0])
        context.emit(PlanMade(text=plan))
        return {"plan": plan, "ranking": tuple(one.strategy for one in order)}

    async def try_strategy(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        strategy: Strategy = STRATEGIES.load(state.ranking[len(state.trials)])
        configured = strategy.configure(config.settings_of_strategies())
        trial, update = await run_part(context, state, strategy, configured)
        trial, checked = await judged(context, with_update(state, update), config, trial)
        return {**update, **checked, "trials": [trial]}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await chosen_trial(runtime.context, state), "finished": True}

    def after_trial(state: SolveState) -> str:
        ended = state.limit is not None or len(state.trials) >= min(config.n, len(state.ranking))
        return "select" if ended or state.trials[-1].accepted else "try_strategy"

    graph = StateGraph(SolveState, context_schema=RunContext)
    for name, node in (("choose", choose), ("try_strategy", try_strategy), ("select", select)):
        graph.add_node(name, node)
    graph.add_edge(START, "choose")
    graph.add_edge("choose", "try_strategy")
    graph.add_conditional_edges("try_strategy", after_trial, ["try_strategy", "select"])
    graph.add_edge("select", END)
    return graph


async def chosen_trial(context: RunContext, state: SolveState) -> dict[str, Any]:
    """The state update with the accepted answer; where none was accepted, with the one that checks support best."""
    solved = any(trial.accepted for trial in state.trials)
    kept = {
        trial.candidate: trial.strategy
        for trial in state.trials
        if trial.candidate is not None and not (solved and trial.judgement == "incorrect")
    }
    candidates = [state.candidates[index] for index in kept]
    verdicts = {place: state.verdicts[index] for place, index in enumerate(kept) if index in state.verdicts}
    update = await choose_verified(context, candidates, verdicts)
    tried = ", ".join(trial.strategy for trial in state.trials)
    basis = f"{'solved' if solved else 'unsolved'} after {tried}; {update['confidence_basis']}"
    return {**update, "confidence_basis": basis}


STRATEGY = Strategy(
    name=NAME,
    summary="Try first the strategy that did best on similar problems; the next where checks reject its answer.",
    paper="SMART: Self-learning Meta-strategy Agent for Reasoning Tasks (arXiv 2410.16128)",
    config=SmartMetaConfig,
    build=build,
    prompts=(
        *REASON_PROMPTS,
        *PROGRAM_PROMPTS,
        *RECALL_PROMPTS,
        "tir/solve",
        OBSERVATION_PROMPT,
        *CHECK_PROMPTS,
    ),
    learn=lambda solution, found: with_outcomes(solution, solution.trials, found),
    kind="memory",
    calls=(2, 8),
    needs=("sandbox", "memory"),
    training_free=False,
)
