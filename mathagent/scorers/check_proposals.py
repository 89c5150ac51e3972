"""What a verifier proposes to check, as data: one small type a kind. We make the programs of them (check_programs).

The proposals speak of the answer by name only, so they can be written by a model that has not seen it, once for all
candidates of a problem. Fields are as few and plain as a model of 1.5 billion parameters can fill in.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mathagent.types import Value

MAX_RANGE = 1_000_000
MAX_PROPOSALS = 6
_Program = Annotated[str, Field(min_length=1, max_length=8_000)]
_Expression = Annotated[str, Field(min_length=1, max_length=500)]


class Substitution(Value):
    """Put the answer into equations that the problem states, with what is known besides (``y = 4``) among them."""

    kind: Literal["substitution"] = "substitution"
    equations: tuple[_Expression, ...] = Field(
        min_length=1, max_length=10, description="Equations that the problem states, such as x + y = 10."
    )
    asked: _Expression = Field(
        description="What the answer is in these equations: x, or x + y, or x, y for a pair."
    )


class Numeric(Value):
    """Two expressions that must agree at random points; one of them holds the name ``answer``."""

    kind: Literal["numeric"] = "numeric"
    left: _Expression = Field(description="An expression with the name answer in it, such as answer.")
    right: _Expression = Field(description="What it must equal, such as diff(x**3, x).")
    low: int = Field(default=1, description="Least value of the variables.")
    high: int = Field(default=10, description="Greatest value of the variables.")

    @model_validator(mode="after")
    def _ordered(self) -> Numeric:
        if self.low >= self.high:
            raise ValueError("low must be less than high")
        return self


class BruteForce(Value):
    """Try every whole number n from ``low`` to ``high``: which fulfil the condition?"""

    kind: Literal["brute-force"] = "brute-force"
    condition: _Program = Field(description="A Python condition on n, such as n % 7 == 3, or a function holds(n).")
    low: int = Field(default=1, description="The first n to try.")
    high: int = Field(description="The last n to try.")
    asks: Literal["smallest", "largest", "count", "sum", "only"] = Field(
        description="Which of them the problem asks for: the smallest n, how many, their sum, the only one, …."
    )

    @model_validator(mode="after")
    def _small(self) -> BruteForce:
        if not 0 < self.high - self.low <= MAX_RANGE:
            raise ValueError(f"the range must hold between 2 and {MAX_RANGE:,} numbers")
        return self


class Domain(Value):
    """What any right answer must fulfil. Weak: most wrong answers fulfil it as well."""

    kind: Literal["domain"] = "domain"
    integer: bool = Field(default=False, description="Is the answer a whole number?")
    minimum: int | None = Field(default=None, description="The least that the answer can be.")
    maximum: int | None = Field(default=None, description="The most that the answer can be.")
    count: int | None = Field(default=None, ge=1, le=100, description="How many values the answer has.")


class Dimension(Value):
    """The answer's unit must measure what ``unit`` measures."""

    kind: Literal["dimension"] = "dimension"
    unit: str = Field(min_length=1, max_length=40, description="A unit that the answer could have, such as cm^2.")


class Reverse(Value):
    """Compute backwards, from the answer, a number that the problem states."""

    kind: Literal["reverse"] = "reverse"
    quantity: str = Field(min_length=1, max_length=40, description="A number exactly as the problem states it.")
    program: _Program = Field(
        description="Python that computes that number from answer; its last line is its value."
    )


class Recomputation(Value):
    """Solve the problem by a program written without seeing the answer."""

    kind: Literal["recomputation"] = "recomputation"
    program: _Program = Field(description="Python that solves the problem; its last line is the answer.")


class Agreement(Value):
    """The program of another derivation, found independently, must give the same answer."""

    kind: Literal["agreement"] = "agreement"
    program: _Program
    source: str = Field(default="another derivation", max_length=80)


VerifierProposal = Annotated[
    Substitution | Reverse | BruteForce | Numeric | Recomputation | Domain | Dimension, Field(discriminator="kind")
]
"""What a verifier may propose; agreement comes from the candidates themselves."""
Proposal = VerifierProposal | Agreement


class CheckProposals(Value):
    """A verifier's reply."""

    checks: tuple[VerifierProposal, ...] = Field(max_length=MAX_PROPOSALS, description="one to three checks")
