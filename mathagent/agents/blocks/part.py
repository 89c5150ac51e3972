"""Block part: a whole strategy as one part of a solve: how it ended, and what that is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mathagent.agents.blocks.solve_within import solve_within
from mathagent.agents.context import RunContext
from mathagent.agents.graph import ready_graph
from mathagent.agents.state import PartEnd, SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.budget import Meter
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed
from mathagent.types import Candidate, Failure, Trial


def witness(end: SolveState) -> int | None:
    """The candidate with the answer that a solve ended with: the one it names, else one with a program, which can be
    run again, else the first; None where it has no answer. Pure."""
    places = [
        place
        for place, candidate in enumerate(end.candidates)
        if candidate.answer is not None and candidate.answer.normal == end.answer
    ]
    if end.winner in places:
        return end.winner
    return next((place for place in places if end.candidates[place].checks), places[0] if places else None)


async def run_part(
    context: RunContext, state: SolveState, strategy: Strategy, config: StrategyConfig
) -> tuple[Trial, dict[str, Any]]:
    """Solves the problem of ``state`` by ``strategy``: the trial, unjudged, and the state update of all but that.

    Its candidates are numbered on from those of ``state``, and no sample that ``state`` says was drawn is drawn again.
    What ends it early is raised, as by ``solve_within``; the end of the budget is no such thing.
    """
    done = len(state.candidates)
    spent = _spending(context.meter)
    end = await solve_within(context, state.problem, ready_graph(strategy, config), done, state.drawn)
    place = witness(end)
    trial = Trial(
        strategy=strategy.name,
        answer=end.answer if place is not None else None,
        candidate=None if place is None else done + place,
        **spent(),
    )
    left = PartEnd(
        answer=trial.answer,
        confidence=end.confidence,
        confidence_basis=end.confidence_basis,
        certificate=end.certificate,
    )
    update = {
        "candidates": end.candidates,
        "recalled": end.recalled,
        "limit": end.limit,
        "drawn": end.drawn,
        "ends": [left],
    }
    return trial, update


async def run_part_or_lose_it(
    context: RunContext, state: SolveState, strategy: Strategy, config: StrategyConfig
) -> tuple[Trial, dict[str, Any], BackendError | None]:
    """As ``run_part``; where the part's model fails, its trial has no answer, a candidate says why, and the error comes
    along."""
    spent = _spending(context.meter)
    try:
        return (*await run_part(context, state, strategy, config), None)
    except BackendError as error:
        lost = Candidate(failure=Failure(kind="model-error", message=str(error)))
        context.emit(CandidateProposed(sample=len(state.candidates), candidate=lost))
        update = {"candidates": [lost], "limit": None, "ends": [PartEnd(confidence_basis="its model failed")]}
        return Trial(strategy=strategy.name, answer=None, candidate=None, **spent()), update, error


def _spending(meter: Meter) -> Callable[[], dict[str, Any]]:
    """What is used from now on: call it at the end, for a Trial."""
    tokens, seconds = meter.usage.completion_tokens, meter.seconds

    def spent() -> dict[str, Any]:
        return {
            "tokens": meter.usage.completion_tokens - tokens,
            "seconds": round(meter.seconds - seconds, 3),
        }

    return spent


def with_update(state: SolveState, update: dict[str, Any]) -> SolveState:
    """``state`` with the candidates and the limit of ``update``: what the next step of the same node sees. Pure."""
    return state.model_copy(
        update={"candidates": [*state.candidates, *update["candidates"]], "limit": update["limit"]}
    )
