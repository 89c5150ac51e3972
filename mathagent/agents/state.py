"""SolveState: what a graph changes while it solves. Nodes return only what changed; candidates only append."""

from __future__ import annotations

import operator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mathagent.agents.search_tree import SearchTree
from mathagent.memory.base import Hit
from mathagent.memory.experience import Experience
from mathagent.scorers.check_proposals import Proposal
from mathagent.types import Candidate, Check, Completion, Failure, Message, Problem, Step, Trial, Value, Verdict


class Draft(Value):
    """A sample on its way to a candidate: the prompt it answers and the reply, or why there is none."""

    sample: int
    messages: tuple[Message, ...]
    completion: Completion | None = None
    failure: Failure | None = None


class Finding(Value):
    """What one module of a pipeline came to: its titled ``text`` is what later modules see ("": it found nothing of
    use), ``steps`` is how it was found."""

    module: str
    title: str = ""
    text: str = ""
    steps: tuple[Step, ...] = ()


class WrongStep(Value):
    """The first wrong step of the latest candidate (its number, from 1), and what is wrong with it."""

    number: int
    critique: str


class PartEnd(Value):
    """How the solve by one part of a composition ended: ``answer`` (None: none), and what its strategy says of it."""

    answer: str | None = None
    confidence: float | None = None
    confidence_basis: str = ""
    certificate: tuple[Check, ...] = ()


def larger_counts(known: dict[str, int], new: dict[str, int]) -> dict[str, int]:
    """The reducer of ``drawn``: counts only grow."""
    return {key: max(known.get(key, 0), new.get(key, 0)) for key in known | new}


def first_limit(known: str | None, new: str | None) -> str | None:
    """The reducer of ``limit``: nodes side by side may all meet it; what ended the budget first stays."""
    return known or new


class SolveState(BaseModel):
    """The state of one solve.

    ``drafts`` are the samples of the latest draw, ``critiques`` what was said of them (as many of each, in their
    order). ``scores`` are the candidates' scores in [0, 1], in their order. ``limit`` is set once a budget has ended:
    no further call to a model is made then. ``plan`` is a planner's text, ``proposals`` a verifier's.
    ``found`` is what memory holds and may yet be shown, ``recalled`` are the experiences that a model was shown.
    ``verdicts`` are those of candidates, by index.
    ``findings`` are what a pipeline's modules have found, in order, of each chain that is under way.
    ``ranking`` are strategies in the order in which they are to be tried, ``trials`` those that were; ``ends`` are how
    the parts of a composition ended, and ``drawn`` how many samples they drew of each request, by its key.
    ``wrong_step`` is where the latest candidate goes wrong (None: nothing is known to be wrong).
    ``tree`` is what a step search has written (None: none has begun).
    ``agreed``: the first views agree; ``rounds`` counts refinements. ``winner`` is the candidate, by index, that memory
    may keep of those that give the answer (None: whichever of them is shortest).
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
    found: tuple[Hit, ...] = ()
    recalled: Annotated[list[Experience], operator.add] = Field(default_factory=list)
    proposals: tuple[Proposal, ...] | None = None
    verdicts: Annotated[dict[int, Verdict], operator.or_] = Field(default_factory=dict)
    findings: tuple[tuple[Finding, ...], ...] = ()
    wrong_step: WrongStep | None = None
    ranking: tuple[str, ...] = ()
    trials: Annotated[list[Trial], operator.add] = Field(default_factory=list)
    ends: Annotated[list[PartEnd], operator.add] = Field(default_factory=list)
    drawn: Annotated[dict[str, int], larger_counts] = Field(default_factory=dict)
    tree: SearchTree | None = None
    agreed: bool = False
    rounds: int = 0
    winner: int | None = None
    finished: bool = False
