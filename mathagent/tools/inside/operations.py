"""The operations of the symbolic tool. In the sandbox only: ``answer`` takes a request as data and gives text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from . import extremes, functions, solving
from .reading import Reader
from .refusal import Unreadable
from .wording import with_decimal, worded

SERIES_TERMS = 6


class Request:
    """A request, read: ``texts`` are the parts of the expression, ``names`` the variables that were given."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.texts: list[str] = fields["parts"]
        self.domain: str = fields["domain"]
        names: list[str] = fields["variables"]
        self.read = Reader(names, self.domain)
        self.variables = [self.read.symbol(name) for name in names]
        self._ends = {end: fields[end] for end in ("lower", "upper", "point")}

    def expression(self) -> Any:
        """The one expression asked about. Raises Unreadable where there are more."""
        if len(self.texts) != 1:
            raise Unreadable(f"give one expression, not {len(self.texts)}")
        found = self.read.value(self.texts[0])
        return sympy.Matrix(found) if isinstance(found, list) and found and isinstance(found[0], list) else found

    def end(self, name: str, otherwise: Any = None) -> Any:
        """``lower``, ``upper`` or ``point``. Raises Unreadable where it is missing and there is no ``otherwise``."""
        if self._ends[name]:
            return self.read.expression(self._ends[name])
        if otherwise is None:
            raise Unreadable(f"'{name}' is missing")
        return otherwise

    def given(self, name: str) -> bool:
        """Whether ``lower``, ``upper`` or ``point`` was given."""
        return bool(self._ends[name])

    def unknowns(self, *expressions: Any) -> list[Any]:
        """The variables given, else all that occur."""
        found: set[Any] = set().union(*(one.free_symbols for one in expressions))
        return self.variables or sorted(found, key=str)

    def variable(self, expression: Any) -> Any:
        """The one variable. Raises Unreadable where it is not clear which."""
        found = self.unknowns(expression)
        if len(found) != 1:
            choices = ", ".join(map(str, found)) or "none"
            raise Unreadable(f"say which variable is meant (variables: {choices})")
        return found[0]


def _evaluate(request: Request) -> str:
    found = request.expression()
    if isinstance(found, sympy.Expr):
        found = sympy.simplify(found.doit())
    return worded(found)


def _solve(request: Request) -> str:
    relations = [relation for text in request.texts for relation in request.read.relations(text)]
    return worded(solving.solve(relations, request.unknowns(*relations), request.domain))


def _differentiate(request: Request) -> str:
    expression = request.expression()
    names = request.variables or [request.variable(expression)]
    found = sympy.simplify(sympy.diff(expression, *names))
    if request.given("point"):
        return worded(found.subs(names[0], request.end("point")))
    return worded(found)


def _integrate(request: Request) -> str:
    expression = request.expression()
    name = request.variable(expression)
    if not (request.given("lower") or request.given("upper")):
        found = sympy.integrate(expression, name)
        if found.has(sympy.Integral):
            raise NotImplementedError("no antiderivative in closed form was found")
        return f"{worded(sympy.simplify(found))} + C"
    whole = (name, request.end("lower"), request.end("upper"))
    found = sympy.integrate(expression, whole)
    if found.has(sympy.Integral):
        return f"about {sympy.Integral(expression, whole).evalf(12)} (no closed form was found)"
    return worded(sympy.simplify(found))


def _sum(request: Request) -> str:
    return _over_range(request, sympy.Sum)


def _product(request: Request) -> str:
    return _over_range(request, sympy.Product)


def _over_range(request: Request, kind: Any) -> str:
    expression = request.expression()
    name = request.variable(expression)
    lower, upper = request.end("lower"), request.end("upper")
    if (upper - lower).is_negative:  # SymPy goes on backwards, with a minus
        return f"{0 if kind is sympy.Sum else 1}: there is nothing from {lower} to {upper}"
    whole = kind(expression, (name, lower, upper))
    found = whole.doit()
    if found.has(sympy.Sum, sympy.Product):
        if found.free_symbols:
            raise NotImplementedError("no closed form was found")
        return f"about {whole.evalf(12)} (no closed form was found)"
    return worded(sympy.simplify(found))


