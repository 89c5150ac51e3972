"""The nouns of mathagent: immutable values that all other modules exchange. Depends on nothing of ours but
how a value asks to be drawn."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from mathagent._display import Displayed


class Value(BaseModel):
    """Base of all values: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Value):
    """A question to solve. ``reference`` is the known right answer; solvers never see it (evals removes it)."""

    text: str
    id: str = ""
    choices: tuple[str, ...] = ()
    language: str | None = None
    reference: str | None = Field(default=None, repr=False)
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    def content_hash(self) -> str:
        """Identity of what is asked: text and choices, nothing else (hex, 16 characters)."""
        joined = "\x00".join((self.text, *self.choices))
        return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def without_reference(self) -> Problem:
        """The problem as a solver may see it: no reference, no metadata (which often holds the solution)."""
        return Problem(text=self.text, id=self.id, choices=self.choices, language=self.language)


class ToolCall(Value):
    """A model's request to call a tool; ``arguments`` is the JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


ImageType = Literal["image/png", "image/jpeg", "image/webp", "image/gif"]


class Image(Value):
    """A picture that goes with a chat turn: the bytes of its file (base64 in JSON)."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    media_type: ImageType
    data: bytes = Field(repr=False)


class Message(Value):
    """One chat turn. ``images`` are shown behind its text."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    images: tuple[Image, ...] = ()


class SamplingParams(Value):
    """How to sample. Every field is sent to the backend explicitly: server defaults differ."""

    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    n: int = Field(default=1, ge=1, le=1024)
    max_tokens: int = Field(default=1024, ge=1)
    stop: tuple[str, ...] = ()
    seed: int | None = None


class TokenLogprob(Value):
    """One generated token, its log-probability (natural log), and the alternatives asked for."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class Usage(Value):
    """Amounts used. Tokens are the backend's own count.

    ``cached_calls`` of the ``calls``, with their tokens, were answered from the cache: they count against a budget like
    the call they repeat (so that a replay takes the same path) but cost nothing again.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_calls: int = 0
    cached_prompt_tokens: int = 0
    cached_completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_calls=self.cached_calls + other.cached_calls,
            cached_prompt_tokens=self.cached_prompt_tokens + other.cached_prompt_tokens,
            cached_completion_tokens=self.cached_completion_tokens + other.cached_completion_tokens,
        )

    def as_cached(self) -> Usage:
        """The same amounts, all of them answered from the cache."""
        return self.model_copy(
            update={
                "cached_calls": self.calls,
                "cached_prompt_tokens": self.prompt_tokens,
                "cached_completion_tokens": self.completion_tokens,
            }
        )


class ModelUsage(Value):
    """What one model used within a solve: ``backend`` is its identity, ``dollars`` what was paid (None: not known)."""

    backend: str
    usage: Usage
    dollars: float | None = None

    @property
    def model(self) -> str:
        """Its name, as a person knows it."""
        return self.backend.partition("@")[0]


class Completion(Value):
    """One reply of a model. ``usage.prompt_tokens`` is 0 on all but the first of n samples of one request.

    ``reasoning`` is what the model thought in a section of its own before ``text``, where the server tells it apart.
    ``by_model`` is what each model used of ``usage``, where several wrote the reply together; else it is empty.
    """

    text: str
    reasoning: str = ""
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    logprobs: tuple[TokenLogprob, ...] = ()
    cached: bool = False
    by_model: tuple[ModelUsage, ...] = ()

    def counted(self, model: str) -> dict[str, Usage]:
        """``usage`` as a meter counts it, by model: marked as cached where the reply came from the cache. ``model`` is
        whose it is where ``by_model`` does not say."""
        parts = {one.backend: one.usage for one in self.by_model} or {model: self.usage}
        return {name: used.as_cached() if self.cached else used for name, used in parts.items()}


ExecutionStatus = Literal["ok", "error", "timeout", "memory", "output-limit", "crashed", "refused"]


class Execution(Value):
    """What happened when a sandbox ran a program.

    ``value`` is the text of the program's last expression (None where it has none or it is None);
    ``error`` the last line of the traceback, ``traceback`` the program's own frames. ``signal`` is set for
    "crashed". Seconds are wall clock and CPU; ``peak_memory_mb`` is the peak resident set, 0 if unknown.
    ``files`` holds the fetched files (base64 in JSON), ``sandbox`` what ran it, with its tier: "process/A".
    ``edited`` is the program that ran where a person had put it in the place of the model's.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    status: ExecutionStatus
    stdout: str = ""
    stderr: str = ""
    value: str | None = None
    error: str | None = None
    traceback: str | None = None
    signal: int | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_mb: float = 0.0
    files: dict[str, bytes] = Field(default_factory=dict)
    sandbox: str = ""
    edited: str | None = None

    @property
    def ok(self) -> bool:
        return self.status == "ok"


class Answer(Value):
    """An extracted final answer: ``raw`` as it stood in the text, ``normal`` its normal form."""

    raw: str
    normal: str


StepKind = Literal["thought", "code", "observation", "critique"]


class Step(Value):
    """One unit of a candidate. ``origin`` says who wrote it: loss masks and ledgers depend on it."""

    kind: StepKind
    text: str
    origin: Literal["model", "tool", "user"] = "model"
    execution: Execution | None = None


FailureKind = Literal["no-answer", "truncated", "code-error", "code-timeout", "refused", "model-error"]


