"""Block part: a whole strategy as one part of a solve: how it ended, and what that is worth."""

from __future__ import annotations

from typing import Any

from mathagent.agents.blocks.solve_within import solve_within
from mathagent.agents.context import RunContext
from mathagent.agents.graph import compiled
from mathagent.agents.state import PartEnd, SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.types import Trial


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
    tokens, seconds = context.meter.usage.completion_tokens, context.meter.seconds
    end = await solve_within(context, state.problem, compiled(strategy, config), done, state.drawn)
    place = witness(end)
    trial = Trial(
        strategy=strategy.name,
        answer=end.answer if place is not None else None,
        candidate=None if place is None else done + place,
        tokens=context.meter.usage.completion_tokens - tokens,
        seconds=round(context.meter.seconds - seconds, 3),
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


def with_update(state: SolveState, update: dict[str, Any]) -> SolveState:
    """``state`` with the candidates and the limit of ``update``: what the next step of the same node sees. Pure."""
    return state.model_copy(
        update={"candidates": [*state.candidates, *update["candidates"]], "limit": update["limit"]}
    )
