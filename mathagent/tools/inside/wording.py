"""Results in short text: the exact value and, where it is no fraction, a decimal. In the sandbox only."""

from __future__ import annotations

import re
from typing import Any

import sympy

from .refusal import Unreadable

MAX_CHARACTERS = 1_500
MAX_EXACT_CHARACTERS = 100
"""A longer exact number says less than its decimal."""
DIGITS = 12
_MOST_LISTED = 50
_DUMMY = re.compile(r"\b_([a-z])\b")


def worded(value: Any) -> str:
    """``value`` as text, cut at MAX_CHARACTERS. Raises Unreadable where it is none."""
    if value in (sympy.nan, sympy.zoo):
        raise Unreadable("it has no value: it is undefined or does not converge")
    text = _DUMMY.sub(r"\1", _text(value)).replace("lamda", "lambda")
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… ({len(text):,} characters, cut)"


def with_decimal(value: Any) -> str:
    """An exact number with its decimal: ``sqrt(2) (about 1.41421356237)``, ``3/4 (0.75)``."""
    exact = str(value)
    if not isinstance(value, sympy.Expr) or not value.is_number or value.is_Integer or value.is_infinite:
        return exact
    if value.has(sympy.I) and all(part.is_Rational for part in value.as_real_imag()):
        return exact
    decimal = sympy.N(value, DIGITS, chop=True)
    if not decimal.is_number or decimal.has(sympy.nan, sympy.zoo):
        return exact
    shown = _trimmed(decimal)
    if value.is_Rational:
        terminates = not set(sympy.primefactors(value.q)) - {2, 5} and len(shown) < DIGITS
        return f"{exact} ({shown})" if terminates else f"{exact} (about {shown})"
    if isinstance(value, sympy.Float):
        return shown
    unwieldy = len(exact) > MAX_EXACT_CHARACTERS or value.has(sympy.CRootOf)
    return f"about {shown}" if unwieldy else f"{exact} (about {shown})"


def _trimmed(decimal: Any) -> str:
    if not isinstance(decimal, sympy.Float):
        return str(decimal.xreplace({part: sympy.Float(part, 8) for part in decimal.atoms(sympy.Float)}))
    text = str(decimal)
    if "e" in text or "." not in text:
        return text
    return text.rstrip("0").rstrip(".")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value in (sympy.true, sympy.false):
        return "yes" if value else "no"
    if isinstance(value, sympy.MatrixBase):
        return str(value.tolist())
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    if isinstance(value, sympy.Set):
        return set_text(value)
    return with_decimal(value)


def set_text(found: Any) -> str:
    """A set of numbers as people write it: ``(-oo, 1) or [3, oo)``, ``{1, 2}``."""
    if found == sympy.S.EmptySet:
        return "no solution"
    if found in (sympy.S.Reals, sympy.S.Complexes, sympy.S.Integers):
        return {sympy.S.Reals: "all real numbers", sympy.S.Complexes: "all numbers"}.get(
            found, "all whole numbers"
        )
    if isinstance(found, sympy.Union):
        return " or ".join(set_text(part) for part in found.args)
    if isinstance(found, sympy.FiniteSet):
        return "{" + ", ".join(with_decimal(member) for member in in_order(found)) + "}"
    if isinstance(found, sympy.Interval):
        left, right = "(" if found.left_open else "[", ")" if found.right_open else "]"
        return f"{left}{with_decimal(found.start)}, {with_decimal(found.end)}{right}"
    if isinstance(found, sympy.Range):
        return _range_text(found)
    if isinstance(found, sympy.ImageSet) and found.base_sets == (sympy.S.Integers,):
        return "{" + f"{found.lamda.expr} for every whole number {found.lamda.variables[0]}" + "}"
    return str(found)


def _range_text(found: Any) -> str:
    if found.is_finite_set and found.size <= _MOST_LISTED:
        return "{" + ", ".join(map(str, found)) + f"}} ({found.size} numbers)"
    ends = f"from {found.inf} to {found.sup}"
    step = "" if abs(found.step) == 1 else f" in steps of {abs(found.step)}"
    return f"the whole numbers {ends}{step}" + (f" ({found.size} numbers)" if found.is_finite_set else "")


def in_order(values: Any) -> list[Any]:
    """Numbers by size, others by their text."""

    def key(value: Any) -> tuple[int, Any, str]:
        if getattr(value, "is_number", False) and value.is_extended_real:
            return 0, float(value), ""
        return 1, 0.0, str(value)

    return sorted(values, key=key)