def _limit(request: Request) -> str:
    expression = request.expression()
    name, point = request.variable(expression), request.end("point")
    sides = [sympy.limit(expression, name, point, side) for side in ("+" if point.is_infinite else "+-")]
    right, left = sides[0], sides[-1]
    for found in sides:
        if isinstance(found, sympy.AccumBounds):
            return f"no limit: it keeps moving between {with_decimal(found.min)} and {with_decimal(found.max)}"
    if sympy.simplify(right - left) != 0 and right != left:
        return f"no limit: {with_decimal(left)} from the left, {with_decimal(right)} from the right"
    return worded(right)


def _series(request: Request) -> str:
    expression = request.expression()
    name = request.variable(expression)
    return worded(sympy.series(expression, name, request.end("point", sympy.S.Zero), SERIES_TERMS))


def _extreme(largest: bool) -> Callable[[Request], str]:
    def find(request: Request) -> str:
        if request.domain == "integer":
            raise Unreadable("this is over real numbers; use the tool z3 for whole numbers")
        objective = request.read.expression(request.texts[0])
        constraints = [relation for text in request.texts[1:] for relation in request.read.relations(text)]
        unknowns = request.unknowns(objective, *constraints)
        bounded = request.given("lower") or request.given("upper")
        if bounded and (constraints or len(unknowns) > 1):
            raise Unreadable("lower and upper are for one variable without constraints; use the tool z3")
        least = sympy.S.Zero if request.domain == "positive" else -sympy.oo
        bounds = request.end("lower", least), request.end("upper", sympy.oo)
        return worded(extremes.extreme(objective, constraints, unknowns, bounds, largest))

    return find


def _reshaped(reshape: Callable[[Any], Any]) -> Callable[[Request], str]:
    return lambda request: worded(reshape(request.expression()))


def _factor(request: Request) -> str:
    found = request.expression()
    return worded(functions.OPERATIONS["factor_integer"](found) if found.is_Integer else sympy.factor(found))


def _function(name: str) -> Callable[[Request], str]:
    function = functions.OPERATIONS[name]

    def apply(request: Request) -> str:
        values = [request.read.value(text) for text in request.texts]
        try:
            return worded(function(*values))
        except TypeError as error:
            raise Unreadable(
                f"{name} does not take these {len(values)} arguments: {'; '.join(request.texts)}"
            ) from error

    return apply


OPERATIONS: dict[str, Callable[[Request], str]] = {
    "solve": _solve,
    "simplify": _reshaped(sympy.simplify),
    "expand": _reshaped(sympy.expand),
    "factor": _factor,
    "partial_fractions": _reshaped(sympy.apart),
    "evaluate": _evaluate,
    "differentiate": _differentiate,
    "integrate": _integrate,
    "sum": _sum,
    "product": _product,
    "limit": _limit,
    "series": _series,
    "maximize": _extreme(True),
    "minimize": _extreme(False),
    **{name: _function(name) for name in functions.OPERATIONS},
}


def answer(fields: dict[str, Any]) -> str:
    """The result of a request as text. Raises Unreadable, whose message tells the model what to do."""
    try:
        return OPERATIONS[fields["operation"]](Request(fields)) or "(nothing)"
    except (Unreadable, MemoryError, RecursionError):
        raise
    except NotImplementedError as error:
        reason = str(error).splitlines()[0] if str(error) else "no method is known"
        raise Unreadable(f"it could not be done: {reason}") from error
    except Exception as error:  # SymPy raises any kind of error on input it was not made for
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unreadable(f"{fields['operation']} does not work on this: {reason}") from error
