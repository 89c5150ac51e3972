"""Equations, systems and inequalities. In the sandbox only."""

from __future__ import annotations

from typing import Any

import sympy

from .refusal import Unreadable
from .wording import in_order, set_text, with_decimal

DOMAIN_SETS = {
    "complex": sympy.S.Complexes,
    "real": sympy.S.Reals,
    "positive": sympy.Interval.open(0, sympy.oo),
    "integer": sympy.S.Integers,
}
_NONE = {
    "complex": "no solution",
    "real": "no real solution",
    "positive": "no positive solution",
    "integer": "no whole-number solution",
}
INEQUALITIES = (sympy.StrictLessThan, sympy.LessThan, sympy.StrictGreaterThan, sympy.GreaterThan, sympy.Ne)
_SAME = 1e-9
"""Numbers found numerically that are nearer than this are one."""
_DIGITS = 30
_NUMERIC_STARTS = tuple(sympy.Rational(k, 2) for k in (0, 1, -1, 2, -2, 4, -4, 6, -6, 10, -10, 20, -20, 60, -60))


def solve(relations: list[Any], unknowns: list[Any], domain: str) -> str:
    """The solutions of ``relations`` together, as text. Raises Unreadable, NotImplementedError."""
    if not unknowns:
        truths = [bool(sympy.simplify(one.doit())) for one in relations]
        return "true for all values: there is no unknown in it" if all(truths) else "no solution: it is false"
    if any(isinstance(one, INEQUALITIES) for one in relations):
        return _inequalities(relations, unknowns, domain)
    equations = [one.lhs - one.rhs for one in relations]
    if all(sympy.expand(one) == 0 for one in equations):  # SymPy says that 0 = 0 has no solution
        return f"true for all values of {', '.join(map(str, unknowns))}"
    if len(equations) == 1 and len(unknowns) == 1:
        return _one_unknown(equations[0], unknowns[0], domain)
    if domain == "integer" and len(equations) == 1:
        return _diophantine(equations[0])
    found = sympy.solve(equations, unknowns, dict=True)
    found = [one for one in found if all(_may_be_in(value, domain) for value in one.values())]
    found = [one for one in found if all(_fits(equation, one) for equation in equations)]
    if not found:
        return _NONE[domain]
    lines = {
        ", ".join(f"{name} = {with_decimal(one[name])}" for name in unknowns if name in one): [*one.values()]
        for one in found
    }
    return _lines_of(lines, domain)


def _lines_of(values: dict[str, list[Any]], domain: str) -> str:
    """The lines that tell solutions (line → its values), some with variables in them. Where complex numbers are not
    wanted, those with i beside a variable are only counted: nobody can say for which of its values they are real.

    Raises NotImplementedError where there are no others.
    """

    def is_doubtful(value: Any) -> bool:
        return bool(domain != "complex" and value.free_symbols and value.has(sympy.I))

    plain = [line for line, those in values.items() if not any(map(is_doubtful, those))]
    if values and not plain:
        raise NotImplementedError("all solutions that were found have i in them, and real ones may be among them")
    left = len(values) - len(plain)
    return "\n".join([*plain, f"({left} more with i in them)"] if left else plain)


def _may_be_in(value: Any, domain: str) -> bool:
    """Decided by digits: for radicals SymPy often cannot say whether they are real."""
    if value.free_symbols or domain == "complex":
        return True
    real, imaginary = sympy.N(value, _DIGITS).as_real_imag()
    if abs(imaginary) > _SAME:
        return False
    if domain == "integer":
        return bool(abs(real - round(real)) < _SAME)
    return domain == "real" or bool(real > 0)


def _fits(equation: Any, point: dict[Any, Any]) -> bool:
    """Whether ``equation`` is 0 at ``point`` by digits, measured by its terms; True where that cannot be evaluated.

    SymPy's solvers give ln(x) + ln(x - 3) = ln(4) the solution -1, and numeric ones take 3^-50 for 0.
    """
    terms = [sympy.N(term.subs(point), _DIGITS) for term in sympy.Add.make_args(sympy.expand(equation))]
    if any(term.has(sympy.zoo, sympy.nan, sympy.oo) for term in terms):
        return False
    if not all(term.is_number for term in terms):
        return True
    size = max(abs(term) for term in terms) if len(terms) > 1 else 1
    return bool(abs(sum(terms)) <= _SAME * size)


