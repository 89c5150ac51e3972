"""Checks that could not fail: refused before they are run. Pure: only the program's text is read.

The other half of the test, running a check with other answers, is in ``checks``. A program that is made to deceive can
still pass; these rules are against the ways in which models really go wrong.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction

from mathagent.answers.rational import exact_value
from mathagent.scorers.binding import NAME, bound_source, number_of
from mathagent.scorers.expressions import Unreadable
from mathagent.scorers.model_programs import parse
from mathagent.scorers.printed_programs import inner_program
from mathagent.scorers.stated_numbers import stated_numbers, worded_numbers
from mathagent.types import Check, Problem

VALUE_KINDS = frozenset({"execution", "recomputation", "agreement"})
"""Kinds whose program computes the answer; the programs of the others are given it."""
MAX_CHARACTERS = 100_000
_COMMON = frozenset({Fraction(0), Fraction(1), Fraction(2)})
_KNOWLEDGE = frozenset(
    Fraction(number) for number in (3, 4, 7, 10, 12, 16, 24, 30, 52, 60, 90, 100, 180, 360, 365, 1000, 3600)
)
"""Numbers of units and shapes, which problems leave unsaid."""


def objection(check: Check, problem: Problem) -> str | None:
    """Why ``check`` would say nothing about the answer whatever came out; None where it would."""
    if len(check.program) > MAX_CHARACTERS:
        return f"the program has {len(check.program):,} characters, more than {MAX_CHARACTERS:,}"
    try:
        return _objection(check, parse(check.program), problem)
    except Unreadable as error:
        return str(error)
    except RecursionError:
        return "the program is nested too deeply"


def _objection(check: Check, tree: ast.Module, problem: Problem) -> str | None:
    if check.kind in VALUE_KINDS:
        return _value_objection(check, parse(inner_program(check.program)), problem)
    source = bound_source(check.program)
    if source is None:
        return "the program binds no answer"
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == NAME]
    if sum(isinstance(node.ctx, ast.Store) for node in names) != 1:
        return "the program gives the answer another value"
    if not any(isinstance(node.ctx, ast.Load) for node in names):
        return "the program does not use the answer"
    if check.kind == "reverse" and exact_value(check.expected) not in stated_numbers(problem.text):
        return f"the problem does not state {check.expected}"
    written = _written_by_model(check, tree)
    return _tailored(tree, written, number_of(source), problem) or _invented(written, problem)


def _value_objection(check: Check, tree: ast.Module, problem: Problem) -> str | None:
    if not _computes(tree):
        return "the program states the value and computes nothing"
    expected = exact_value(check.expected)
    if check.kind == "execution" or expected is None or abs(expected) in _allowed(problem):
        return None
    if any(_value(node) == expected for node in ast.walk(tree)):
        return f"the program holds the answer {check.expected} as a number that the problem does not state"
    return None


def _written_by_model(check: Check, tree: ast.Module) -> list[ast.stmt]:
    """The statements of ``tree`` that hold what a model wrote; the rest is a template's."""
    if check.kind == "reverse":
        return [node for node in tree.body if not _assigns(node, NAME)]
    if check.kind == "brute-force":
        return [node for node in tree.body if isinstance(node, ast.FunctionDef) or _assigns(node, "holds")]
    return [node for node in tree.body if _assigns(node, "equations", "sides")]


def _tailored(tree: ast.Module, written: list[ast.stmt], answer: Fraction | None, problem: Problem) -> str | None:
    """Whether a program was cut to this very answer: it compares with it, or what a model wrote holds it."""
    if answer is None:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(_is_name(side, NAME, "n") for side in sides) and any(_value(side) == answer for side in sides):
                return "the program compares with the answer itself"
    held = any(_value(node) == answer for statement in written for node in ast.walk(statement))
    if held and abs(answer) not in _allowed(problem):
        return "the program holds the answer as a number that the problem does not state"
    return None


def _invented(written: list[ast.stmt], problem: Problem) -> str | None:
    """Whether what a model wrote holds a number that is neither the problem's nor common knowledge.

    Small models put numbers of their examples, or results of their own, into what they say the problem states.
    """
    allowed = _allowed(problem) | _KNOWLEDGE
    for statement in written:
        for node in ast.walk(statement):
            value = _value(node)
            if value is None:
                continue
            size = abs(value)  # 5 % may stand as 5, 0.05, 1.05 or 0.95
            if not allowed & {size, size * 100, size / 100, (size - 1) * 100, (1 - size) * 100}:
                return f"it uses {value}, which the problem does not state"
    return None


def _allowed(problem: Problem) -> frozenset[Fraction]:
    """The absolute values of numbers that a program may hold though they are the answer."""
    return _COMMON | stated_numbers(problem.text) | worded_numbers(problem.text)


def _computes(tree: ast.Module) -> bool:
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)} | {"print"}
    for node in ast.walk(tree):
        if isinstance(node, (ast.BinOp, ast.AugAssign, ast.Compare, ast.For, ast.While, ast.comprehension)):
            return True
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in own):
            return True
    return False


def _value(node: ast.AST) -> Fraction | None:
    """The number that ``node`` states; None where it states none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _value(node.operand)
        return None if inner is None else -inner
    if not isinstance(node, ast.Constant) or isinstance(node.value, (bool, bytes)):
        return None
    text = str(node.value)  # sympy.Rational("0.5") holds a number as text
    return exact_value(text) if re.fullmatch(r"[\d.]+(?:e[-+]?\d+)?", text) else None


def _assigns(statement: ast.stmt, *names: str) -> bool:
    return isinstance(statement, ast.Assign) and _is_name(statement.targets[0], *names)


def _is_name(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Name) and node.id in names
