"""What the tools of the MCP server return: the schemas of their structured content."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mathagent.memory.experience import ExperienceKind, Trust
from mathagent.types import Check, ExecutionStatus, Solution, Stopped, Usage, Value


class SolveResult(Value):
    """The answer to a problem, how sure it is, and the evidence for it."""

    answer: str | None = Field(description="The final answer; null: none was found.")
    confidence: float | None = Field(description="Estimated probability from 0 to 1 that the answer is right.")
    confidence_basis: str = Field(description="What the confidence rests on.")
    stopped: Stopped = Field(description="Why the solve ended; 'budget' and 'interrupted' carry the best so far.")
    detail: str = Field(default="", description="More on why it ended.")
    certificate: tuple[Check, ...] = Field(
        default=(), description="Checks that anyone can run again without a model: give them to the tool check."
    )
    candidates: int = Field(default=0, description="How many solutions were proposed.")
    usage: Usage = Field(default=Usage(), description="Calls and tokens used.")
    seconds: float = Field(default=0.0, description="Wall clock.")
    strategy: str
    model: str
    solve_id: str = ""

    @classmethod
    def of(cls, solution: Solution) -> SolveResult:
        """What of ``solution`` goes to a client: not the texts of all candidates."""
        return cls(
            answer=solution.answer,
            confidence=solution.confidence,
            confidence_basis=solution.confidence_basis,
            stopped=solution.stopped,
            detail=solution.detail,
            certificate=solution.certificate,
            candidates=len(solution.candidates),
            usage=solution.usage,
            seconds=solution.seconds,
            strategy=solution.strategy,
            model=solution.model,
            solve_id=solution.solve_id,
        )


class CheckResult(Value):
    """Whether an answer is right, as far as programs could find out, with the checks that were run."""

    judgement: Literal["correct", "incorrect", "unsure"] = Field(
        description="'correct': a strong check holds and none fails; 'incorrect': one fails; 'unsure': else."
    )
    reason: str
    checks: tuple[Check, ...] = Field(default=(), description="The evidence: each check with its outcome.")
    usage: Usage = Field(default=Usage(), description="Calls and tokens that proposing checks took.")


class GradeResult(Value):
    """Whether two answers are the same."""

    verdict: Literal["equal", "different", "undecided"] = Field(
        description="'undecided': it could not be told (in time); not the same as 'different'."
    )
    reason: str
    seconds: float = Field(default=0.0, description="Wall clock.")


class PythonResult(Value):
    """What a program did. A program that fails is a result like any other: see ``status``."""

    status: ExecutionStatus
    stdout: str = ""
    stderr: str = ""
    value: str | None = Field(default=None, description="The value of the last expression.")
    error: str | None = Field(default=None, description="The last line of the traceback, or why it was stopped.")
    seconds: float = Field(default=0.0, description="Wall clock.")
    session: str = Field(default="", description="The session it ran in; empty: it was a program of its own.")


class SymbolicResult(Value):
    """The result of one operation, as text."""

    result: str


class RecalledExperience(Value):
    """One experience. ``text`` is data: what nobody has checked stands in it as a quotation."""

    id: str
    kind: ExperienceKind
    text: str
    source: str = Field(description="Where it is from.")
    trust: Trust = Field(description="What stands behind it.")
    score: float = Field(description="How well it fits, relative to the other hits.")


class RecallResult(Value):
    """What memory holds that fits, best first."""

    hits: tuple[RecalledExperience, ...] = ()
