"""Largest and smallest values. In the sandbox only."""

from __future__ import annotations

from itertools import product
from typing import Any

import sympy
from sympy.calculus.util import continuous_domain, maximum, minimum

from .refusal import Unreadable
from .solving import INEQUALITIES
from .wording import set_text, with_decimal

_TRIED = tuple(sympy.Rational(number) for number in ("1/3", "-2", "3", "7", "-11", "40"))
_MOST_FREE = 3


def extreme(
    objective: Any, constraints: list[Any], unknowns: list[Any], bounds: tuple[Any, Any], largest: bool
) -> str:
    """The largest or smallest value and where it is taken. Raises Unreadable, NotImplementedError."""
    if len(unknowns) == 1 and not constraints:
        return _on_interval(objective, unknowns[0], bounds, largest)
    if any(isinstance(one, INEQUALITIES) for one in constraints):
        raise Unreadable("constraints must be equations here; use the tool z3 for inequalities")
    factors = sympy.symbols(f"_m1:{len(constraints) + 1}", real=True)
    lagrangian = objective - sum(m * (one.lhs - one.rhs) for m, one in zip(factors, constraints, strict=True))
    conditions = [sympy.diff(lagrangian, name) for name in (*unknowns, *factors)]
    points = sympy.solve(conditions, [*unknowns, *factors], dict=True)
    points = [point for point in points if all(value.is_real is not False for value in point.values())]
    values = {sympy.simplify(objective.subs(point)): point for point in points}
    values = {value: point for value, point in values.items() if not value.free_symbols}
    if not values:
        return "no critical point: the value may be unbounded, or be taken at the edge"
    best = (max if largest else min)(values, key=float)
    better = _better_point(objective, constraints, unknowns, best, largest)
    if better:
        than = "larger" if largest else "smaller"
        return f"no {_kind(largest)} value was found: it is {than} at {better} than at every critical point"
    where = ", ".join(f"{name} = {with_decimal(values[best][name])}" for name in unknowns if name in values[best])
    unchecked = "(edges and unbounded directions are not checked)"
    return f"{_kind(largest)} value at critical points: {with_decimal(best)} at {where} {unchecked}"


def _kind(largest: bool) -> str:
    return "largest" if largest else "smallest"


def _better_point(objective: Any, constraints: list[Any], unknowns: list[Any], best: Any, largest: bool) -> str:
    """A point on the constraints, of a few that are tried, that beats ``best``; "" where none does."""
    free = unknowns[: len(unknowns) - len(constraints)]
    dependent = unknowns[len(free) :]
    solved = sympy.solve(constraints, dependent, dict=True) if constraints else [{}]
    if len(free) > _MOST_FREE:
        return ""
    for numbers in product(_TRIED, repeat=len(free)):
        chosen = dict(zip(free, numbers, strict=True))
        for one in solved:
            point = chosen | {name: value.subs(chosen) for name, value in one.items()}
            if not all(_may_be(name, value) for name, value in point.items()):
                continue
            value = sympy.N(objective.subs(point), 30)
            if value.is_Float or value.is_Integer:
                gain = value - best if largest else best - value
                if gain > 1e-9:
                    return ", ".join(f"{name} = {point[name]}" for name in unknowns if name in point)
    return ""


def _may_be(name: Any, value: Any) -> bool:
    number = sympy.N(value, 30)
    return bool(number.is_real and (number > 0 or not name.is_positive))


def _on_interval(objective: Any, unknown: Any, bounds: tuple[Any, Any], largest: bool) -> str:
    x = sympy.Symbol(str(unknown), real=True)
    objective = objective.subs(unknown, x)
    lower, upper = bounds
    domain = sympy.Interval(lower, upper, left_open=bool(unknown.is_positive and lower == 0))
    if continuous_domain(objective, x, domain) == sympy.S.EmptySet:
        raise Unreadable("the expression is not defined there")
    best = (maximum if largest else minimum)(objective, x, domain)
    kind = _kind(largest)
    if best.is_infinite:
        return f"no {kind} value: it is unbounded"
    where = sympy.solveset(sympy.Eq(objective, best), x, domain)
    reached = (
        f"at {x}: {set_text(where)}" if where != sympy.S.EmptySet else "which it comes near but does not take"
    )
    return f"{kind} value {with_decimal(best)}, {reached}"
