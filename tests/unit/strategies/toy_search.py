"""The toy world of the search card: a state is a list of digits, a step appends one, and 15 is to be their sum."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mathagent.agents.context import RunContext
from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.events import Event
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.scorers.base import Level, Score
from mathagent.solver import Solver
from mathagent.types import Problem, Solution, Step

QUESTION = "Choose digits whose sum is as near to 15 as can be."
TARGET = 15
DIGITS = re.compile(r"(?<=: )\d")


class ToyScorer:
    """1 - |15 - sum| / 15 for the digits so far; ``asked`` are the paths of all calls, one list a call."""

    name = "toy"
    level: Level = "step"

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, ...]]] = []

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        self.asked.append([tuple(step.text for step in steps) for steps in solutions])
        return [
            Score(value=nearness([int(step.text[0]) for step in steps if step.text[0].isdigit()]))
            for steps in solutions
        ]


class SilentScorer(ToyScorer):
    """It never has anything to say."""

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        return [Score(note="no idea") for _ in solutions]


class BrokenScorer(ToyScorer):
    """Its endpoint is down."""

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        raise BackendError("the judge is down")


class FinishedOnly(ToyScorer):
    """It judges whole solutions."""

    level: Level = "outcome"


TOY, SILENT, BROKEN, FINISHED_ONLY = ToyScorer(), SilentScorer(), BrokenScorer(), FinishedOnly()
SCORER = "tests.unit.strategies.toy_search:TOY"


def nearness(digits: Sequence[int]) -> float:
    return max(0.0, 1 - abs(TARGET - sum(digits)) / TARGET)


def digits_of(request: ChatRequest) -> list[int]:
    """The digits in the steps before the one that is asked for."""
    return [int(digit) for digit in DIGITS.findall(request.messages[-1].content)]


def toy_reply(request: ChatRequest, sample: int) -> str:
    """The next digit, which depends on the sample and the depth; it ends where the sum is 15 or more, at
    4 digits, and where all is asked for at once."""
    before = digits_of(request)
    digit = (3 * sample + 2 * len(before) + 1) % 10
    whole = sum(before) + digit
    at_once = not request.params.stop
    ends = whole >= TARGET or len(before) == 3 or at_once
    return f"{digit}, so \\boxed{{{whole}}}" if ends else str(digit)


async def toy_solve(
    strategy: str,
    backend: ScriptedBackend,
    *,
    budget: Budget | None = None,
    events: list[Event] | None = None,
    scorer: str = SCORER,
    problem: str | Problem = QUESTION,
    **config: object,
) -> Solution:
    async with Solver(backend, cache=False) as solver:
        on_event = None if events is None else events.append
        return await solver.solve(
            problem, strategy, budget=budget, config={"scorer": scorer, **config}, on_event=on_event
        )
