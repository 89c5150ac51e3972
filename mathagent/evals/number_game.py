"""The number game: reach a target with given numbers, each used once (Game of 24). Pure.

There is no one right answer: whatever expression does it is right. It is parsed, never evaluated as code.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from mathagent.answers.latex import strip_wrappers
from mathagent.errors import UsageError
from mathagent.types import Problem

ANSWER_TYPE = "number-game"

_LONGEST = 200
_SIGNS = str.maketrans({"×": "*", "⋅": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")", "x": "*"})
_COMMANDS = (
    (re.compile(r"\\(?:times|cdot|ast)\b"), "*"),
    (re.compile(r"\\div\b"), "/"),
    (re.compile(r"\\(?:left|right|,|;|!|quad|displaystyle)"), " "),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\[dt]?frac\s*(\d)\s*(\d)"), r"((\1)/(\2))"),
    (re.compile(r"(?<=[\d)])\s*(?=\()|(?<=\))\s*(?=\d)"), "*"),
)


def question(numbers: Sequence[int], target: int) -> str:
    """The problem's text: the rules, and what the answer is to be."""
    listed = ", ".join(map(str, numbers))
    return (
        f"Use the numbers {listed}, each exactly once, with the operations +, -, *, / and parentheses, to make"
        f' {target}. The answer is the expression itself, such as (a + b) * (c - d), without "= {target}".'
    )


def grade(answer: str, problem: Problem) -> tuple[Literal["correct", "incorrect"], str]:
    """Whether ``answer`` is an expression in the numbers of ``problem`` whose value is its reference, and why.

    "… = 24" behind it is allowed. Raises UsageError where the problem names no numbers or no target.
    """
    numbers, target = problem.metadata.get("numbers"), problem.reference
    if not isinstance(numbers, list) or not re.fullmatch(r"-?\d+", target or ""):
        raise UsageError(
            f"{problem.id}: a number game has its numbers in metadata and a whole target as reference"
        )
    try:
        value, used = evaluate(answer, int(target or ""))
    except (ValueError, ZeroDivisionError) as error:
        return "incorrect", str(error) or "it is no expression"
    if Counter(used) != Counter(numbers):
        return "incorrect", f"it uses {', '.join(map(str, sorted(used)))}, not {', '.join(map(str, numbers))}"
    if value != int(target or ""):
        return "incorrect", f"its value is {value}, not {target}"
    return "correct", f"the numbers make {target}"


def evaluate(text: str, target: int) -> tuple[Fraction, list[int]]:
    """The exact value of an expression in whole numbers, and the numbers it uses.

    Raises ValueError for anything but + - * / and brackets, ZeroDivisionError where it divides by zero.
    """
    text = strip_wrappers(text)
    for pattern, plain in _COMMANDS[:3]:
        text = pattern.sub(plain, text)
    while (simpler := _COMMANDS[3][0].sub(_COMMANDS[3][1], text)) != text:  # fractions within fractions
        text = simpler
    for pattern, plain in _COMMANDS[4:5]:
        text = pattern.sub(plain, text)
    text = re.sub(rf"=\s*{target}(?:\.0+)?\s*\.?\s*\Z", "", text.translate(_SIGNS)).strip()
    text = _COMMANDS[5][0].sub(_COMMANDS[5][1], text)
    if len(text) > _LONGEST:
        raise ValueError("it is too long to be an expression in a few numbers")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError("it is no expression in numbers, + - * / and brackets") from error
    used: list[int] = []
    return _value(tree, used), used


def solution(numbers: Sequence[int], target: int) -> str | None:
    """An expression that does it, found by trying all; None: there is none."""
    return _search([(Fraction(number), str(number)) for number in numbers], target)


def _search(left: list[tuple[Fraction, str]], target: int) -> str | None:
    if len(left) == 1:
        return left[0][1] if left[0][0] == target else None
    for i, (a, a_text) in enumerate(left):
        for j, (b, b_text) in enumerate(left):
            if i == j:
                continue
            rest = [one for k, one in enumerate(left) if k not in (i, j)]
            made = [(a - b, f"({a_text} - {b_text})")]
            made += [(a + b, f"({a_text} + {b_text})"), (a * b, f"({a_text} * {b_text})")] if i < j else []
            made += [(a / b, f"({a_text} / {b_text})")] if b else []
            for one in made:
                found = _search([*rest, one], target)
                if found is not None:
                    return found
    return None


def _value(node: ast.AST, used: list[int]) -> Fraction:
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            used.append(number)
            return Fraction(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, used)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, used)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _value(left, used), _value(right, used)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div():
                    if b == 0:
                        raise ZeroDivisionError("it divides by zero")
                    return a / b
    raise ValueError("only whole numbers, + - * / and brackets may be used")
