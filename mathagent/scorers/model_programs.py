"""Programs that a model wrote, as parts of a check: brought to end in a value. Pure text work: nothing is run."""

from __future__ import annotations

import ast
import re
from typing import TypeVar

from mathagent.scorers.expressions import Unreadable

T = TypeVar("T", bound=ast.AST)

MAX_BITS = 14_000
"""Of a whole number in hexadecimal: Python refuses to print one of more than 4,300 digits."""
_FENCE = re.compile(r"\A\s*```[^\n]*\n(.*?)(?:\n```\s*)?\Z", re.DOTALL)


def parse(program: str) -> ast.Module:
    """The syntax tree of ``program``. Raises Unreadable where it is no Python, or holds a number too long to print."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"the program is no Python: {error}") from error
    return _printable(tree)


def valued(program: str) -> str:
    """``program`` so that its last statement is an expression, whose value a check compares.

    A last line ``print(x)`` becomes ``x``, after an assignment comes the name, after a function without parameters
    its call. Raises Unreadable where there is nothing of the kind.
    """
    fenced = _FENCE.match(program)
    source = (fenced[1] if fenced else program).strip("\n")
    body = parse(source).body
    if not body:
        raise Unreadable("the program is empty")
    last = body[-1]
    if isinstance(last, ast.Expr):
        call = last.value
        named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print"
        if not (named and isinstance(call, ast.Call) and call.args):
            return source
        before = source.encode().splitlines()[: last.lineno]
        before[-1] = before[-1][: last.col_offset].rstrip(b"; ")
        return "\n".join([*(line.decode() for line in before if line), ast.unparse(call.args[-1])])
    if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
        return f"{source}\n{last.targets[0].id}"
    if isinstance(last, ast.FunctionDef) and not last.args.args:
        return f"{source}\n{last.name}()"
    raise Unreadable("the program does not end in a value")


def condition(text: str) -> str:
    """A definition of ``holds(n)`` from a Python condition on n, or from the whole function. Raises Unreadable."""
    fenced = _FENCE.match(text)
    source = (fenced[1] if fenced else text).strip()
    try:
        tree = _printable(ast.parse(source, mode="eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        functions = [node for node in parse(source).body if isinstance(node, ast.FunctionDef)]
        if not functions or len(functions[-1].args.args) != 1:
            raise Unreadable("the condition is neither an expression in n nor a function of n") from None
        name = functions[-1].name
        return source if name == "holds" else f"{source}\nholds = {name}"
    if not any(isinstance(node, ast.Name) and node.id == "n" for node in ast.walk(tree)):
        raise Unreadable("the condition does not mention n")
    return f"def holds(n):\n    return {ast.unparse(tree)}"


def _printable(tree: T) -> T:
    """``tree``. Raises Unreadable where it holds a whole number beyond MAX_BITS, such as 0xfff…."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value.bit_length() > MAX_BITS:
            raise Unreadable("the program holds a number of thousands of digits")
    return tree
