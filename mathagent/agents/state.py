"""SolveState: what a graph changes while it solves. Nodes return only what changed; candidates only append."""

from __future__ import annotations

import operator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mathagent.scorers.check_proposals import Proposal
from mathagent.types import Candidate, Check, Completion, Failure, Message, Problem, Value, Verdict


class Draft(Value):
    """A sample on its way to a candidate: the prompt it answers and the reply, or why there is none."""

    sample: int
    messages: tuple[Message, ...]
    completion: Completion | None = None
    failure: Failure | None = None


def first_limit(known: str | None, new: str | None) -> str | None:
    """The reducer of ``limit``: nodes side by side may all meet it; what ended the budget first stays."""
    return known or new


class SolveState(BaseModel):
    """The state of one solve.

    ``drafts`` are the samples of the latest draw, ``critiques`` what was said of them (as many of each, in their
    order). ``scores`` are the candidates' scores in [0, 1], in their order. ``limit`` is set once a budget has ended:
    no further call to a model is made then. ``plan`` is a planner's text, ``proposals`` a verifier's.
    ``verdicts`` are those of candidates, by index. ``agreed``: the first views agree; ``rounds`` counts refinements.
    """

    model_config = ConfigDict(extra="forbid")

    problem: Problem
    drafts: tuple[Draft, ...] = ()
    critiques: tuple[Draft, ...] = ()
    candidates: Annotated[list[Candidate], operator.add] = Field(default_factory=list)
    scores: Annotated[list[float], operator.add] = Field(default_factory=list)
    answer: str | None = None
    confidence: float | None = None
    confidence_basis: str = ""
    certificate: tuple[Check, ...] = ()
    limit: Annotated[str | None, first_limit] = None
    plan: str = ""
    proposals: tuple[Proposal, ...] | None = None
    verdicts: Annotated[dict[int, Verdict], operator.or_] = Field(default_factory=dict)
    agreed: bool = False
    rounds: int = 0
    finished: bool = False
