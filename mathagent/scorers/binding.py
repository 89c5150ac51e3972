"""The answer inside a check's program: bound to the name ``answer`` by one line, which another answer can take over.

Every program of a check that is about an answer holds that line at its top level. So a check can be run again with
perturbed answers (it must then fail), and a reader of a certificate can tell which answer it speaks of.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction

from mathagent.answers.choices import labelled_choices
from mathagent.answers.latex import tidy
from mathagent.answers.normal import split_list
from mathagent.answers.rational import exact_value
from mathagent.answers.units import split_unit
from mathagent.scorers.expressions import Unreadable, read_expression
from mathagent.types import Problem, Value

NAME = "answer"
_LEAST_DECIMALS, _LEAST_DIGITS = 3, 4
_ROUNDING = re.compile(r"\bround|\bnearest\b|\bdecimal|\bapprox|\bsignificant\b|\bestimate", re.IGNORECASE)
OTHER_UNITS = ("cm^2", "kg", "s", "m^3")


class Binding(Value):
    """An answer as Python: its ``source``, the variables ``names`` in it, and its ``unit`` ("" for none).

    ``half`` is half a unit of the last decimal of an answer that was rounded (Python source), else "". ``size`` is
    the number of values, of which several are a tuple.
    """

    source: str
    size: int = 1
    names: frozenset[str] = frozenset()
    unit: str = ""
    half: str = ""


def bind(problem: Problem, answer: str) -> Binding:
    """``answer`` (text or normal form) as Python. Raises Unreadable where it is no value that Python can hold.

    The label of a choice stands for what the choice says.
    """
    text = tidy(chosen(problem, answer))
    labels = {label for label, _ in labelled_choices(problem.choices)}
    if text == tidy(answer) and labels and labels.issuperset(split_list(text)):
        raise Unreadable(f"the answer names several choices, {text}")
    text = re.sub(r"^[A-Za-z](?:_\{\w+\})?=(?=.)", "", text)
    value, unit = split_unit(text)
    if value.endswith("%"):
        raise Unreadable(f"'{value}' may stand for {value[:-1]} or for a hundredth of it")
    exact = exact_value(value)
    if exact is not None:
        return Binding(source=_number(exact), unit=unit, half=_half(problem, value))
    inner = re.fullmatch(r"\((.*)\)|\\\{(.*)\\\}", value, re.DOTALL)
    listed = split_list(inner[1] or inner[2] or "") if inner else split_list(value)
    if len(listed) > 1:
        parts = [bind(problem.model_copy(update={"choices": ()}), part) for part in listed]
        names = frozenset[str]().union(*(part.names for part in parts))
        return Binding(source=f"({', '.join(part.source for part in parts)})", names=names, size=len(parts))
    read = read_expression(value, letters=True)
    return Binding(source=read.source, names=read.names, unit=unit)


def chosen(problem: Problem, answer: str) -> str:
    """What the choice says whose label ``answer`` is; ``answer`` itself where it is no label."""
    if not problem.choices:
        return answer
    texts = {label.lower(): text for label, text in labelled_choices(problem.choices)}
    return texts.get(answer.strip("() ").lower(), answer)


def bound_source(program: str) -> str | None:
    """The Python source of the answer that ``program`` binds; None where it binds none (or is no Python)."""
    statement = _statement(program)
    try:
        return None if statement is None else ast.unparse(statement.value)
    except (RecursionError, ValueError):  # ValueError: a hexadecimal number too long to print
        return None


def rebound(program: str, source: str) -> str:
    """``program`` with ``source`` as the answer. Raises ValueError where it binds none."""
    statement = _statement(program)
    if statement is None or statement.end_lineno is None:
        raise ValueError("the program binds no answer")
    lines = program.encode().splitlines()  # of bytes: at the ends of Python's lines only
    before, after = lines[: statement.lineno - 1], lines[statement.end_lineno :]
    return b"\n".join([*before, f"{NAME} = {source}".encode(), *after, b""]).decode()


def perturbed(source: str) -> list[str]:
    """Other answers near the one with Python ``source``: one more, one less, twice it, its negative, parts changed.

    Quantities with a unit (text) get another unit.
    """
    tree = ast.parse(source, mode="eval").body
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        value, unit = tree.value.partition(" ")[::2]
        return [repr(f"{value} {other}") for other in OTHER_UNITS if other != unit]
    if isinstance(tree, ast.Tuple):
        parts = [ast.unparse(part) for part in tree.elts]
        doubled = [f"2*({part})" for part in parts]
        changed = [[*parts[:i], f"({parts[i]}) + 1", *parts[i + 1 :]] for i in dict.fromkeys((0, len(parts) - 1))]
        shifted = [f"({part}) + 2" for part in parts]
        return [f"({', '.join(one)},)" for one in (*changed, doubled, shifted)]
    number = number_of(source)
    if number is None:
        return [f"({source}) + 1", f"({source}) - 1", f"2*({source})", f"-({source})"]
    others = dict.fromkeys((number + 1, number - 1, 2 * number, -number, number + 3))
    return [_number(other) for other in others if other != number][:4]


def distant(source: str) -> list[str]:
    """Answers that differ in kind from the one with Python ``source``: not whole, negative, huge, more values, …."""
    tree = ast.parse(source, mode="eval").body
    parts = [ast.unparse(part) for part in tree.elts] if isinstance(tree, ast.Tuple) else [source]
    changes = ("({}) + sympy.Rational(1, 3)", "-({}) - 1", "1000000*({}) + 1000000")
    others = [[change.format(part) for part in parts] for change in changes]
    return [f"({', '.join(one)},)" for one in (*others, [*parts, "0"], *([parts[:1]] if len(parts) > 1 else []))]


def number_of(source: str) -> Fraction | None:
    """The value of a bound number; None where the answer is something else."""
    plain = re.sub(r"sympy\.Rational\((-?\d+), (\d+)\)", r"\1/\2", source)
    return exact_value(plain) if re.fullmatch(r"-?\d+(?:/\d+)?", plain) else None


def _statement(program: str) -> ast.Assign | None:
    """The first statement ``answer = …`` of the program's top level."""
    try:
        body = ast.parse(program).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for statement in body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        if isinstance(target, ast.Name) and target.id == NAME:
            return statement
    return None


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"sympy.Rational({value.numerator}, {value.denominator})"


def _half(problem: Problem, value: str) -> str:
    """Half a unit of the last decimal, where the answer looks rounded: many decimals, or the problem speaks of it."""
    match = re.fullmatch(r"-?\d*\.(\d+)", value)
    if match is None:
        return ""
    decimals, digits = len(match[1]), len(value.lstrip("-0.").replace(".", ""))
    if not (_ROUNDING.search(problem.text) or (decimals >= _LEAST_DECIMALS and digits >= _LEAST_DIGITS)):
        return ""
    return f"sympy.Rational(1, {2 * 10**decimals})"
