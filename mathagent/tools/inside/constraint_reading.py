"""Constraints as a model writes them, as expressions of z3. In the sandbox only.

A constraint is a Python expression: arithmetic, comparisons, and / or / not, and a few functions. It is read as a
syntax tree; nothing of it is evaluated by Python.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import z3

from .refusal import Unreadable

MAX_POWER = 20
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}
_SPELLINGS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        ("≤|⩽", "<="),
        ("≥|⩾", ">="),
        ("≠", "!="),
        ("[−–]", "-"),
        ("[×·]", "*"),
        (r"&&", " and "),
        (r"\|\|", " or "),
        (r"!(?!=)", " not "),
        (r"\^", "**"),
        (r"(?<![\w.])(\d+)(?=[A-Za-z(])(?!\d*e\d)", r"\1*"),
        (r"(?<![<>=!])=(?!=)", "=="),
    ]
]


class ConstraintReader:
    """Reads constraints over ``names`` (a name to its variable of z3).

    z3 takes a quotient by 0 for any number that fits. Here a comparison holds only where its divisors are not 0 (those
    of // and % positive), and so does its negation.
    """

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self._text = ""
        self._sound: list[Any] = []
        """What must hold for the number that is being read to be one."""
        self._negated = False

    def truth(self, text: str) -> Any:
        """A constraint. Raises Unreadable."""
        found = self._read(text)
        if not z3.is_bool(found):
            raise Unreadable(f"'{text}' is a number, not a constraint; write it like x + y == 10")
        return found

    def number(self, text: str) -> tuple[Any, Any]:
        """A number to optimise, and what must hold for it to be one. Raises Unreadable."""
        found = self._read(text)
        if not z3.is_arith(found):
            raise Unreadable(f"'{text}' is not a number that has a largest or smallest value")
        return found, z3.And(self._sound)

    def _read(self, text: str) -> Any:
        self._text, self._sound, self._negated = text, [], False
        source = text
        for pattern, replacement in _SPELLINGS:
            source = pattern.sub(replacement, source)
        try:
            found = self._of(ast.parse(source.strip(), mode="eval").body)
        except Unreadable:
            raise
        except (SyntaxError, ValueError) as error:
            raise Unreadable(f"'{text}' cannot be read; write it like x + 2*y <= 10 or x != y") from error
        except (z3.Z3Exception, TypeError) as error:  # z3's truth values know no < and no abs
            raise Unreadable(f"'{text}' mixes numbers and truth values") from error
        except RecursionError as error:
            raise Unreadable("a constraint is too long; split it into several, or use sum(…)") from error
        return (
            z3.BoolVal(found) if isinstance(found, bool) else z3.IntVal(found) if isinstance(found, int) else found
        )

    def _of(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() as value):
                return z3.BoolVal(value) if isinstance(value, bool) else z3.IntVal(value)
            case ast.Constant(value=float()):
                return z3.RealVal(ast.unparse(node))
            case ast.Name(id=name):
                if name not in self.names:
                    raise Unreadable(f"'{name}' in '{self._text}' is not among the variables")
                return self.names[name]
            case ast.BoolOp(op=op, values=values):
                parts = [self._of(value) for value in values]
                return z3.And(parts) if isinstance(op, ast.And) else z3.Or(parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._not(operand)
            case ast.UnaryOp(op=op, operand=operand):
                return -self._of(operand) if isinstance(op, ast.USub) else self._of(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return self._arithmetic(op, self._of(left), self._of(right))
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._where_sound(lambda: self._compared([left, *others], ops))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._either(test, body, orelse)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._called(name.lower(), arguments)
        raise self._foreign(node)

    def _foreign(self, node: ast.AST) -> Unreadable:
        return Unreadable(
            f"'{ast.unparse(node)}' in '{self._text}' is not understood; use arithmetic and comparisons"
        )

    def _not(self, node: ast.expr) -> Any:
        self._negated = not self._negated
        found = z3.Not(self._of(node))
        self._negated = not self._negated
        return found

    def _where_sound(self, compare: Callable[[], Any]) -> Any:
        """What ``compare`` reads, false (within a negation true) where one of its divisors is none."""
        around, self._sound = self._sound, []
        found = compare()
        sound, self._sound = self._sound, around
        if not sound:
            return found
        return z3.Or(z3.Not(z3.And(sound)), found) if self._negated else z3.And(*sound, found)

    def _either(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> Any:
        """A choice, of which only the branch that is taken must be sound."""
        chosen, around = self._of(test), self._sound
        self._sound = []
        then, sound_then = self._of(body), self._sound
        self._sound = []
        other, sound_other = self._of(orelse), self._sound
        sound = [z3.Implies(chosen, one) for one in sound_then]
        self._sound = [*around, *sound, *(z3.Or(chosen, one) for one in sound_other)]
        return z3.If(chosen, then, other)

    def _arithmetic(self, op: ast.operator, left: Any, right: Any) -> Any:
        match op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                self._divides_by(right != 0, "0")
                return _real(left) / _real(right)
            case ast.FloorDiv() | ast.Mod():
                if not (z3.is_int(left) and z3.is_int(right)):
                    raise Unreadable(f"// and % in '{self._text}' are for whole numbers")
                self._divides_by(right > 0, "a number that is not positive")
                return left / right if isinstance(op, ast.FloorDiv) else left % right
            case ast.Pow():
                return self._power(left, z3.simplify(right))
        raise Unreadable(f"an operator in '{self._text}' is not understood")

    def _divides_by(self, sound: Any, otherwise: str) -> None:
        sound = z3.simplify(sound)
        if z3.is_false(sound):
            raise Unreadable(f"'{self._text}' divides by {otherwise}")
        if not z3.is_true(sound):
            self._sound.append(sound)

    def _power(self, base: Any, exponent: Any) -> Any:
        if not z3.is_int_value(exponent) or not 0 <= exponent.as_long() <= MAX_POWER:
            raise Unreadable(f"an exponent in '{self._text}' is not a number from 0 to {MAX_POWER}")
        result = z3.IntVal(1) if z3.is_int(base) else z3.RealVal(1)
        for _ in range(exponent.as_long()):
            result = result * base
        return result

    def _compared(self, sides: list[ast.expr], ops: list[ast.cmpop]) -> Any:
        if (
            len(ops) == 1
            and isinstance(ops[0], (ast.In, ast.NotIn))
            and isinstance(sides[1], (ast.List, ast.Tuple, ast.Set))
        ):
            value = self._of(sides[0])
            among = z3.Or([value == self._of(one) for one in sides[1].elts])
            return z3.Not(among) if isinstance(ops[0], ast.NotIn) else among
        values = [self._of(side) for side in sides]
        unknown = [op for op in ops if type(op) not in _COMPARISONS]
        if unknown:
            raise Unreadable(f"a comparison in '{self._text}' is not understood; use ==, !=, <, <=, >, >=")
        pairs = zip(values, ops, values[1:], strict=False)
        return z3.And([_COMPARISONS[type(op)](left, right) for left, op, right in pairs])

    def _called(self, name: str, nodes: list[ast.expr]) -> Any:
        if len(nodes) == 1 and isinstance(nodes[0], (ast.List, ast.Tuple)):
            nodes = nodes[0].elts
        if name == "not" and len(nodes) == 1:
            return self._not(nodes[0])
        if name == "if" and len(nodes) == 3:
            return self._either(*nodes)
        values = [self._of(node) for node in nodes]
        match name, len(values):
            case "distinct" | "alldifferent" | "all_different", count if count > 1:
                return z3.Distinct(values)
            case "implies", 2:
                return z3.Implies(*values)
            case "xor", 2:
                return z3.Xor(*values)
            case "and", _:
                return z3.And(values)
            case "or", _:
                return z3.Or(values)
            case "abs", 1:
                return z3.If(values[0] >= 0, values[0], -values[0])
            case "sum", _:
                return z3.Sum([_counted(value) for value in values])
            case "max" | "min", count if count > 0:
                best = values[0]
                for value in values[1:]:
                    best = z3.If(value > best if name == "max" else value < best, value, best)
                return best
        raise Unreadable(
            f"{name}(…) with {len(values)} values in '{self._text}' is not known; there are distinct, implies, xor,"
            " abs, sum, max, min"
        )


def _real(value: Any) -> Any:
    return z3.ToReal(value) if z3.is_int(value) else value


def _counted(value: Any) -> Any:
    """A truth value as 0 or 1, so that sum(…) counts."""
    return z3.If(value, 1, 0) if z3.is_bool(value) else value
