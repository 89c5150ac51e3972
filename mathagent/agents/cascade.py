"""The cascade over models: a strategy on the cheapest model, then, where that is unsure, on the next.

Idea: "FrugalGPT: How to Use Large Language Models While Reducing Cost and Improving Performance" (arXiv 2305.05176).
Sure is what ``a | b`` of strategies calls so (blocks/compose.py): there is an answer, no check of it fails, and its
confidence, calibrated where a calibration of that model is known, reaches the threshold. A model that fails is unsure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.blocks.compose import first_sure
from mathagent.agents.blocks.solve_within import solve_within
from mathagent.agents.context import RunContext
from mathagent.agents.graph import ready_graph
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.errors import UsageError
from mathagent.models.router import Router
from mathagent.scorers.confidence import Calibrations, with_confidence
from mathagent.types import Solution, Usage


@dataclass(frozen=True)
class Stage:
    """A model of a cascade: its name, by which a context opens it, and its identity, by which it is calibrated."""

    name: str
    identity: str


def in_cascade(strategy: Strategy, router: Router, calibrations: Calibrations) -> Strategy:
    """``strategy`` as the stages of ``router`` work by it, one after the other; with one stage it stays as it is.

    Settings, name and prompts are those of ``strategy``.
    """
    if len(router.stages) == 1:
        return strategy
    stages = tuple(Stage(one.name, one.identity) for one in router.stages)
    return replace(strategy, build=_cascade_of(strategy, stages, router.below, calibrations))


@lru_cache(maxsize=64)
def _cascade_of(
    strategy: Strategy, stages: Sequence[Stage], below: float, calibrations: Calibrations
) -> Callable[[StrategyConfig], StateGraph[Any, Any, Any, Any]]:
    parts = [_on_model(strategy, stage, calibrations) for stage in stages]

    def build(config: StrategyConfig) -> StateGraph[Any, Any, Any, Any]:
        """A node for each model → select."""
        return first_sure([(part, config) for part in parts], threshold=below, ask_verifier=False, own_models=True)

    return build


def _on_model(strategy: Strategy, stage: Stage, calibrations: Calibrations) -> Strategy:
    """``strategy`` on one model, whatever the model of its context."""

    def build(config: StrategyConfig) -> StateGraph[Any, Any, Any, Any]:
        """solve."""

        async def solve(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
            context = runtime.context
            if context.open_model is None:
                raise UsageError(f"this solve cannot open the model {stage.name}")
            here = replace(context, backend=context.open_model(stage.name, None))
            before = context.meter.usage
            end = await solve_within(here, state.problem, ready_graph(strategy, config), 0)
            sure = _calibrated(end, strategy, config, stage, calibrations, _since(before, context.meter.usage))
            return {
                "candidates": end.candidates,
                "answer": end.answer,
                "confidence": sure.confidence,
                "confidence_basis": sure.confidence_basis,
                "certificate": end.certificate,
                "limit": end.limit,
                "recalled": end.recalled,
                "winner": end.winner,
                "finished": True,
            }

        graph = StateGraph(SolveState, context_schema=RunContext)
        graph.add_node("solve", solve)
        graph.add_edge(START, "solve")
        graph.add_edge("solve", END)
        return graph

    return replace(strategy, name=f"{strategy.name} on {stage.name}", build=build)


def _since(before: Usage, now: Usage) -> Usage:
    """The tokens that were used since: all that calibration looks at."""
    return Usage(completion_tokens=now.completion_tokens - before.completion_tokens)


def _calibrated(
    end: SolveState,
    strategy: Strategy,
    config: StrategyConfig,
    stage: Stage,
    calibrations: Calibrations,
    usage: Usage,
) -> Solution:
    """The end of one model's solve as a Solution, whose confidence is calibrated for it where that is known."""
    solution = Solution(
        problem=end.problem,
        answer=end.answer,
        confidence=end.confidence,
        confidence_basis=end.confidence_basis,
        certificate=end.certificate,
        candidates=tuple(end.candidates),
        usage=usage,
        stopped="finished" if end.limit is None else "budget",
        strategy=strategy.name,
        config=config.model_dump(mode="json"),
        model=stage.name,
    )
    return with_confidence(solution, calibrations.find(solution, stage.identity))
