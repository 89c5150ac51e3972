"""Roles: the parts that a model plays. A role is a prompt, how to sample, and what its reply is.

A role with a ``reply`` is asked through ``agents/ask.py``; the others write free text (``blocks/sample.py: draw``).
Either way the role's name is the tag of the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from mathagent.types import SamplingParams, Value


@dataclass(frozen=True)
class Role:
    """``name`` tags the calls, ``prompt`` is the prompt file, ``reply`` the type of the reply (None: free text)."""

    name: str
    prompt: str
    params: SamplingParams
    reply: type[Value] | None = None


class Plan(Value):
    """How to solve a problem, before it is solved."""

    steps: tuple[str, ...] = Field(
        min_length=1, max_length=12, description="one step: what to find, and how; no results"
    )
    needs_program: bool = Field(description="whether a Python program would help; false for mental arithmetic")


class Review(Value):
    """What a verifier says of a solution from reading it. What it proves is for checks to say."""

    judgement: Literal["correct", "incorrect", "unsure"]
    first_wrong_step: int | None = Field(default=None, ge=1, description="number of the first wrong step")
    problem: str = Field(default="", description="what is wrong there, in one sentence; empty if nothing is")


class JudgedScore(Value):
    """A judge's estimate that a solution is right."""

    score: float = Field(ge=0, le=1, description="probability from 0 to 1 that the final answer is right")


class FinalAnswer(Value):
    """The final answer that a solution states."""

    answer: str | None = Field(description="the final answer alone, as the solution states it")


class Rewriting(Value):
    """What a new input to a conversation asks, said so that it can be understood alone."""

    refers_back: bool = Field(description="whether the new input needs the earlier questions to be understood")
    problem: str = Field(min_length=1, max_length=8000, description="the new question, complete in itself")


PLANNER = Role("planner", "roles/planner", SamplingParams(max_tokens=512), Plan)
CODER = Role("coder", "roles/coder", SamplingParams(max_tokens=1024))
REASONER = Role("reasoner", "roles/reasoner", SamplingParams(max_tokens=1024))
VERIFIER = Role("verifier", "roles/verifier", SamplingParams(max_tokens=768), Review)
REFINER = Role("refiner", "roles/refiner", SamplingParams(max_tokens=1024))
CONTINUER = Role("refiner", "roles/refiner_local", SamplingParams(max_tokens=1024))
"""The refiner that keeps the steps before the first wrong one and goes on from there."""
JUDGE = Role("judge", "roles/judge", SamplingParams(max_tokens=512), JudgedScore)
EXTRACTOR = Role("extractor", "roles/extractor", SamplingParams(max_tokens=256), FinalAnswer)
REWRITER = Role("rewriter", "roles/rewriter", SamplingParams(max_tokens=512), Rewriting)

ROLES = (PLANNER, CODER, REASONER, VERIFIER, REFINER, CONTINUER, JUDGE, EXTRACTOR, REWRITER)
