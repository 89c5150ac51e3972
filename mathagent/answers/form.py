"""Form: the shape of an answer as a value: its kind, its members, and how its number is written. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Kind = Literal[
    "number",  # value is its exact value
    "expression",
    "text",
    "list",  # bare, order-free; value is set where its comma may be a decimal one: 2,74
    "set",
    "tuple",  # brackets tells points, intervals and program lists apart
    "union",
    "matrix",  # items are its rows, each a tuple
    "equation",  # items are its two sides
    "inequality",  # items are the compared values, operators stand between them
    "based",  # a numeral with its base: items are empty, text is the numeral
    "ratio",  # items are its parts
]


@dataclass(frozen=True)
class Form:
    """A parsed answer. ``text`` is its normal form; the other fields are set as ``kind`` asks for them."""

    kind: Kind
    text: str
    items: tuple[Form, ...] = ()
    value: Fraction | None = None
    unit: str = ""
    brackets: str = ""
    operators: tuple[str, ...] = ()
    variable: str = ""

    @property
    def decimals(self) -> int | None:
        """How many decimals a number is written with; None for an exact one (``1/3``, ``\\frac{1}{3}``)."""
        match = re.match(r"^-?\d+(?:\.(\d+))?(?:e(-?\d+))?%?$", self.text.split(" ")[0])
        if not match or (match.group(1) is None and match.group(2) is None):
            return None
        return len(match.group(1) or "") - int(match.group(2) or 0) + (2 if "%" in self.text else 0)

    @property
    def significant_digits(self) -> int:
        """Significant digits a number is written with."""
        return len(re.sub(r"e.*|\D", "", self.text.split(" ")[0]).lstrip("0"))

    def brackets_match(self, other: Form) -> bool:
        """Whether two tuples are bracketed alike. The kind of bracket matters for two members: an interval."""
        if self.brackets == other.brackets:
            return True
        plain = ("()", "[]", "<>")
        unlike_interval = len(self.items) != 2 or "<>" in (self.brackets, other.brackets)
        return unlike_interval and self.brackets in plain and other.brackets in plain