class Failure(Value):
    """Why a candidate has no answer."""

    kind: FailureKind
    message: str


CheckKind = Literal[
    "execution",
    "substitution",
    "recomputation",
    "agreement",
    "numeric",
    "brute-force",
    "domain",
    "dimension",
    "reverse",
]
CheckOutcome = Literal["holds", "fails", "undecided"]

_WEAK_KINDS = frozenset({"execution", "domain", "dimension"})


class Mutation(Value):
    """The same check made of another answer: ``answer`` is its Python source, ``outcome`` what came of it."""

    answer: str
    outcome: CheckOutcome


class Check(Value):
    """One piece of evidence that anyone can execute again without a model.

    It holds if ``program``, complete Python over SymPy, ends with an expression whose value equals ``expected`` as
    mathematics. ``claim`` says for a person what that shows, ``reason`` why it is undecided or what it gave instead.
    ``mutations`` are runs with other answers, most of which must fail. ``seconds`` is wall clock, mutations included.
    """

    kind: CheckKind
    program: str
    expected: str
    outcome: CheckOutcome
    seconds: float = 0.0
    claim: str = ""
    reason: str = ""
    mutations: tuple[Mutation, ...] = ()

    @property
    def strength(self) -> Literal["strong", "weak"]:
        """What it is worth that it holds: "weak" where wrong answers commonly pass as well.

        The candidate's own program always gives the candidate's answer, and many wrong answers are whole numbers or
        have the right unit. A property of the kind, so that no file can claim it.
        """
        return "weak" if self.kind in _WEAK_KINDS else "strong"


class Verdict(Value):
    """What was found out about a candidate without knowing the reference: the judgement, why, and the checks."""

    judgement: Literal["correct", "incorrect", "unsure"]
    reason: str
    checks: tuple[Check, ...] = ()


class Candidate(Value):
    """One proposed solution: its steps, and an answer or a failure (exactly one of the two)."""

    steps: tuple[Step, ...] = ()
    answer: Answer | None = None
    failure: Failure | None = None
    checks: tuple[Check, ...] = ()
    extraction_stage: int | None = None


class ApproveCode(Value):
    """Asks a person: may this program run?"""

    kind: Literal["approve-code"] = "approve-code"
    program: str


class ReviewPlan(Value):
    """Asks a person: is this plan good?"""

    kind: Literal["review-plan"] = "review-plan"
    plan: str


class ApproveTool(Value):
    """Asks a person: may this solve call ``tool``, from outside, with these ``arguments`` (a JSON object)?

    ``description`` is what its server says of it.
    """

    kind: Literal["approve-tool"] = "approve-tool"
    tool: str
    description: str = ""
    arguments: str = ""


Request = Annotated[ApproveCode | ReviewPlan | ApproveTool, Field(discriminator="kind")]
"""What a solve asks a person."""


class Approved(Value):
    """The person's yes. ``always``: to a tool, whatever this solve calls it with from now on."""

    kind: Literal["approved"] = "approved"
    always: bool = False


class Refused(Value):
    """The person's no; ``reason`` is shown to the model."""

    kind: Literal["refused"] = "refused"
    reason: str = ""


class Edited(Value):
    """``text`` is to be taken instead: a program, or a plan."""

    kind: Literal["edited"] = "edited"
    text: str


Response = Annotated[Approved | Refused | Edited, Field(discriminator="kind")]
"""What the person says to a request."""


class Trial(Value):
    """One strategy that was tried within a solve: its answer (None: it gave none), where that stands among the
    candidates, what its checks said, whether it was ``accepted``, and what it cost (completion tokens, seconds)."""

    strategy: str
    answer: str | None = None
    candidate: int | None = None
    judgement: Literal["correct", "incorrect", "unsure"] = "unsure"
    accepted: bool = False
    tokens: int = 0
    seconds: float = 0.0


Stopped = Literal["finished", "budget", "interrupted", "error"]


class Solution(Displayed, Value):
    """What a solve returns.

    ``confidence`` in [0, 1] is an estimate; ``confidence_basis`` says what it rests on, and whether it is calibrated:
    then ``raw_confidence`` is what the strategy itself estimated. ``abstained``: the confidence is less than was asked
    for, so that ``answer`` is only the best candidate. ``certificate`` holds the checks that support the answer.
    ``usage`` is the sum over the models, ``by_model`` what each of them used and cost.
    ``stopped`` says why the solve ended; "budget" and "interrupted" carry the best answer so far. ``seconds`` is wall
    clock. ``solve_id`` names the solve, which can be resumed by it where ``resumable``; ``waiting_for`` is what it asks
    a person before it goes on. ``recalled`` are the ids of the experiences that a model was shown. ``winner`` is the
    candidate whose solution memory may keep, where the strategy names one. ``trials`` are
    the strategies that were tried within.
    """

    problem: Problem
    answer: str | None
    confidence: float | None
    confidence_basis: str
    raw_confidence: float | None = None
    abstained: bool = False
    certificate: tuple[Check, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    usage: Usage = Usage()
    by_model: tuple[ModelUsage, ...] = ()
    stopped: Stopped = "finished"
    detail: str = ""
    strategy: str
    config: dict[str, JsonValue] = Field(default_factory=dict)
    model: str
    seconds: float = 0.0
    solve_id: str = ""
    resumable: bool = False
    waiting_for: Request | None = None
    recalled: tuple[str, ...] = ()
    winner: int | None = None
    trials: tuple[Trial, ...] = ()
