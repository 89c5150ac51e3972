"""Verified programs: what numbers they state, and what they compute with others. Every run is in the sandbox."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files

from pydantic import Field

from mathagent.errors import UsageError
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.types import Value

MOST_CHARACTERS = 20_000
_LIMITS = Limits(timeout_s=20.0, cpu_s=20.0)


class Constant(Value):
    """A number that a program states, and where (line from 1, columns in UTF-8 bytes, as Python's parser counts)."""

    line: int
    start: int
    end: int
    value: Fraction


class Outcome(Value):
    """What a program gave: its answer (None: none, or no number), and the values of its variables by name.

    ``error`` says why there is nothing.
    """

    answer: Fraction | None = None
    variables: dict[str, Fraction] = Field(default_factory=dict)
    error: str = ""


def constants(program: str) -> list[Constant]:
    """The numbers in ``program`` in their order. Raises UsageError where it is no Python."""
    found = []
    for node in ast.walk(_parsed(program)):
        if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
            continue
        if not isinstance(node.value, int | float) or node.end_col_offset is None:
            continue
        literal = ast.get_source_segment(program, node) or repr(node.value)
        try:
            value = Fraction(literal.replace("_", ""))
        except ValueError:  # 0x10
            value = Fraction(node.value)
        found.append(Constant(line=node.lineno, start=node.col_offset, end=node.end_col_offset, value=value))
    return sorted(found, key=lambda one: (one.line, one.start))


def with_constants(program: str, changes: Sequence[tuple[Constant, Fraction]]) -> str:
    """``program`` with other numbers in the places of some."""
    lines = program.encode().split(b"\n")
    for constant, value in sorted(changes, key=lambda change: (-change[0].line, -change[0].start)):
        line = lines[constant.line - 1]
        lines[constant.line - 1] = line[: constant.start] + literal(value).encode() + line[constant.end :]
    return b"\n".join(lines).decode()


def unrounded(program: str) -> str | None:
    """``program`` without its roundings (``//``, int, round, floor, ceil, trunc); None where it has none.

    Where the two agree, nothing was rounded away.
    """
    softener = _Softener()
    tree = ast.fix_missing_locations(softener.visit(_parsed(program)))
    return ast.unparse(tree) if softener.changed else None


class _Softener(ast.NodeTransformer):
    changed = False

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.FloorDiv):
            node.op, self.changed = ast.Div(), True
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.FloorDiv):
            node.op, self.changed = ast.Div(), True
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("int", "round", "floor", "ceil", "trunc") and node.args:
            self.changed = True
            return node.args[0]
        return node


def literal(value: Fraction) -> str:
    """A number as Python source; one that does not terminate as a quotient in brackets."""
    if value.denominator == 1:
        return str(value.numerator)
    places = next((digits for digits in range(1, 13) if 10**digits % value.denominator == 0), None)
    if places is None:
        return f"({value.numerator} / {value.denominator})"
    return format(Decimal(value.numerator) / Decimal(value.denominator), "f")


async def outcomes(sandbox: Sandbox, programs: Sequence[str]) -> list[Outcome]:
    """What each of ``programs`` gives, each in a namespace of its own but all in one run of the sandbox.

    Programs define ``solution()``, set ``answer`` or ``result``, end with an expression, or print. Raises SandboxError.
    """
    if any(len(program) > MOST_CHARACTERS for program in programs):
        return [Outcome(error="the program is too long")] * len(programs)
    harness = files(__package__).joinpath("inside.py").read_text(encoding="utf-8")
    source = json.dumps(list(programs))
    execution = await sandbox.run(harness, _LIMITS, {"programs.json": source.encode()})
    lines = [line for line in execution.stdout.splitlines() if line.startswith("{")]
    found = [_outcome(json.loads(line)) for line in lines[: len(programs)]]
    left = Outcome(error=execution.error or f"the run ended with status {execution.status}")
    return [*found, *[left] * (len(programs) - len(found))]


def _outcome(line: Mapping[str, object]) -> Outcome:
    if line.get("error"):
        return Outcome(error=str(line["error"]))
    variables = line.get("variables")
    answer = line.get("answer")
    return Outcome(
        answer=None if answer is None else near(Fraction(str(answer))),
        variables={name: near(Fraction(str(value))) for name, value in dict(variables or {}).items()},  # type: ignore[call-overload]
    )


def near(value: Fraction) -> Fraction:
    """``value`` without the noise of binary floating point: the nearest number of few digits, if it is very near."""
    for places in (0, 1, 2, 3, 4, 6):
        rounded = Fraction(round(value * 10**places), 10**places)
        if abs(rounded - value) <= abs(value) / 10**12:
            return rounded
    return value


def _parsed(program: str) -> ast.Module:
    try:
        return ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError("the program is no Python") from error
