"""What a perturbation makes: another problem with its provenance, or a refusal with its reason."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from mathagent.types import Problem, Value

Kind = Literal["numbers", "names", "culture", "noop", "order", "units", "typos"]


class Refusal(Value):
    """Why a problem was not perturbed."""

    reason: str


class Change(Value):
    """A perturbed text and its answer; ``assignment`` says what was changed into what.

    ``distractors`` are the numbers of an irrelevant clause.
    """

    text: str
    answer: str
    assignment: dict[str, str]
    distractors: tuple[str, ...] = ()

    def touches(self, text: str) -> bool:
        """Whether ``text`` names something that was changed into something else."""
        return any(old.lower() in text.lower() for old in self.assignment)


class Perturbed(Value):
    """A change of the problem ``original`` by ``kind``, number ``number`` under ``seed``."""

    original: Problem
    kind: Kind
    seed: int
    number: int
    change: Change

    @property
    def id(self) -> str:
        """The original's id, the kind, and which."""
        return f"{self.original.id}/{self.kind}/{self.seed}-{self.number}"

    def item(self) -> dict[str, Any]:
        """As a line of a data set: ``family`` is the original's id, ``seed_hash`` identifies its text."""
        kept: dict[str, Any] = {
            name: self.original.metadata[name] for name in ("subject", "level") if name in self.original.metadata
        }
        if self.original.choices:
            kept["choices"] = list(self.original.choices)
        text, answer = self.change.text, self.change.answer
        return {
            "id": self.id,
            "question": text,
            "answer": answer,
            **kept,
            "language": self.original.language or "en",
            "family": self.original.id,
            "perturbation": self.kind,
            "instance": self.number,
            "seed": self.seed,
            "assignment": self.change.assignment,
            "distractors": list(self.change.distractors),
            "seed_hash": self.original.content_hash(),
            "hash": hashlib.sha256(f"{text}\x00{answer}".encode()).hexdigest()[:16],
        }
