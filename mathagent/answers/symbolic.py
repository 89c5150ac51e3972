"""Symbolic leaves of answers, decided by computer algebra. WORKER PROCESSES ONLY: every call here may hang.

Parsing is Math-Verify's (latex2sympy, with the case of letters kept, which Math-Verify folds: R^2-r^2 is not 0).
Its verdicts are not used where values can be computed: it calls 1/2^99 and 1/2^98 equal. Instead both sides are
evaluated with 60 digits and more, constants once and expressions with variables at many rational points, and compared
by relative difference. One clear difference is proof; agreement at all points is, for expressions that people write,
as good (two different ones would have to meet at every point to 40 digits). Math-Verify is asked, in both directions,
only about what cannot be evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any

from mathagent.answers.form import Form
from mathagent.answers.latex import untext
from mathagent.answers.matching import rounds_to

DIGITS = 60
TOLERANCE_DIGITS = 40
CONSTANT_DIGITS = 130
CONSTANT_TOLERANCE_DIGITS = 100
POINTS = 12
ENOUGH_POINTS = 4

_UNREADABLE = re.compile(r"'|\\prime|\\[lcd]?dots|\.\.\.|\d \d")
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\^\{\\circ\}")
_COMMON_LOGARITHM = re.compile(r"\\log(?![a-zA-Z_])")
_RENAMED = [  # the parser takes \\gamma for the function and cannot read E with an index
    (re.compile(r"\\gamma(?![a-zA-Z])"), r"\\varrho"),
    (re.compile(r"(?<![a-zA-Z\\])E(?=_)"), r"\\Xi"),
]
_SAMPLES = (
    *("3/7", "-5/3", "19/11", "-2/13", "101/17", "-77/9", "1/29", "31/2", "-23/19", "1201/7", "-907/3", "13/23"),
    *("7/5", "-17/6", "43/37", "-1/41", "67/8", "-211/47", "2/53", "59/4", "-61/71", "2003/9", "-1511/7", "83/79"),
)
_WHOLE_SAMPLES = tuple(range(2, 40))


def warm_up() -> None:
    """Imports SymPy and the parser and runs each once (about 1.5 s), so that later calls are quick."""
    _read(r"\frac{x^{2}}{2}+\sqrt{3}", False)


def same_leaf(a: Form, b: Form, lenient: bool) -> bool | None:
    """Whether two symbolic leaves are the same; None where they cannot be read or evaluated. Symmetric."""
    if "equation" in (a.kind, b.kind) or "inequality" in (a.kind, b.kind):
        return _same_relation(a, b) if a.kind == b.kind else False
    if "union" in (a.kind, b.kind):
        return _same_union(a, b)
    found = _same_value_of(a, b, lenient, natural=False)
    if not found and lenient and any(_COMMON_LOGARITHM.search(form.text) for form in (a, b)):
        found = _same_value_of(a, b, lenient, natural=True)
    return found


def _same_value_of(a: Form, b: Form, lenient: bool, *, natural: bool) -> bool | None:
    x, y = _expression(a, natural), _expression(b, natural)
    if x is None or y is None:
        return None
    same = _same_value(x, y)
    if same is None:
        return _second_opinion(x, y)
    if same:
        return True
    for decimal, other in ((a, y), (b, x)):
        if decimal.kind == "number" and decimal.decimals is not None:
            value = _real_value(other)
            return value is not None and rounds_to(decimal, value, lenient)
    return False


def expression_of(form: Form) -> Any:
    """SymPy's object for a number, a matrix or an expression; None for what is none of these, or cannot be read."""
    return _expression(form, False) if form.kind in ("number", "matrix", "expression") else None


def _expression(form: Form, natural: bool) -> Any:
    """SymPy's object for a leaf; None where it cannot be read."""
    import sympy

    if form.value is not None and form.kind == "number":
        return sympy.Rational(form.value.numerator, form.value.denominator)
    if form.kind == "matrix":
        rows = [[_expression(cell, natural) for cell in row.items] for row in form.items]
        return None if any(cell is None for row in rows for cell in row) else sympy.Matrix(rows)
    return _read(form.text, natural)


