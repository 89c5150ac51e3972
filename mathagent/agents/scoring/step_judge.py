"""Scorer step-judge: a model says of each step of a solution how likely it is right, in one reply."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import Field, create_model

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.refine import numbered
from mathagent.agents.blocks.shared_store import written
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.errors import BackendError
from mathagent.scorers.base import Aggregation, Level, Score, aggregate
from mathagent.types import Problem, SamplingParams, Step, Value

STEPS = Role("step-judge", "scoring/steps", SamplingParams(max_tokens=768))
STEP_JUDGE_PROMPTS = (STEPS.prompt, *ASK_PROMPTS)
RETRIES = 1


class JudgedSteps(Value):
    """A judge's estimates, one for each thing that it was shown, in order."""

    scores: tuple[float, ...]


@cache
def scores_of(count: int) -> type[JudgedSteps]:
    """The type of a reply with exactly ``count`` scores: a list of another length says nothing of any step."""
    share = Annotated[float, Field(ge=0, le=1)]
    wanted: Any = (
        tuple[share, ...],
        Field(min_length=count, max_length=count, description="from 0, surely wrong, to 1, surely right"),
    )
    return create_model(f"JudgedSteps{count}", __base__=JudgedSteps, scores=wanted)


async def judged(
    context: RunContext, role: Role, count: int, sample: int, **slots: Any
) -> tuple[tuple[float | None, ...], str, str | None, BackendError | None]:
    """``count`` scores by ``role``, whose prompt has a slot for their number (each None where there are none), why
    there are none, and the limit or the error that ended the asking."""
    none = (None,) * count
    kind = scores_of(count)
    try:
        asked = await ask(
            context,
            role,
            fallback=kind(scores=(0.0,) * count),
            sample=sample,
            retries=RETRIES,
            reply=kind,
            count=count,
            **slots,
        )
    except BackendError as error:
        return none, str(error), None, error
    if asked.limit is not None or asked.fell_back:
        return none, asked.limit or asked.problem or "no scores could be read", asked.limit, None
    return asked.reply.scores, "", None, None


def gathered(made: Sequence[tuple[Score, BackendError | None]]) -> list[Score]:
    """The scores of what was asked side by side; raises the first error where nothing else came of it."""
    errors = [error for _, error in made if error is not None]
    if errors and not any(score.value is not None or score.limit for score, _ in made):
        raise errors[0]
    return [score for score, _ in made]


class StepJudge:
    """Scores each step, with one question a solution. ``aggregation`` makes one value of them."""

    name = "step-judge"
    level: Level = "step"

    def __init__(self, aggregation: Aggregation = "min") -> None:
        self.aggregation = aggregation

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """See Scorer.score. A solution without steps is not asked about."""

        async def one(place: int, steps: Sequence[Step]) -> tuple[Score, BackendError | None]:
            if not steps:
                return Score(note="there is nothing to judge"), None
            scores, why, limit, error = await judged(
                context,
                STEPS,
                len(steps),
                place,
                problem=problem_text(problem),
                steps=numbered([written(step) for step in steps]),
            )
            value = aggregate(scores, self.aggregation)
            return Score(value=value, steps=scores, note=why, limit=limit), error

        return gathered(await asyncio.gather(*(one(place, steps) for place, steps in enumerate(solutions))))


STEP_JUDGE = StepJudge()
