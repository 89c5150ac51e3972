"""SolveState: what a graph changes while it solves. Nodes return only what changed; candidates only append."""

from __future__ import annotations

import operator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mathagent.types import Candidate, Check, Completion, Failure, Message, Problem, Value


class Draft(Value):
    """A sample on its way to a candidate: the prompt it answers and the reply, or why there is none."""

    sample: int
    messages: tuple[Message, ...]
    completion: Completion | None = None
    failure: Failure | None = None


class SolveState(BaseModel):
    """The state of one solve.

    ``drafts`` are the samples of the latest draw; ``limit`` is set once a budget has ended: no further call to a
    model is made then.
    """

    model_config = ConfigDict(extra="forbid")

    problem: Problem
    drafts: tuple[Draft, ...] = ()
    candidates: Annotated[list[Candidate], operator.add] = Field(default_factory=list)
    answer: str | None = None
    confidence: float | None = None
    confidence_basis: str = ""
    certificate: tuple[Check, ...] = ()
    limit: str | None = None
    finished: bool = False
