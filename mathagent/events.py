"""What a run tells the world: one typed stream for the console, the server, traces and logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from mathagent.types import Candidate, Check, Execution, Request, Response, Solution, Usage, Value


class SolveStarted(Value):
    """A solve begins; it draws at most ``samples`` samples. ``resumed``: it goes on where ``solve_id`` was ended."""

    kind: Literal["solve-started"] = "solve-started"
    problem_id: str
    strategy: str
    model: str
    samples: int = 1
    solve_id: str = ""
    resumed: bool = False


class TokenDelta(Value):
    """A piece of a reply as it is generated; ``sample`` tells parallel samples apart. ``typed``: see ModelReplied."""

    kind: Literal["token-delta"] = "token-delta"
    role: str
    sample: int
    text: str
    typed: bool = False


class ModelReplied(Value):
    """One sample of a model's reply is complete. ``typed``: it answers a typed question, so that it is data, no prose.

    What came of a typed question is told by Asked and by the event of what it was asked for.
    """

    kind: Literal["model-replied"] = "model-replied"
    role: str
    sample: int
    text: str
    usage: Usage
    cached: bool
    typed: bool = False


class PlanMade(Value):
    """There is a plan, as it will be followed: a person may have edited it. ``text`` has one line a step."""

    kind: Literal["plan-made"] = "plan-made"
    text: str


class Recollection(Value):
    """One experience as it was found: ``id`` in the store, its kind, its title or problem, its source and its trust."""

    id: str
    experience: str
    title: str
    source: str = ""
    trust: str = ""
    score: float = 0.0


class Recalled(Value):
    """Memory was searched: what was found and will be shown to a model (nothing: there was nothing fitting)."""

    kind: Literal["recalled"] = "recalled"
    found: tuple[Recollection, ...] = ()
    tokens: int = 0


class Remembered(Value):
    """The solve was written to memory: so many ``new`` experiences, and so many that were known already."""

    kind: Literal["remembered"] = "remembered"
    new: int = 0
    merged: int = 0


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


class ToolStarted(Value):
    """A tool from outside is about to be called; ``arguments`` is the JSON text of an object."""

    kind: Literal["tool-started"] = "tool-started"
    tool: str
    arguments: str


class ToolFinished(Value):
    """The call ended: ``text`` is what the model may see of it, ``ok`` says whether it gave a result."""

    kind: Literal["tool-finished"] = "tool-finished"
    tool: str
    ok: bool
    text: str
    seconds: float = 0.0


class CheckFinished(Value):
    """A check of sample ``sample``'s candidate was made, or refused: its outcome says so."""

    kind: Literal["check-finished"] = "check-finished"
    sample: int
    check: Check


class Judged(Value):
    """All checks of sample ``sample``'s candidate are made; this is what they say together."""

    kind: Literal["judged"] = "judged"
    sample: int
    judgement: Literal["correct", "incorrect", "unsure"]
    reason: str


class Scored(Value):
    """A scorer has scored a candidate: ``value`` in [0, 1] (None: it could not say, and ``note`` is why), and of one
    that judges steps the value of each."""

    kind: Literal["scored"] = "scored"
    sample: int
    scorer: str
    value: float | None
    steps: tuple[float | None, ...] = ()
    note: str = ""


class CandidateProposed(Value):
    """Sample ``sample`` has become a candidate: an answer, or a failure."""

    kind: Literal["candidate-proposed"] = "candidate-proposed"
    sample: int
    candidate: Candidate


Rung = Literal["tool-call", "schema", "block", "labels"]
RUNGS: tuple[Rung, ...] = ("tool-call", "schema", "block", "labels")
"""How a typed reply may be had, from the strictest: agents/reply_ladder.py."""


class Asked(Value):
    """A role's typed question is answered.

    ``rung`` is where its reply was read after ``attempts`` replies; None where it ``fell_back`` to what the asker had
    stated for that case. ``dropped`` elements of the reply's lists were wrong and are left out.
    """

    kind: Literal["asked"] = "asked"
    role: str
    sample: int
    rung: Rung | None
    attempts: int
    fell_back: bool
    dropped: int = 0


class Decided(Value):
    """A role has decided what is done next: ``decision`` (use-tool, hire, …) on ``subject``, and why.

    ``outcome`` is what came of it, or why it was refused; "" where that is told by other events. ``left`` are the
    amounts that stay of budgets which it may draw on, by name.
    """

    kind: Literal["decided"] = "decided"
    role: str
    sample: int
    decision: str
    subject: str = ""
    reason: str = ""
    outcome: str = ""
    left: dict[str, float] = Field(default_factory=dict)


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


class PersonAsked(Value):
    """The solve waits for a person: for an answer now, or, with nobody there to ask, until it is resumed."""

    kind: Literal["person-asked"] = "person-asked"
    request: Request


class PersonAnswered(Value):
    """The person has answered; the solve goes on."""

    kind: Literal["person-answered"] = "person-answered"
    request: Request
    response: Response


class HintGiven(Value):
    """A person gave a hint; the calls to the model from now on see it."""

    kind: Literal["hint-given"] = "hint-given"
    text: str


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
    | PlanMade
    | Recalled
    | Remembered
    | CodeStarted
    | CodeFinished
    | ToolStarted
    | ToolFinished
    | CheckFinished
    | Judged
    | Scored
    | CandidateProposed
    | Asked
    | Decided
    | Voted
    | BudgetReached
    | PersonAsked
    | PersonAnswered
    | HintGiven
    | Retried
    | Warned
    | SolveFinished,
    Field(discriminator="kind"),
]

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
