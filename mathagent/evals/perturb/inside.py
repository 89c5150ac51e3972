"""Runs in the sandbox: executes the programs of programs.json and prints what each gives, one JSON line a program."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from fractions import Fraction
from pathlib import Path
from types import CodeType
from typing import Any

_NAMES = ("answer", "result", "ans")


def number(value: Any) -> str | None:
    """``value`` as an exact text, None where it is no number."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return str(Fraction(str(value)))
    except (ValueError, TypeError, ZeroDivisionError):
        try:
            return str(Fraction(float(value)))
        except (ValueError, TypeError, OverflowError):
            return None


def prepared(source: str) -> CodeType:
    """The program with a record of its variables before each return of solution(), and of its last expression."""
    tree = ast.parse(source)
    keep = ast.parse("__seen__.update(locals())").body[0]

    class Recorder(ast.NodeTransformer):
        def visit_Return(self, node: ast.Return) -> Any:
            return [keep, node]

    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "solution":
            Recorder().visit(node)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        tree.body[-1] = ast.Assign(targets=[ast.Name("__last__", ast.Store())], value=tree.body[-1].value)
    return compile(ast.fix_missing_locations(tree), "program", "exec")


def outcome(source: str) -> dict[str, Any]:
    """The answer and the numeric variables of one program."""
    seen: dict[str, Any] = {}
    printed = io.StringIO()
    namespace: dict[str, Any] = {"__seen__": seen, "__name__": "program"}
    try:
        with contextlib.redirect_stdout(printed):
            exec(prepared(source), namespace)
            answer = namespace["solution"]() if callable(namespace.get("solution")) else None
    except BaseException as error:  # noqa: BLE001 - whatever it does is its outcome
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    for name in () if answer is not None else ("__last__", *_NAMES):
        if answer is None and number(namespace.get(name)) is not None:
            answer = namespace[name]
    lines = printed.getvalue().strip().splitlines()
    if answer is None and lines:
        answer = lines[-1].replace(",", "").replace("$", "").strip().split(":")[-1].strip()
    named = {**{name: value for name, value in namespace.items() if not name.startswith("__")}, **seen}
    values = {name: number(value) for name, value in named.items()}
    return {
        "answer": number(answer),
        "variables": {name: value for name, value in values.items() if value is not None},
    }


for text in json.loads(Path("programs.json").read_text(encoding="utf-8")):
    print(json.dumps(outcome(text)), flush=True)
