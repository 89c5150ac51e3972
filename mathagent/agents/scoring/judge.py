"""Scorer judge: a model says how likely the final answer of a solution is right (``blocks/judging.py``)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mathagent.agents.blocks.judging import opinion_on
from mathagent.agents.blocks.shared_store import steps_text
from mathagent.agents.context import RunContext
from mathagent.agents.scoring.step_judge import gathered
from mathagent.errors import BackendError
from mathagent.scorers.base import Level, Score
from mathagent.types import Problem, Step


class OutcomeJudge:
    """Scores whole solutions by the judge's probability that the final answer is right, one question each."""

    name = "judge"
    level: Level = "outcome"

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """See Scorer.score. A solution in which nothing is written is not asked about."""

        async def one(place: int, steps: Sequence[Step]) -> tuple[Score, BackendError | None]:
            if not any(step.text.strip() for step in steps):
                return Score(note="there is nothing to judge"), None
            said = await opinion_on(context, problem, steps_text(steps), sample=place)
            return Score(value=said.score, note=said.problem, limit=said.limit), said.error

        return gathered(await asyncio.gather(*(one(place, steps) for place, steps in enumerate(solutions))))


OUTCOME_JUDGE = OutcomeJudge()
