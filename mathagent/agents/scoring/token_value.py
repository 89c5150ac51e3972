"""Scorers token-value and step-token-value: the probability of the token that says "right", from its log-probs.

An untuned model's probabilities are badly calibrated: they order solutions, and say nothing of how likely one is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mathagent.agents.blocks.refine import numbered
from mathagent.agents.blocks.shared_store import steps_text, written
from mathagent.agents.blocks.yes_no import Leaning, leaning, require_logprobs
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.scoring.step_judge import gathered
from mathagent.errors import BackendError
from mathagent.prompts import render
from mathagent.scorers.base import Level, Score, aggregate
from mathagent.types import Message, Problem, Step

TOKEN_VALUE_PROMPTS = ("scoring/correct", "scoring/step_correct")
UNLIKELY = "neither yes nor no was a likely reply"


class TokenValue:
    """Scores whole solutions by P("yes") of one token (``level`` "outcome"), or each step by one token of its own,
    asked behind the steps before it (``level`` "step"); of those, the least is the solution's.

    Raises UnsupportedOption where the backend gives no log-probs.
    """

    def __init__(self, level: Level) -> None:
        self.level = level
        self.name = "token-value" if level == "outcome" else "step-token-value"

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """See Scorer.score. A solution without steps is not asked about."""
        require_logprobs(context, self.name)

        async def one(place: int, steps: Sequence[Step]) -> tuple[Score, BackendError | None]:
            if not steps:
                return Score(note="there is nothing to judge"), None
            questions = self.questions(problem, steps)
            said = await asyncio.gather(*(self._leaning(context, question, place) for question in questions))
            error = next((failed for _, failed in said if failed is not None), None)
            if error is not None:
                return Score(note=str(error)), error
            return self._score([leant for leant, _ in said]), None

        return gathered(await asyncio.gather(*(one(place, steps) for place, steps in enumerate(solutions))))

    async def _leaning(
        self, context: RunContext, question: tuple[Message, ...], place: int
    ) -> tuple[Leaning, BackendError | None]:
        """What is said to one question; a failed request is data, so that none beside it is left behind."""
        try:
            return await leaning(context, question, role=self.name, sample=place), None
        except BackendError as error:
            return Leaning(), error

    def questions(self, problem: Problem, steps: Sequence[Step]) -> list[tuple[Message, ...]]:
        """What is asked about a solution. Pure."""
        text = problem_text(problem)
        if self.level == "outcome":
            return [render("scoring/correct", problem=text, solution=steps_text(steps))]
        texts = [written(step) for step in steps]
        return [
            render("scoring/step_correct", problem=text, steps=numbered(texts[:number]), number=number)
            for number in range(1, len(texts) + 1)
        ]

    def _score(self, said: Sequence[Leaning]) -> Score:
        limit = next((one.limit for one in said if one.limit), None)
        values = tuple(one.yes for one in said)
        note = limit or (UNLIKELY if None in values else "")
        steps = values if self.level == "step" else ()
        return Score(value=aggregate(values, "min"), steps=steps, note=note, limit=limit)


TOKEN_VALUE = TokenValue("outcome")
STEP_TOKEN_VALUE = TokenValue("step")