def _one_unknown(equation: Any, unknown: Any, domain: str) -> str:
    if equation.free_symbols - {unknown}:
        found = sympy.solve(equation, unknown)
        return _lines_of({f"{unknown} = {one}": [one] for one in found}, domain) or "no solution"
    if domain == "integer":  # a symbol that is a whole number makes SymPy miss solutions: filter instead
        free = sympy.Symbol(str(unknown), real=True)
        equation, unknown = equation.subs(unknown, free), free
    if domain != "complex" and equation.is_polynomial(unknown):
        polynomial = sympy.Poly(equation, unknown)
        if all(coefficient.is_Rational for coefficient in polynomial.coeffs()):
            return _listed(equation, unknown, set(sympy.real_roots(polynomial)), domain)
    found = sympy.solveset(equation, unknown, sympy.S.Reals if domain == "integer" else DOMAIN_SETS[domain])
    if isinstance(found, sympy.FiniteSet):
        return _listed(equation, unknown, found, domain)
    if domain == "integer":
        found = sympy.Intersection(found, sympy.S.Integers)
    if found.has(sympy.ConditionSet) or isinstance(found, (sympy.Intersection, sympy.Complement)):
        return _numerically(equation, unknown, domain)
    if found == sympy.S.EmptySet:
        return _NONE[domain]
    return f"{unknown}: {set_text(found)}"


def _listed(equation: Any, unknown: Any, values: Any, domain: str) -> str:
    fitting = [one for one in values if _may_be_in(one, domain) and _fits(equation, {unknown: one})]
    return "\n".join(f"{unknown} = {with_decimal(one)}" for one in in_order(fitting)) or _NONE[domain]


def _numerically(equation: Any, unknown: Any, domain: str) -> str:
    """Solutions in closed form that plain solve finds, else numbers near common starting points."""
    try:
        closed = _listed(equation, unknown, sympy.solve(equation, unknown), domain)
    except NotImplementedError:
        closed = _NONE[domain]
    if closed != _NONE[domain]:
        return closed
    near: set[Any] = set()
    for start in _NUMERIC_STARTS:
        try:
            root = sympy.nsolve(equation, unknown, start)
        except (ValueError, ZeroDivisionError, TypeError):  # no convergence from there
            continue
        new = all(abs(root - other) > _SAME for other in near)
        if new and _may_be_in(root, domain) and _fits(equation, {unknown: root}):
            near.add(root)
    if not near:
        raise NotImplementedError("no method for this equation is known, and no numeric solution was found")
    listed = ", ".join(str(sympy.N(root, 12)) for root in in_order(near))
    return f"{unknown} is about {listed} (found numerically; there may be more solutions)"


def _diophantine(equation: Any) -> str:
    from sympy.solvers.diophantine import diophantine

    names = sorted(equation.free_symbols, key=str)
    found = diophantine(equation, permute=True)
    if not found:
        return _NONE["integer"]
    rows = sorted(found, key=str)
    return "\n".join(", ".join(f"{name} = {one}" for name, one in zip(names, row, strict=True)) for row in rows)


def _inequalities(relations: list[Any], unknowns: list[Any], domain: str) -> str:
    if len(unknowns) != 1:
        named = ", ".join(map(str, unknowns))
        raise Unreadable(f"inequalities are solved for one unknown; here are {named}: use the tool z3 for several")
    unknown = sympy.Symbol(str(unknowns[0]), real=True)
    found: Any = sympy.S.Reals if domain in ("complex", "integer") else DOMAIN_SETS[domain]
    for one in relations:
        relation = one.subs(unknowns[0], unknown)
        if relation in (sympy.true, sympy.false):
            found = found if relation == sympy.true else sympy.S.EmptySet
            continue
        found = found & sympy.solveset(relation, unknown, sympy.S.Reals)
    if domain == "integer":
        found = found & sympy.S.Integers
    return f"{unknown}: {set_text(found)}"