@lru_cache(maxsize=2048)
def _read(text: str, natural: bool) -> Any:
    import sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy

    plain = untext(text)
    if _UNREADABLE.search(plain):
        return None
    plain = _DEGREES.sub(r"{(\\frac{\1\\pi}{180})}", plain)
    for pattern, replacement in _RENAMED:
        plain = pattern.sub(replacement, plain)
    if natural:
        plain = _COMMON_LOGARITHM.sub(r"\\ln", plain)
    try:
        parsed = latex2sympy(
            plain,
            is_real=True,
            convert_degrees=False,
            normalization_config=None,
            conversion_config=ConversionConfig(lowercase_symbols=False),
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the parser raises bare Exceptions, and SymPy any kind, on text it cannot read
        return None
    return _settled(parsed) if isinstance(parsed, (sympy.Basic, sympy.MatrixBase)) else None


def _settled(expression: Any) -> Any:
    """``expression`` with exact decimals, i as the imaginary unit, real odd roots and no unknown functions."""
    import sympy
    from sympy.core.function import AppliedUndef

    def odd_root(power: Any) -> Any:
        return -(sympy.Abs(power.base) ** power.exp) * (-1) ** (power.exp.p + 1)

    expression = expression.replace(lambda e: isinstance(e, sympy.Float), lambda e: sympy.Rational(str(e)))
    expression = expression.replace(
        lambda e: isinstance(e, (AppliedUndef, sympy.Derivative)), lambda e: sympy.Symbol(str(e), real=True)
    )
    imaginary = [symbol for symbol in expression.free_symbols if symbol.name == "i"]
    expression = expression.subs(dict.fromkeys(imaginary, sympy.I))
    return expression.replace(
        lambda e: e.is_Pow and e.exp.is_Rational and e.exp.q > 2 and e.exp.q % 2 and e.base.is_negative, odd_root
    )


def _same_value(x: Any, y: Any) -> bool | None:
    """Whether two expressions (or matrices) have the same value wherever both have one."""
    import sympy

    if isinstance(x, sympy.MatrixBase) or isinstance(y, sympy.MatrixBase):
        x, y = (side.doit() for side in (x, y))
        if getattr(x, "shape", None) != getattr(y, "shape", None):
            return False
        cells = [_same_value(a, b) for a, b in zip(x, y, strict=True)]
        return False if False in cells else None if None in cells else True
    if not (isinstance(x, sympy.Expr) and isinstance(y, sympy.Expr)):
        return None
    if x == y:
        return True
    if x.is_infinite or y.is_infinite:
        return False
    symbols = _symbols(x, y)
    if not symbols:
        a, b = _evaluate(x, {}, CONSTANT_DIGITS), _evaluate(y, {}, CONSTANT_DIGITS)
        return None if a is None or b is None else _near(a, b, CONSTANT_TOLERANCE_DIGITS)
    agreed = 0
    for point in _points(symbols, (x, y)):
        a, b = _evaluate(x, point, DIGITS), _evaluate(y, point, DIGITS)
        if a is None or b is None:
            continue
        if not _near(a, b, TOLERANCE_DIGITS):
            if _outside_the_reals(a, b) and not (x.has(sympy.I) or y.has(sympy.I)):
                continue  # 1/sqrt(n) and sqrt(1/n) are one real function, whatever they are at n < 0
            return False
        agreed += 1
    return True if agreed >= ENOUGH_POINTS else None


def _outside_the_reals(a: Any, b: Any) -> bool:
    return a.is_real is False and b.is_real is False


def _symbols(*expressions: Any) -> list[Any]:
    found = {symbol for expression in expressions for symbol in expression.free_symbols}
    return sorted(found, key=lambda symbol: symbol.name)


def _points(symbols: list[Any], expressions: tuple[Any, ...]) -> Iterator[dict[Any, Any]]:
    """Fixed points, the same in every run. Whole numbers where floors or factorials of variables occur."""
    import sympy

    whole = (sympy.floor, sympy.ceiling, sympy.factorial, sympy.binomial, sympy.Sum, sympy.Product)
    discrete = any(part.free_symbols for e in expressions for part in e.atoms(*whole))
    samples: tuple[Any, ...] = _WHOLE_SAMPLES if discrete else _SAMPLES
    for i in range(POINTS):
        # A stride of its own for each variable, so that no two move in step.
        chosen = [samples[(i * (2 * j + 1) + 5 * j) % len(samples)] for j in range(len(symbols))]
        yield {symbol: sympy.Rational(value) for symbol, value in zip(symbols, chosen, strict=True)}


def _evaluate(expression: Any, point: dict[Any, Any], digits: int) -> Any:
    """The complex value (an exact number where it is rational); None where there is none."""
    import sympy

    try:
        value = expression.subs(point).doit()
        if value.is_Rational:
            return value
        value = sympy.N(value, digits, maxn=digits * 20)
        real, imaginary = (_reliable(part) for part in value.as_real_imag())
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - SymPy raises any kind of error on an undefined or unknown value
        return None
    if not all(part.is_number and part.is_finite for part in (real, imaginary)):
        return None
    return real + sympy.I * imaginary


def _reliable(number: Any) -> Any:
    """A float whose digits all cancelled is zero."""
    import sympy

    return sympy.S.Zero if isinstance(number, sympy.Float) and number._prec < 20 else number


def _near(a: Any, b: Any, digits: int) -> bool:
    import sympy

    if a.is_Rational and b.is_Rational:
        return bool(a == b)
    gap, size = (sympy.N(e, digits + 20) for e in (abs(a - b), max(abs(a), abs(b), key=lambda v: sympy.N(v, 30))))
    return bool(gap <= size * sympy.Float(10) ** -digits)


def _real_value(expression: Any) -> Fraction | None:
    if not hasattr(expression, "free_symbols") or expression.free_symbols:
        return None
    value = _evaluate(expression, {}, DIGITS)
    if value is None or not value.is_real:
        return None
    return Fraction(str(value))


def _same_relation(a: Form, b: Form) -> bool | None:
    """Equations and inequalities: one is a constant multiple of the other (a positive one for ``<``)."""
    if a.operators != b.operators or len(a.items) != 2 or len(b.items) != 2:
        return False
    sides = [_expression(item, False) for item in (*a.items, *b.items)]
    if any(side is None or not hasattr(side, "is_Matrix") or side.is_Matrix for side in sides):
        return None
    x, y = sides[0] - sides[1], sides[2] - sides[3]
    symbols = _symbols(x, y)
    if not symbols:
        return None
    ratios: list[Any] = []
    for point in _points(symbols, (x, y)):
        above, below = _evaluate(x, point, DIGITS), _evaluate(y, point, DIGITS)
        if above is None or below is None or (above == 0 and below == 0):
            continue
        if above == 0 or below == 0:
            return False
        ratios.append(above / below)
        if not _near(ratios[-1], ratios[0], TOLERANCE_DIGITS):
            return False
    if len(ratios) < ENOUGH_POINTS:
        return None
    return bool(ratios[0] > 0) if set(a.operators) & {"<", "\\le"} else True


def _same_union(a: Form, b: Form) -> bool | None:
    x, y = _point_set(a), _point_set(b)
    return None if x is None or y is None else bool(x == y)


def _point_set(form: Form) -> Any:
    """SymPy's set for unions of intervals and finite sets; None for anything else."""
    import sympy

    if form.kind in ("union", "list") and all(item.kind in ("tuple", "set") for item in form.items):
        parts = [_point_set(item) for item in form.items]
        return None if None in parts else sympy.Union(*parts)
    members = [_expression(item, False) for item in form.items]
    if any(not isinstance(member, sympy.Expr) or not member.is_extended_real for member in members):
        return None
    if form.kind == "set":
        return sympy.FiniteSet(*members)
    if form.kind == "tuple" and len(members) == 2 and form.brackets in ("()", "[]", "(]", "[)"):
        return sympy.Interval(*members, form.brackets[0] == "(", form.brackets[1] == ")")
    return None


def _second_opinion(x: Any, y: Any) -> bool | None:
    """Math-Verify's verdict on what cannot be evaluated, where it says "equal" in both directions."""
    from math_verify import verify

    return True if verify(x, y, timeout_seconds=None) and verify(y, x, timeout_seconds=None) else None
