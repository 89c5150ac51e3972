"""Are two shapes the same? Member by member, numbers exactly; symbolic leaves are left to a function. Pure.

Conventions. A missing answer equals nothing. A unit on one side only is ignored; two different units differ.
A decimal equals an exact value (or a longer decimal) that rounds to it, if it is written with at least three decimals
and three significant digits: 0.333 is 1/3, 0.33 is not, and an integer is never rounded. ``lenient``, for
grading only, adds what public graders of MATH accept: two decimals suffice where four significant digits agree
to a relative 1e-4 (Qwen2.5-Math), 50% is also 50 (Math-Verify, Qwen2.5-Math), a ratio is its quotient and the base of
a numeral may be left out (Math-Verify), a decimal comma is a decimal point (Math-Verify), a solution that is named
twice counts once (Math-Verify), and a vector may be written as a tuple (Qwen2.5-Math).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from mathagent.answers.form import Form
from mathagent.answers.latex import untext

Leaf = Callable[[Form, Form, bool], bool | None]
"""Decides two symbolic leaves (expressions, equations, inequalities, unions); None: cannot say."""

MIN_DECIMALS = 3
MIN_SIGNIFICANT = 3
CUT_SIGNIFICANT = 6
"""With so many digits a decimal may also be cut instead of rounded (0.666666), or off by one in the last place."""
LENIENT_DECIMALS = 2
LENIENT_SIGNIFICANT = 4
LENIENT_RELATIVE = Fraction(1, 10_000)

_TRUTH = {"yes": "true", "no": "false", "correct": "true", "incorrect": "false"}
_UNORDERED = ("list", "set")


def same_form(a: Form, b: Form, leaf: Leaf, lenient: bool) -> bool | None:
    """Whether two answers are the same; None where ``leaf`` could not say. Symmetric if ``leaf`` is."""
    if a.unit and b.unit and a.unit != b.unit:
        return False
    if a.variable and b.variable and a.variable != b.variable:
        return False
    if _folded(a.text) == _folded(b.text):
        return True
    for x, y in ((a, b), (b, a)):
        if x.kind == "equation" and y.kind not in ("equation", "inequality"):
            return _same_as_equation(x, y, leaf, lenient)
        if len(x.items) == 1 and x.kind in ("set", "tuple") and y.kind not in ("set", "tuple"):
            return same_form(x.items[0], y, leaf, lenient)
    if a.kind == b.kind:
        return _same_kind(a, b, leaf, lenient)
    for x, y in ((a, b), (b, a)):
        for found in _mixed_kinds(x, y, leaf, lenient):
            return found
    return False


def _same_kind(a: Form, b: Form, leaf: Leaf, lenient: bool) -> bool | None:
    match a.kind:
        case "number":
            return _same_number(a, b, lenient)
        case "text":
            return _truth(a.text) == _truth(b.text)
        case "list" | "set":
            if lenient and all(item.kind == "tuple" for item in (*a.items, *b.items)):
                a, b = _without_repeats(a), _without_repeats(b)
            return _same_unordered(a.items, b.items, leaf, lenient)
        case "tuple":
            return a.brackets_match(b) and _all_same(a.items, b.items, leaf, lenient)
        case "matrix":
            return _all_same(a.items, b.items, leaf, lenient)
        case "ratio":
            return _same_ratio(a, b)
        case "based":
            return False  # equal spellings were found above
        case "union":
            found = _same_unordered(a.items, b.items, leaf, lenient)
            return True if found else leaf(a, b, lenient)
        case "equation":
            return _same_equations(a, b, leaf, lenient)
        case "inequality":
            if a.operators == b.operators and _all_same(a.items, b.items, leaf, lenient):
                return True
            return leaf(a, b, lenient)
        case _:
            return leaf(a, b, lenient)


def _mixed_kinds(x: Form, y: Form, leaf: Leaf, lenient: bool) -> Iterator[bool | None]:
    """The verdict on two kinds in this order; nothing where this order has no rule."""
    kinds = (x.kind, y.kind)
    if kinds == ("list", "set"):
        yield _same_unordered(x.items, y.items, leaf, lenient)
    elif x.kind in _UNORDERED and y.kind == "tuple":
        if y.brackets == "[]" and (x.kind == "list" or len(y.items) != 2):  # {1,2} is not the interval [1,2]
            yield _same_unordered(x.items, y.items, leaf, lenient)
        elif y.brackets in ("()", "<>") and (x.kind == "list" or (x.brackets == "{}" and lenient)):
            yield _all_same(x.items, y.items, leaf, lenient)  # bare braces do not show in LaTeX: ${1,3}$
    elif kinds == ("matrix", "tuple"):
        yield _matrix_as_tuple(x, y, leaf, lenient)
    elif x.kind == "union" and y.kind in ("tuple", "list", "set"):
        same = _same_unordered(x.items, y.items, leaf, lenient) if y.kind == "list" else False
        yield True if same else leaf(x, y, lenient)
    elif kinds == ("number", "ratio") and len(y.items) == 2 and lenient:
        above, below = (item.value for item in y.items)
        yield bool(below) and x.value is not None and above == x.value * (below or 0)
    elif kinds == ("number", "list") and y.value is not None:
        yield lenient and x.value == y.value
    elif kinds == ("number", "based"):
        yield lenient and x.text == y.text.split("_")[0]
    elif kinds in (("number", "expression"), ("expression", "matrix")) or (
        kinds == ("text", "expression") and len(x.text) == 1
    ):
        yield leaf(x, y, lenient)


def rounds_to(decimal: Form, value: Fraction, lenient: bool) -> bool:
    """Whether ``value`` rounds to the decimal as it is written, and enough digits are written to tell."""
    decimals, digits = decimal.decimals, decimal.significant_digits
    if decimals is None or decimal.value is None:
        return False
    step = Fraction(10) ** -decimals
    slack = step if digits >= CUT_SIGNIFICANT else step / 2
    # A value that could have been written exactly with these decimals (an integer, say) was not rounded.
    if abs(decimal.value - value) > slack or (value / step).denominator == 1:
        return False
    if decimals >= MIN_DECIMALS and digits >= MIN_SIGNIFICANT:
        return True
    close = abs(decimal.value - value) <= abs(value) * LENIENT_RELATIVE
    return lenient and decimals >= LENIENT_DECIMALS and digits >= LENIENT_SIGNIFICANT and close


def _same_number(a: Form, b: Form, lenient: bool) -> bool:
    if a.value is None or b.value is None:
        return False
    values = [(a.value, b.value)]
    if lenient and ("%" in a.text) != ("%" in b.text):
        values.append((a.value * 100, b.value) if "%" in a.text else (a.value, b.value * 100))
    if any(x == y for x, y in values):
        return True
    fewer, more = sorted((a, b), key=lambda form: form.decimals if form.decimals is not None else 10**6)
    return more.value is not None and rounds_to(fewer, more.value, lenient)


def _same_ratio(a: Form, b: Form) -> bool:
    times = [re.fullmatch(r"\d{1,2}:[0-5]\d", form.text) for form in (a, b)]
    if all(times) or len(a.items) != len(b.items):
        return [item.value for item in a.items] == [item.value for item in b.items]
    left = [item.value or Fraction(0) for item in a.items]
    right = [item.value or Fraction(0) for item in b.items]
    return all(left[0] * y == right[0] * x for x, y in zip(left, right, strict=True))


def _same_equations(a: Form, b: Form, leaf: Leaf, lenient: bool) -> bool | None:
    for (x_left, x_right), (y_left, y_right) in ((a.items, b.items), (a.items, b.items[::-1])):
        if _folded(x_left.text) == _folded(y_left.text):
            found = same_form(x_right, y_right, leaf, lenient)
            if found or _is_name(x_left):
                return found
    if any(item.kind not in ("number", "expression", "text") for item in (*a.items, *b.items)):
        return False
    return leaf(a, b, lenient)


def _same_as_equation(equation: Form, other: Form, leaf: Leaf, lenient: bool) -> bool | None:
    """``x = 5`` is the answer 5; ``2x+3y=6`` is not the answer 6."""
    left, right = equation.items
    if _is_name(left):
        return same_form(right, other, leaf, lenient)
    if _is_name(right):
        return same_form(left, other, leaf, lenient)
    return False


def _is_name(form: Form) -> bool:
    """Whether a side of an equation only says what the other side is the value of: ``x``, ``(p,q)``, ``AB:CD``."""
    if form.kind == "tuple":
        return len(form.items) > 1 and all(_is_name(item) for item in form.items)
    return form.kind in ("text", "expression") and bool(_NAME.match(form.text) or _QUANTITY.match(form.text))


_NAME = re.compile(
    r"^(?:\\angle ?[A-Za-z]+|\\(?:overline|vec|widehat|hat|bar)\{[^{}]*\}|\\[a-zA-Z]+|[A-Za-z][A-Za-z ]*)"
    r"(?:_\{[^{}]*\})?'*(?:\^\{-1\})?(?:\([^()]*\))?$"
)
# Capitals only: |x| = 1 and x/y = 2 are equations in their own right, |AB| and NO/BO are lengths and ratios.
_SEGMENT = r"[A-Z][A-Za-z]{0,5}'*(?:_\{[^{}]*\})?"
_QUANTITY = re.compile(
    rf"^(?:\|{_SEGMENT}\||\\frac\{{{_SEGMENT}\}}\{{{_SEGMENT}\}}|{_SEGMENT}/{_SEGMENT}|{_SEGMENT}(?::{_SEGMENT})+)$"
)


def _matrix_as_tuple(matrix: Form, other: Form, leaf: Leaf, lenient: bool) -> bool | None:
    if other.items and all(item.kind == "tuple" and item.brackets == "[]" for item in other.items):
        return _all_same(matrix.items, other.items, leaf, lenient)
    rows = matrix.items
    vector = rows[0].items if len(rows) == 1 else tuple(row.items[0] for row in rows if len(row.items) == 1)
    if not lenient or len(vector) != len(other.items):
        return False
    return _all_same(vector, other.items, leaf, lenient)


def _all_same(a: Sequence[Form], b: Sequence[Form], leaf: Leaf, lenient: bool) -> bool | None:
    if len(a) != len(b):
        return False
    found = [same_form(x, y, leaf, lenient) for x, y in zip(a, b, strict=True)]
    return False if False in found else None if None in found else True


def _same_unordered(a: Sequence[Form], b: Sequence[Form], leaf: Leaf, lenient: bool) -> bool | None:
    """Whether the members can be paired off; undecided pairs count only where they are needed."""
    if len(a) != len(b):
        return False
    table = [[same_form(x, y, leaf, lenient) for y in b] for x in a]
    if _can_pair([[cell is True for cell in row] for row in table]):
        return True
    return None if _can_pair([[cell is not False for cell in row] for row in table]) else False


def _without_repeats(form: Form) -> Form:
    """A list of points, each once: naming a solution twice makes it no other answer."""
    return replace(form, items=tuple({item.text: item for item in form.items}.values()))


def _can_pair(allowed: list[list[bool]]) -> bool:
    """Whether a perfect matching exists (augmenting paths)."""
    owner: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, free in enumerate(allowed[row]):
            if free and column not in seen:
                seen.add(column)
                if column not in owner or place(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    return all(place(row, set()) for row in range(len(allowed)))


def _folded(text: str) -> str:
    """Spelling without case where it is words, without spaces where it is mathematics."""
    plain = untext(text)
    if re.fullmatch(r"[^\d\\+*/^_=()|-]*", plain) and (len(plain) > 2 or plain.isupper()):
        return re.sub(r"[\s'\".-]+", " ", plain).strip().casefold()
    return plain.replace(" ", "") if not re.search(r"\\[a-zA-Z]+ [a-zA-Z]", plain) else plain


def _truth(text: str) -> str:
    folded = _folded(text).casefold()
    return _TRUTH.get(folded, folded)
