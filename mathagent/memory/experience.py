"""What is remembered: the nouns of memory. An experience is a content, where it came from, and what speaks for it."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mathagent.types import Check, Value

ExperienceKind = Literal["exemplar", "lesson", "template", "fact", "statistics"]
EXPERIENCE_KINDS: tuple[ExperienceKind, ...] = ("exemplar", "lesson", "template", "fact", "statistics")

Trust = Literal["unchecked", "judged", "verified", "graded", "person"]
"""What stands behind an experience: nothing (a note, a model's word), a model's judgement, executed checks that hold,
a reference answer, a person."""
TRUST_ORDER: tuple[Trust, ...] = ("unchecked", "judged", "verified", "graded", "person")
MOST_USES = 2**53
"""More than any file of experiences can truly claim, and than databases can hold exactly."""


class Exemplar(Value):
    """A solved problem: ``program`` is Python that gives the answer, ``reasoning`` the solution in words."""

    kind: Literal["exemplar"] = "exemplar"
    problem: str
    choices: tuple[str, ...] = ()
    program: str = ""
    reasoning: str = ""
    answer: str

    @property
    def key_text(self) -> str:
        return "\n".join((self.problem, *self.choices))


class Lesson(Value):
    """What went wrong on a problem, and what put it right; ``knowledge`` are facts that would have helped."""

    kind: Literal["lesson"] = "lesson"
    problem: str
    mistake: str
    fix: str
    knowledge: tuple[str, ...] = ()

    @property
    def key_text(self) -> str:
        return self.problem


class Template(Value):
    """An abstract plan for a type of problem (``problem_type``), without the numbers of any one problem."""

    kind: Literal["template"] = "template"
    problem_type: str
    plan: str
    problem: str = Field(default="", description="The problem that it was drawn from.")

    @property
    def key_text(self) -> str:
        return "\n".join(part for part in (self.problem_type, self.problem) if part)


class Fact(Value):
    """A theorem, formula or snippet of text.

    ``example`` is Python over SymPy whose last expression equals ``expected`` where the fact is right ("" where there
    is none). ``source`` in the provenance says who says so.
    """

    kind: Literal["fact"] = "fact"
    title: str
    statement: str
    example: str = ""
    expected: str = ""

    @property
    def key_text(self) -> str:
        return f"{self.title}\n{self.statement}"


class StrategyStatistics(Value):
    """How one strategy fared on one problem, for a choice of strategy. ``tokens`` are completion tokens."""

    kind: Literal["statistics"] = "statistics"
    problem: str
    strategy: str
    model: str
    success: bool
    tokens: int = 0
    seconds: float = Field(default=0.0, allow_inf_nan=False)

    @property
    def key_text(self) -> str:
        return self.problem


Content = Annotated[
    Exemplar | Lesson | Template | Fact | StrategyStatistics,
    Field(discriminator="kind"),
]


class Provenance(Value):
    """Where an experience came from. ``created`` is Unix time in seconds; ``item`` the id within ``dataset``.

    ``run`` is the solve (or bench run) that made it; ``source`` a file, a web address, a book or a person.
    """

    run: str = ""
    model: str = ""
    strategy: str = ""
    dataset: str = ""
    item: str = ""
    source: str = ""
    created: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class Experience(Value):
    """One thing remembered.

    ``evidence`` is the certificate of the solution that it came from. ``score`` in [0, 1] is a judge's or grader's
    (None: nobody scored it). ``uses`` counts the solves that were shown it, ``successes`` those of them that came out
    right.
    """

    content: Content
    provenance: Provenance = Provenance()
    trust: Trust = "unchecked"
    evidence: tuple[Check, ...] = ()
    subject: str = ""
    score: float | None = Field(default=None, ge=0, le=1)
    uses: int = Field(default=0, ge=0, le=MOST_USES)
    successes: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _among_uses(self) -> Self:
        """A file that claims more would have it shown before all others, and never dropped."""
        if self.successes > self.uses:
            raise ValueError(f"successes are among the uses: {self.successes} of {self.uses} cannot be")
        return self

    @property
    def kind(self) -> ExperienceKind:
        return self.content.kind

    @property
    def key_text(self) -> str:
        """The text by which it is found: problem, type of problem, or title and statement."""
        return self.content.key_text

    @property
    def id(self) -> str:
        """Identity of what is remembered, whoever made it and when (hex, 32 characters)."""
        # Statistics are observations: the same problem may be solved, and counted, many times.
        observation = self.provenance.run if self.kind == "statistics" else ""
        text = json.dumps([self.content.model_dump(), observation])  # escapes what no UTF-8 could hold
        return hashlib.sha256(text.encode()).hexdigest()[:32]
