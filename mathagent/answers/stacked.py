"""An answer in two dimensions, as on paper: fractions, roots and matrices over several lines.

WORKER PROCESSES ONLY: parsing untrusted text may hang (sandbox/confined_calls.py). What is shown is what the comparer
reads, so it may be simpler than what was written (4/8 reads as 1/2); it stands beside the text, not in its place.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from mathagent.answers.forms import parse_form
from mathagent.answers.symbolic import expression_of

MOST_LINES = 24
LONGEST = 2000  # characters
_MATRIX_VALUE = re.compile(r"(?:Immutable|Mutable)?(?:Dense)?Matrix\((\[\[.+\]\])\)", re.DOTALL)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_FUNCTIONS = frozenset(
    ("sqrt", "sin", "cos", "tan", "log", "exp", "pmatrix", "bmatrix", "matrix", "vmatrix", "array")
)
_CELL = re.compile(r"[^\[\],\s][^\[\],]*")


def may_stack(text: str) -> bool:
    """Whether ``text`` may need more than one line: it has a fraction, a root, a matrix. Pure and quick."""
    return len(text) < LONGEST and any(mark in text for mark in ("frac", "atrix", "sqrt", "/", "[["))


def stacked(text: str, columns: int, unicode: bool) -> str:
    """The answer ``text`` as SymPy draws it, in at most ``columns`` columns.

    Empty where it cannot be read, is one line anyway, or does not fit.
    """
    import sympy

    expression = _matrix_value(text) or _expression(text)
    if expression is None:
        return ""
    drawn = sympy.pretty(expression, use_unicode=unicode, wrap_line=False)
    lines = [line.rstrip() for line in drawn.split("\n")]
    fits = 1 < len(lines) <= MOST_LINES and max(map(len, lines)) <= columns
    return "\n".join(lines) if fits else ""


def _expression(text: str) -> Any:
    if set(_WORD.findall(text)) - _FUNCTIONS:  # words, which would be read as products of letters
        return None
    form = parse_form(text)
    return None if form.unit else expression_of(form)


def _matrix_value(text: str) -> Any:
    """The matrix in ``Matrix([[1, 2], [3, 4]])``, as programs give it; None for anything else."""
    import sympy

    match = _MATRIX_VALUE.fullmatch(text.strip())
    if match is None:
        return None
    try:
        rows = ast.literal_eval(_CELL.sub(lambda cell: repr(cell.group()), match.group(1)))
        cells = [[_expression(cell.replace("**", "^").replace("*", "\\cdot ")) for cell in row] for row in rows]
        return None if any(cell is None for row in cells for cell in row) else sympy.Matrix(cells)
    except (SyntaxError, ValueError, TypeError, AttributeError):  # no rows of cells
        return None
