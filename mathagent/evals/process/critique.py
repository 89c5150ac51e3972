"""Critique: what a role says of a solution, in one form for all roles and data sets. Pure.

Roles count steps from 1 and ProcessBench from 0; some name a step, others only judge the whole. A critique counts from
0 and has a ``label``, a word in which it can be compared with a reference, stored and read by people; labels count
steps from 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from mathagent.types import Failure, Value

Judgement = Literal["correct", "incorrect", "unsure", "answerable", "unanswerable"]
NO_ERROR = -1

_STEP_LABEL = re.compile(r"step ([1-9]\d*)")


class Shown(Value):
    """What a role may see of an item: the question, the steps of a solution, and the solution as it was written.

    No label and nothing that came with it: what reaches a prompt is built from this alone.
    """

    question: str
    steps: tuple[str, ...] = ()
    solution: str = ""


class Critique(Value):
    """A judgement on a solution (or on a question: is it answerable?), where it goes wrong, and why.

    ``first_error`` is the index of the first wrong step from 0, -1 for none, None where it is not said. ``reason`` is
    the role's own words; ``confidence`` its probability that the judgement is right, where it gave one.
    """

    verdict: Judgement
    first_error: int | None = Field(default=None, ge=NO_ERROR)
    reason: str = ""
    confidence: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Critique:
        if (self.first_error == NO_ERROR) != (self.verdict == "correct"):
            raise ValueError("a solution is correct if and only if its first error is -1")
        if self.first_error is not None and self.verdict not in ("correct", "incorrect"):
            raise ValueError(f"an error was found, and the verdict is {self.verdict}")
        return self

    @property
    def label(self) -> str:
        """ "correct", "incorrect", "unsure", "answerable", "unanswerable", or "step 3": the first wrong one, from 1."""
        found = self.first_error is not None and self.first_error > NO_ERROR
        return step_label(self.first_error or 0) if found else self.verdict


class Vote(Value):
    """One critique that was drawn: its label (None: there is none, see ``failure``) and what was written."""

    label: str | None = None
    text: str = ""
    confidence: float | None = None
    failure: Failure | None = None


def correct(reason: str = "", confidence: float | None = None) -> Critique:
    """The critique that finds no error."""
    return Critique(verdict="correct", first_error=NO_ERROR, reason=reason, confidence=confidence)


def first_error_at(index: int, steps: int, reason: str = "") -> Critique:
    """The critique that names the step ``index`` (from 0; -1: none) of ``steps``.

    A step that is not there leaves the verdict and loses the place.
    """
    if index == NO_ERROR:
        return correct(reason)
    return Critique(verdict="incorrect", first_error=index if 0 <= index < steps else None, reason=reason)


def step_label(index: int) -> str:
    """The label of the step ``index`` from 0."""
    return f"step {index + 1}"


def step_of(label: str | None) -> int | None:
    """The index from 0 of the step that ``label`` names; None where it names none."""
    match = None if label is None else _STEP_LABEL.fullmatch(label)
    return int(match[1]) - 1 if match else None


def verdict_of(label: str | None) -> str | None:
    """The verdict in ``label``: a wrong step means "incorrect"; None where nothing was said."""
    return "incorrect" if step_of(label) is not None else label


def agrees(label: str | None, reference: str) -> bool:
    """Whether ``label`` says what ``reference`` does. A reference "incorrect" asks for no step."""
    return verdict_of(label) == reference if reference == "incorrect" else label == reference


def majority(labels: Sequence[str | None]) -> str | None:
    """The most frequent label, the earliest of equally frequent ones; None where every one is missing.

    Votes are counted after reading, never as strings: "2", " 2" and "02" are one vote, and an unreadable one is none.
    """
    counts = Counter(label for label in labels if label is not None)
    return max(counts, key=lambda label: counts[label]) if counts else None
