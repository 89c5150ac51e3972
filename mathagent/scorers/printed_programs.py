"""Programs that print their answer, wrapped so that it is their value; and what such a wrapper holds. Pure."""

from __future__ import annotations

import ast

from mathagent.scorers.model_programs import valued

_WRAPPER = """\
import contextlib, io
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    exec(compile({source!r}, "<program>", "exec"), {{"__name__": "__main__"}})
printed.getvalue().strip().splitlines()[-1]
"""


def valued_by_print(source: str) -> str:
    """A program whose value is the last line that ``source`` prints."""
    return _WRAPPER.format(source=source)


def inner_program(program: str) -> str:
    """What ``valued_by_print`` wrapped; ``program`` itself where it is no such wrapper.

    What is said of a program by its text (does it compute anything? is it another one?) is said of this: a wrapper
    computes, whatever is in it.
    """
    if "redirect_stdout(printed)" not in program:
        return program
    try:
        nodes = ast.walk(ast.parse(program))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return program
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if valued_by_print(node.value).strip() == program.strip():
            return node.value
    return program


def shape(program: str) -> str:
    """The program without layout, comments, wrapper and printing: equal for what is no second derivation."""
    inner = inner_program(program)
    try:
        return ast.dump(ast.parse(valued(inner)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # Unreadable is a ValueError
        return inner
