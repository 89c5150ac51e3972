"""What clients send to, and get from, ``/v1/solve`` and ``/v1/solutions``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from mathagent.agents.problem_text import MAX_PROBLEM_CHARACTERS
from mathagent.budget import Budget
from mathagent.scorers.checks import OUT_OF_TIME, certificate_outcome
from mathagent.server.chat_wire import Sent
from mathagent.server.store import Status
from mathagent.types import Check, CheckOutcome, Problem, Request, Response, Solution, Value

Text = Annotated[str, Field(max_length=MAX_PROBLEM_CHARACTERS)]


class Reading(Sent):
    """How the client wants to hear of a solve."""

    stream: bool = Field(default=True, description="Events as they happen; false: the Solution, once it is there.")
    pieces: bool = Field(default=True, description="Among the events, each piece of a reply as it is written.")


class SolveBody(Reading):
    """A problem to solve, and how."""

    problem: Text = Field(min_length=1)
    choices: tuple[Text, ...] = Field(default=(), max_length=26)
    language: str | None = Field(default=None, max_length=40)
    strategy: str | None = Field(default=None, max_length=400, description="None: the server's own.")
    model: str | None = Field(default=None, max_length=200, description="None: the server's own.")
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="Settings of the strategy.")
    budget: Budget = Budget()
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    hints: tuple[Text, ...] = Field(default=(), max_length=20)
    approve_code: bool = Field(
        default=False, description="Stop before each program, to be resumed with an answer."
    )
    review_plans: bool = Field(default=False, description="Stop at each plan, to be resumed with an answer.")

    @property
    def asked(self) -> Problem:
        return Problem(text=self.problem, choices=self.choices, language=self.language)


class ResumeBody(Reading):
    """Goes on with a solve; ``answer`` is for what it waits for."""

    answer: Response | None = None
    min_confidence: float | None = Field(default=None, ge=0, le=1)


class HintBody(Sent):
    """A hint for a solve that runs."""

    text: str = Field(min_length=1, max_length=4000)


class SolveEntry(Value):
    """A solve as it is listed. Times are seconds since 1970."""

    id: str
    status: Status
    problem: str
    strategy: str
    model: str
    answer: str | None
    created: float
    updated: float


class SolveRecord(SolveEntry):
    """A solve with what came of it. ``waiting_for`` is what it asks a person before it goes on."""

    solution: Solution | None = None
    error: str | None = None
    waiting_for: Request | None = None


class SolveList(Value):
    """Solves, the latest first; ``before`` asks for the next ones (None: there are no more)."""

    object: Literal["list"] = "list"
    data: tuple[SolveEntry, ...]
    before: float | None = None


class Verified(Value):
    """A certificate that was run again: ``holds`` if a strong check holds and none fails, ``fails`` if one fails.

    Each check says what came of it now, and its ``strength``. ``stopped`` is "deadline" where the server's time was
    over before all had ended.
    """

    id: str
    answer: str | None
    result: CheckOutcome
    stopped: Literal["finished", "deadline"] = "finished"
    checks: tuple[dict[str, JsonValue], ...]

    @classmethod
    def of(cls, solve_id: str, solution: Solution, checks: Sequence[Check]) -> Verified:
        """``checks`` are those of the solution's certificate, as they came out."""
        return cls(
            id=solve_id,
            answer=solution.answer,
            result=certificate_outcome(checks),
            stopped="deadline" if any(check.reason == OUT_OF_TIME for check in checks) else "finished",
            checks=tuple({**check.model_dump(mode="json"), "strength": check.strength} for check in checks),
        )
