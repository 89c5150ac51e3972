"""Exemplar text: a solution's program and words, made short enough to be shown again. Pure.

A prompt pays for every line, so what repeats the problem or says nothing goes; what computes or explains stays.
"""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize

from mathagent.memory.near_duplicates import common_length, normal_problem, positions, tokens_of

REPEATED_TOKENS = 6
"""A comment or sentence of at least so many tokens that stands in the problem word for word is a copy of it."""
SHARED = 0.85
"""Share of a paragraph's tokens that stand in the problem, in order, from which it is a copy."""

_ASSERT = re.compile(r"^assert\b")
_OPENING = re.compile(
    r"\A\s*(?:(?:sure|certainly|of course|okay|ok|great|alright)\b[^.!:\n]*[.!:]\s*"
    r"|(?:let'?s|let us) (?:think|solve|work|go|break|start|begin)\b[^.!:\n]*[.!:]\s*"
    r"|to (?:solve|find|determine|answer)\b[^.!:\n]*\b(?:we|i) (?:need|can|will|should|follow|must|have)\b[^.!:\n]*"
    r"[.!:]\s*"
    r"|(?:here is|here's)\b[^.!:\n]*[.!:]\s*)+",
    re.IGNORECASE,
)
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def tidy_program(program: str, problem: str) -> str:
    """``program`` without docstrings, without assertions at top level, and without comments that copy ``problem``.

    Comments that say something of their own stay: they are the reasoning. What is no Python is returned as it is,
    without blank ends.
    """
    program = textwrap.dedent(program).strip()
    try:
        docstrings = _docstring_lines(ast.parse(program))
        comments = _copied_comments(program, problem)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return program
    lines: list[str] = []
    for number, line in enumerate(program.splitlines(), start=1):
        if number in docstrings:
            continue
        if number in comments:
            line = line[: comments[number]].rstrip()
            if not line:
                continue
        lines.append(line.rstrip())
    tidied = _BLANK_LINES.sub("\n\n", "\n".join(_without_assertions(lines)).strip())
    return tidied if _parses(tidied) else program


def tidy_reasoning(reasoning: str, problem: str) -> str:
    """``reasoning`` without polite openings, paragraphs (of several) that repeat ``problem``, and blank lines."""
    paragraphs = [part.strip() for part in _BLANK_LINES.split(reasoning.strip())]
    if len(paragraphs) > 1:
        tokens = tokens_of(problem)
        where = positions(tokens)
        paragraphs = [part for part in paragraphs if not _repeats(tokens_of(part), where, len(tokens))]
    return _OPENING.sub("", "\n".join(paragraphs)).strip()


def _docstring_lines(tree: ast.Module) -> set[int]:
    """The lines of docstrings that a body does not consist of."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        first = node.body[0] if node.body else None
        if (
            len(node.body) > 1
            and isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
            and first.end_lineno is not None
            and node.body[1].lineno > first.end_lineno
        ):
            found.update(range(first.lineno, first.end_lineno + 1))
    return found


def _copied_comments(program: str, problem: str) -> dict[int, int]:
    """Where on which line a comment begins that copies the problem."""
    text = f" {normal_problem(problem)} "
    found: dict[int, int] = {}
    for token in tokenize.generate_tokens(io.StringIO(program).readline):
        if token.type == tokenize.COMMENT:
            said = normal_problem(token.string)
            if len(said.split()) >= REPEATED_TOKENS and f" {said} " in text:
                found[token.start[0]] = token.start[1]
    return found


def _without_assertions(lines: list[str]) -> list[str]:
    """Models like to assert the result that they expect behind their function: a guess, which pal does not run."""
    return [line for line in lines if not _ASSERT.match(line)]


def _repeats(paragraph: list[str], problem: dict[str, int], length: int) -> bool:
    if len(paragraph) < REPEATED_TOKENS or "=" in paragraph:  # what computes is the solution
        return False
    return common_length(problem, length, paragraph) >= SHARED * len(paragraph)


def _parses(program: str) -> bool:
    try:
        ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return bool(program)
