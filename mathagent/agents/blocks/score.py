"""Block score: what a scorer says of the candidates that have no score yet. What it cannot say counts as 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, field_validator

from mathagent.agents.blocks.refine import split_steps
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import StrategyConfig
from mathagent.errors import BackendError
from mathagent.events import Scored, Warned
from mathagent.scorers.base import Score, Scorer, is_free, load_scorer
from mathagent.types import Candidate, Problem, Step

UNSCORED = 0.0


class ScoringConfig(StrategyConfig):
    """By what candidates are scored."""

    scorer: str = Field(
        default="judge",
        description="Who scores: judge, checks, arithmetic, step-judge, reward:URL, mean:judge,checks, …",
    )

    @field_validator("scorer")
    @classmethod
    def _exists(cls, scorer: str) -> str:
        load_scorer(scorer)  # raises UsageError, before anything is asked
        return scorer


async def require_scorer(context: RunContext, problem: Problem, name: str) -> Scorer:
    """The scorer ``name``. Raises UnsupportedOption where the backend lacks what it needs."""
    scorer = load_scorer(name)
    await scorer.score(context, problem, [])
    return scorer


async def score_candidates(context: RunContext, state: SolveState, name: str) -> dict[str, Any]:
    """The state update with scores for all candidates that have none, each told in a Scored event.

    Only answers are asked about, and once a budget has ended only by a scorer that asks no model. Where the scorer
    cannot be reached, a Warned event says so, and nothing has a score: the candidates are paid for and stay. Raises
    UnsupportedOption.
    """
    start = len(state.scores)
    new = state.candidates[start:]
    places = [place for place, candidate in enumerate(new) if candidate.answer is not None]
    scores = await scores_of(
        context, state, load_scorer(name), [new[place] for place in places], [start + place for place in places]
    )
    by_place = dict(zip(places, scores, strict=True))
    values = [by_place[place].value if place in by_place else None for place in range(len(new))]
    limit = next((score.limit for score in scores if score.limit), state.limit)
    return {"scores": [UNSCORED if value is None else value for value in values], "limit": limit}


async def scores_of(
    context: RunContext,
    state: SolveState,
    scorer: Scorer,
    candidates: Sequence[Candidate],
    samples: Sequence[int],
) -> list[Score]:
    """A score of each of ``candidates``, which are known as ``samples``; see ``score_candidates``."""
    if not candidates or (state.limit is not None and not is_free(scorer)):
        return [Score(note=state.limit or "") for _ in candidates]
    solutions = [scored_steps(candidate.steps, scorer) for candidate in candidates]
    try:
        scores = await scorer.score(context, state.problem, solutions)
    except BackendError as error:
        context.emit(Warned(message=f"{scorer.name} scores nothing: {error}"))
        return [Score(note=str(error)) for _ in candidates]
    for sample, score in zip(samples, scores, strict=True):
        context.emit(
            Scored(sample=sample, scorer=scorer.name, value=score.value, steps=score.steps, note=score.note)
        )
    return scores


async def score_texts(context: RunContext, problem: Problem, scorer: Scorer, texts: Sequence[str]) -> list[Score]:
    """The scores of solutions in words. Raises BackendError where the scorer cannot be reached."""
    solutions = [scored_steps([Step(kind="thought", text=text)], scorer) for text in texts]
    return await scorer.score(context, problem, solutions)


def scored_steps(steps: Sequence[Step], scorer: Scorer) -> tuple[Step, ...]:
    """``steps`` as ``scorer`` judges them: for one that judges steps a thought is divided into its own. Pure."""
    if scorer.level != "step":
        return tuple(steps)
    return tuple(
        step.model_copy(update={"text": text})
        for step in steps
        for text in (split_steps(step.text) if step.kind == "thought" else (step.text,))
    )
