"""Constraints over whole numbers, real numbers and truth values, decided by z3. In the sandbox only.

Solutions are listed and counted as far as wanted, or the best one is found; "not decided" is an answer, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import z3

from .constraint_reading import ConstraintReader

_SORTS: dict[str, Callable[[str], Any]] = {"int": z3.Int, "real": z3.Real, "bool": z3.Bool}


def answer(fields: dict[str, Any]) -> str:
    """The solutions, or the best one, as text. Raises Unreadable."""
    names: dict[str, Any] = {name: _SORTS[sort](name) for name, sort in fields["variables"]}
    read = ConstraintReader(names)
    constraints = [read.truth(text) for text in fields["constraints"]]
    goal, largest = (fields["maximize"], True) if fields["maximize"] else (fields["minimize"], False)
    if goal:
        return _best(read, constraints, goal, largest, fields["timeout_ms"])
    return _solutions(read, constraints, fields["solutions"], fields["timeout_ms"])


def _solutions(read: ConstraintReader, constraints: list[Any], wanted: int, timeout_ms: int) -> str:
    solver = z3.Solver()
    solver.set("timeout", timeout_ms)
    solver.add(constraints)
    found: list[str] = []
    while len(found) <= wanted:  # one more than wanted, to know whether there are more
        status = solver.check()
        if status != z3.sat:
            break
        model = solver.model()
        found.append(_point(model, read.names))
        solver.add(z3.Or([one != model.eval(one, model_completion=True) for one in read.names.values()]))
    if not found:
        return "no solution" if status == z3.unsat else _undecided(solver)
    more = len(found) > wanted
    every = "the only solution" if len(found) == 1 else f"all {len(found)} solutions"
    end = "there are more solutions" if more else every
    if status == z3.unknown:
        end = "whether there are more is not known"
    return "\n".join([*found[:wanted], f"({end})"])


def _best(read: ConstraintReader, constraints: list[Any], goal: str, largest: bool, timeout_ms: int) -> str:
    optimizer = z3.Optimize()
    optimizer.set("timeout", timeout_ms)
    optimizer.add(constraints)
    value, sound = read.number(goal)
    optimizer.add(sound)
    handle = optimizer.maximize(value) if largest else optimizer.minimize(value)
    status = optimizer.check()
    if status != z3.sat:
        return "no solution" if status == z3.unsat else _undecided(optimizer)
    bound = str(optimizer.upper(handle) if largest else optimizer.lower(handle))
    kind = "largest" if largest else "smallest"
    if "oo" in bound:
        return f"no {kind} value: {goal} is unbounded"
    model = optimizer.model()
    if "epsilon" in bound:
        return f"no {kind} value: {goal} comes as near as one likes to {_limit_of(bound)} without taking it"
    reached = model.eval(value, model_completion=True)
    return f"{kind} {goal} = {_number(reached)} at {_point(model, read.names)}"


def _limit_of(bound: str) -> str:
    return re.sub(r"\s*[+-]?\s*(?:\d+\*)?epsilon|\s*\*\s*epsilon", "", bound).strip(" +-") or "0"


def _undecided(solver: Any) -> str:
    return f"not decided ({solver.reason_unknown()}): give bounds for the variables, or simpler constraints"


def _point(model: Any, names: dict[str, Any]) -> str:
    values = {name: model.eval(one, model_completion=True) for name, one in names.items()}
    return ", ".join(f"{name} = {_number(value)}" for name, value in values.items())


def _number(value: Any) -> str:
    if z3.is_algebraic_value(value):
        return f"about {value.as_decimal(12).rstrip('?')}"
    return str(value)
