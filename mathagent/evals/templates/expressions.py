"""The expressions of templates: Python's syntax, a short list of operations, exact numbers, and no ``eval``.

An expression is parsed once into closures. Numbers are ``int``, or ``Fraction`` where they are not whole: a decimal
literal means what it says (0.1 is one tenth). Whatever is not listed here is refused when the template is read.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from mathagent.errors import UsageError
from mathagent.evals.templates.numbers import DOMAIN_FUNCTIONS, NUMBER_FUNCTIONS, Number, Word, as_number, exact
from mathagent.evals.templates.wording import TEXT_FUNCTIONS

MOST_ITEMS = 100_000
MOST_EXPONENT = 64

Scope = Mapping[str, Any]
Node = Callable[[Scope], Any]

FUNCTIONS: dict[str, Callable[..., Any]] = {**NUMBER_FUNCTIONS, **DOMAIN_FUNCTIONS, **TEXT_FUNCTIONS}


class Expression(NamedTuple):
    """A parsed expression: its source, the variables that it reads, and ``value(scope)``.

    ``value`` raises ZeroDivisionError where the expression is undefined for these values, UsageError where it is
    wrong (a text where a number belongs).
    """

    source: str
    names: frozenset[str]
    value: Node


@lru_cache(maxsize=4096)
def expression(source: str) -> Expression:
    """Parses ``source``. Raises UsageError naming what is not allowed in it."""
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"'{source.strip()}' is no expression") from error
    builder = _Builder(source.strip())
    node = builder.build(tree)
    return Expression(source.strip(), frozenset(builder.names), node)


def _power(base: Number, exponent: Number) -> Number:
    if not isinstance(exponent, int) or abs(exponent) > MOST_EXPONENT:
        raise UsageError(f"a power takes a whole exponent up to {MOST_EXPONENT}, not {exponent}")
    value: Number = exact(Fraction(base) ** exponent)
    return value


def _product(left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, int):
        if len(left) * right > MOST_ITEMS:
            raise UsageError(f"a list of more than {MOST_ITEMS:,} items")
        return left * right
    return exact(as_number(left) * as_number(right))


def _sum(left: Any, right: Any) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return exact(as_number(left) + as_number(right))


def _on_numbers(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda left, right: exact(apply(as_number(left), as_number(right)))


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _sum,
    ast.Sub: _on_numbers(operator.sub),
    ast.Mult: _product,
    ast.Div: _on_numbers(lambda left, right: Fraction(left) / Fraction(right)),
    ast.FloorDiv: _on_numbers(operator.floordiv),
    ast.Mod: _on_numbers(operator.mod),
    ast.Pow: _on_numbers(_power),
}


def _ordered(apply: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda left, right: apply(as_number(left), as_number(right))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Word) else value


_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: lambda left, right: bool(_plain(left) == _plain(right)),
    ast.NotEq: lambda left, right: bool(_plain(left) != _plain(right)),
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: lambda left, right: _plain(left) in [_plain(item) for item in right],
    ast.NotIn: lambda left, right: _plain(left) not in [_plain(item) for item in right],
}


class _Builder:
    """Builds the closures of one expression, and collects the names it reads."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.names: set[str] = set()

    def refuse(self, what: str) -> UsageError:
        return UsageError(f"'{self.source}': {what} is not allowed in a template")

    def build(self, node: ast.expr) -> Node:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self.refuse(type(node).__name__)
        built: Node = method(node)
        return built

    def _constant(self, node: ast.Constant) -> Node:
        if isinstance(node.value, float):
            decimal = exact(Fraction(ast.get_source_segment(self.source, node) or repr(node.value)))
            return lambda _: decimal
        if not isinstance(node.value, bool | int | str):
            raise self.refuse(repr(node.value))
        return lambda _: node.value

    def _name(self, node: ast.Name) -> Node:
        name = node.id
        self.names.add(name)
        return lambda scope: scope[name]

    def _binop(self, node: ast.BinOp) -> Node:
        apply = _BINARY.get(type(node.op))
        if apply is None:
            raise self.refuse(type(node.op).__name__)
        left, right = self.build(node.left), self.build(node.right)
        return lambda scope: apply(left(scope), right(scope))

    def _unaryop(self, node: ast.UnaryOp) -> Node:
        operand = self.build(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda scope: not operand(scope)
        if isinstance(node.op, ast.USub):
            return lambda scope: -as_number(operand(scope))
        if isinstance(node.op, ast.UAdd):
            return lambda scope: as_number(operand(scope))
        raise self.refuse("~")

    def _boolop(self, node: ast.BoolOp) -> Node:
        parts = [self.build(value) for value in node.values]
        if isinstance(node.op, ast.And):
            return lambda scope: all(part(scope) for part in parts)
        return lambda scope: any(part(scope) for part in parts)

    def _compare(self, node: ast.Compare) -> Node:
        unknown = [type(op).__name__ for op in node.ops if type(op) not in _COMPARED]
        if unknown:
            raise self.refuse(unknown[0])
        tests = [_COMPARED[type(op)] for op in node.ops]
        terms = [self.build(term) for term in (node.left, *node.comparators)]

        def compare(scope: Scope) -> bool:
            values = [term(scope) for term in terms]
            return all(test(left, right) for test, left, right in zip(tests, values, values[1:], strict=False))

        return compare

    def _ifexp(self, node: ast.IfExp) -> Node:
        test, then, other = (self.build(part) for part in (node.test, node.body, node.orelse))
        return lambda scope: then(scope) if test(scope) else other(scope)

    def _list(self, node: ast.List) -> Node:
        items = [self.build(item) for item in node.elts]
        return lambda scope: [item(scope) for item in items]

    def _tuple(self, node: ast.Tuple) -> Node:
        if len(node.elts) != 2:
            raise self.refuse("a tuple that is no pair of a text and its number")
        text, value = (self.build(item) for item in node.elts)
        return lambda scope: Word(str(text(scope)), as_number(value(scope)))

    def _subscript(self, node: ast.Subscript) -> Node:
        items = self.build(node.value)
        if isinstance(node.slice, ast.Slice):
            if node.slice.step is not None:
                raise self.refuse("a slice with a step")
            low, high = (part and self.build(part) for part in (node.slice.lower, node.slice.upper))
            return lambda scope: items(scope)[low and low(scope) : high and high(scope)]
        index = self.build(node.slice)

        def item(scope: Scope) -> Any:
            try:
                return items(scope)[index(scope)]
            except (IndexError, TypeError) as error:
                raise UsageError(f"'{self.source}': there is no such item ({error})") from error

        return item

    def _call(self, node: ast.Call) -> Node:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func) == "np.arange":
            name = "arange"
        function = FUNCTIONS.get(name or "")
        if function is None:
            raise self.refuse(f"{ast.unparse(node.func)}()")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.refuse("a keyword or starred argument")
        arguments = [self.build(argument) for argument in node.args]

        def call(scope: Scope) -> Any:
            values = [argument(scope) for argument in arguments]
            try:
                return function(*values)
            except (TypeError, ValueError, AttributeError) as error:
                raise UsageError(f"'{self.source}': {name}: {error}") from error

        return call
