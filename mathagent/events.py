"""What a run tells the world: one typed stream for the console, the server, traces and logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from mathagent.types import Candidate, Execution, Solution, Usage, Value


class SolveStarted(Value):
    """A solve begins; it draws at most ``samples`` samples."""

    kind: Literal["solve-started"] = "solve-started"
    problem_id: str
    strategy: str
    model: str
    samples: int = 1


class TokenDelta(Value):
    """A piece of a reply as it is generated; ``sample`` tells parallel samples apart."""

    kind: Literal["token-delta"] = "token-delta"
    role: str
    sample: int
    text: str


class ModelReplied(Value):
    """One sample of a model's reply is complete."""

    kind: Literal["model-replied"] = "model-replied"
    role: str
    sample: int
    text: str
    usage: Usage
    cached: bool


class CodeStarted(Value):
    """A program of sample ``sample`` is about to run in the sandbox."""

    kind: Literal["code-started"] = "code-started"
    sample: int
    code: str


class CodeFinished(Value):
    """The program of sample ``sample`` ended."""

    kind: Literal["code-finished"] = "code-finished"
    sample: int
    execution: Execution


class CandidateProposed(Value):
    """Sample ``sample`` has become a candidate: an answer, or a failure."""

    kind: Literal["candidate-proposed"] = "candidate-proposed"
    sample: int
    candidate: Candidate


class Voted(Value):
    """The equivalence classes so far: representative answer and votes, largest first."""

    kind: Literal["voted"] = "voted"
    classes: tuple[tuple[str, int], ...]
    samples: int
    stop: bool
    reason: str


class BudgetReached(Value):
    """A limit of the budget ended the search for more; the best so far is returned."""

    kind: Literal["budget-reached"] = "budget-reached"
    limit: str
    message: str


class Retried(Value):
    """A backend request failed and will be sent again after ``wait_s`` seconds."""

    kind: Literal["retried"] = "retried"
    attempt: int
    wait_s: float
    error: str


class Warned(Value):
    """Something went wrong that does not end the solve; ``message`` is one line with what to do."""

    kind: Literal["warned"] = "warned"
    message: str


class SolveFinished(Value):
    """The last event of every solve."""

    kind: Literal["solve-finished"] = "solve-finished"
    solution: Solution


Event = Annotated[
    SolveStarted
    | TokenDelta
    | ModelReplied
    | CodeStarted
    | CodeFinished
    | CandidateProposed
    | Voted
    | BudgetReached
    | Retried
    | Warned
    | SolveFinished,
    Field(discriminator="kind"),
]

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
