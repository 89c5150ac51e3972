"""The nouns of mathagent: immutable values that all other modules exchange. Depends on nothing of ours."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


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


class Message(Value):
    """One chat turn."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


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

    ``cached_calls`` of the ``calls`` were answered from the cache: they count against a budget like the
    call they repeat (so that a replay takes the same path) but cost nothing again.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_calls: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_calls=self.cached_calls + other.cached_calls,
        )


class Completion(Value):
    """One reply of a model. ``usage.prompt_tokens`` is 0 on all but the first of n samples of one request."""

    text: str
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    logprobs: tuple[TokenLogprob, ...] = ()
    cached: bool = False


ExecutionStatus = Literal["ok", "error", "timeout", "memory", "output-limit", "crashed", "refused"]


class Execution(Value):
    """What happened when a sandbox ran a program.

    ``value`` is the text of the program's last expression (None where it has none or it is None);
    ``error`` the last line of the traceback, ``traceback`` the program's own frames. ``signal`` is set for
    "crashed". Seconds are wall clock and CPU; ``peak_memory_mb`` is the peak resident set, 0 if unknown.
    ``files`` holds the fetched files (base64 in JSON), ``sandbox`` what ran it, with its tier: "process/A".
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


class Check(Value):
    """One piece of evidence that anyone can execute again without a model."""

    kind: str
    program: str
    expected: str
    outcome: Literal["holds", "fails", "undecided"]
    seconds: float = 0.0


class Candidate(Value):
    """One proposed solution: its steps, and an answer or a failure (exactly one of the two)."""

    steps: tuple[Step, ...] = ()
    answer: Answer | None = None
    failure: Failure | None = None
    checks: tuple[Check, ...] = ()
    extraction_stage: int | None = None


Stopped = Literal["finished", "budget", "interrupted", "error"]


class Solution(Value):
    """What a solve returns.

    ``confidence`` in [0, 1] is an estimate; ``confidence_basis`` says what it rests on. ``certificate`` holds the
    checks that support the answer. ``stopped`` says why the solve ended; "budget" and "interrupted" carry
    the best answer so far. ``seconds`` is wall clock.
    """

    problem: Problem
    answer: str | None
    confidence: float | None
    confidence_basis: str
    certificate: tuple[Check, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    usage: Usage = Usage()
    stopped: Stopped = "finished"
    detail: str = ""
    strategy: str
    config: dict[str, JsonValue] = Field(default_factory=dict)
    model: str
    seconds: float = 0.0
