"""From a proposal and an answer to a check: a complete program that anyone can run, and the value it must give.

Substitution, numeric, domain and dimension checks are built from templates here; programs that a model wrote run as
they are, with the answer bound to the name ``answer`` where they need it. What cannot be built is an undecided check
without a program, whose reason says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from mathagent.answers.latex import tidy
from mathagent.answers.normal import split_list
from mathagent.answers.units import canonical_unit, split_unit
from mathagent.scorers.binding import OTHER_UNITS, Binding, bind, chosen, number_of
from mathagent.scorers.check_proposals import (
    Agreement,
    BruteForce,
    Dimension,
    Domain,
    Numeric,
    Proposal,
    Recomputation,
    Reverse,
    Substitution,
)
from mathagent.scorers.dimensions import dimension_of
from mathagent.scorers.expressions import Expression, Unreadable, read_equation, read_expression
from mathagent.scorers.model_programs import condition, valued
from mathagent.scorers.stated_numbers import NUMBER
from mathagent.types import Check, Problem

TRUE = "True"
NOT_RUN = "it has not been run"
POINTS = 6
_DISCRETE = re.compile(r"sympy\.(?:factorial|binomial|summation|product|floor|ceiling|gcd|lcm|Mod)\(")
_FOR_PROGRAMS = "import math\nimport sympy\nfrom sympy import *\n"
_WANTED = {
    "smallest": ("min(found) == answer", "the smallest n"),
    "largest": ("max(found) == answer", "the largest n"),
    "count": ("len(found) == answer", "the number of n"),
    "sum": ("sum(found) == answer", "the sum of all n"),
    "only": ("found == [answer]", "the only n"),
}


def build_check(proposal: Proposal, problem: Problem, answer: str) -> Check:
    """The check that ``proposal`` makes of ``answer``, not yet run. Never raises for what a model proposes."""
    build: Callable[[Any, Problem, str], Check] = _BUILDERS[type(proposal)]
    try:
        return build(proposal, problem, answer)
    except (Unreadable, RecursionError) as error:
        reason = str(error) if isinstance(error, Unreadable) else "it is nested too deeply"
        return Check(kind=proposal.kind, program="", expected="", outcome="undecided", reason=reason)


def _check(proposal: Proposal, program: Sequence[str], claim: str, expected: str = TRUE) -> Check:
    text = "\n".join(line for line in program if line) + "\n"
    claim = " ".join(claim.split())
    return Check(
        kind=proposal.kind,
        program=text,
        expected=expected,
        outcome="undecided",
        claim=claim if len(claim) <= 200 else f"{claim[:199]}…",
        reason=NOT_RUN,
    )


def _substitution(proposal: Substitution, problem: Problem, answer: str) -> Check:
    binding = bind(problem, answer)
    pairs = [pair for text in proposal.equations for pair in read_equation(text)]
    asked = [read_expression(text) for text in split_list(tidy(proposal.asked))]
    in_equations = frozenset[str]().union(*(side.names for pair in pairs for side in pair))
    names = in_equations.union(*(one.names for one in asked))
    if not asked or not all(one.names for one in asked):
        raise Unreadable(f"'{proposal.asked}' names nothing that the answer could be")
    if not all(one.names <= in_equations for one in asked):
        raise Unreadable(f"no equation mentions {proposal.asked.strip()}, which the answer is said to be")
    if any(_states(left, one.source, right) for left, right in pairs for one in asked):
        raise Unreadable(f"an equation states {proposal.asked.strip()} itself")
    if len(asked) not in (1, binding.size):
        raise Unreadable(f"the equations ask for {len(asked)} values, the answer has {binding.size}")
    values = ["answer"] if len(asked) == 1 else [f"answer[{index}]" for index in range(len(asked))]
    bound = {one.source: value for one, value in zip(asked, values, strict=True) if one.source in one.names}
    formulas = [
        f"{one.source} - {value}" for one, value in zip(asked, values, strict=True) if one.source not in bound
    ]
    others = sorted(names - set(bound) - binding.names)
    several = len(asked) == 1 and binding.size > 1
    if several and (others or formulas):
        raise Unreadable("whether each of several answers fits equations with other unknowns is not looked at")
    program = [
        "import sympy",
        _symbols(names | binding.names, real="sympy.I" not in binding.source),
        f"answer = {binding.source}",
        "equations = [  # each must be zero",
        *(f"    {left.source} - ({right.source})," for left, right in pairs),
        *(f"    {formula}," for formula in formulas),
        "]",
        *_fits(bound, others, binding, several=several),
    ]
    given = "; ".join(proposal.equations)
    return _check(proposal, program, f"{proposal.asked} = {chosen(problem, answer)} satisfies {given}")


def _fits(bound: dict[str, str], others: list[str], binding: Binding, *, several: bool) -> list[str]:
    """The program's end: do the equations hold with ``bound`` (each of ``several`` answers), for some ``others``?

    A rounded answer fits where the exact one is within half a unit of its last decimal.
    """
    unknown = ", ".join(others)
    if binding.half and bound:
        (name,) = bound
        start = f"half = {binding.half}  # the answer is rounded"
        if others:
            solve = f"found = sympy.solve(equations, [{name}, {unknown}], dict=True)"
            return [start, solve, f"any(abs(one[{name}] - answer) <= half for one in found)"]
        both = f"[sympy.N(sympy.S(one).subs({name}, answer + step)) for step in (-half, half)]"
        return [
            start,
            f"values = [{both} for one in equations]",
            "all(low * high <= 0 for low, high in values)",
        ]
    if several:
        (name,) = bound
        start = f"bound = [sympy.S(one).subs({name}, value) for one in equations for value in answer]"
    else:
        values = ", ".join(f"{name}: {value}" for name, value in bound.items())
        start = f"bound = [sympy.S(one).subs({{{values}}}) for one in equations]"
    if others:
        solve = f"len(sympy.solve(remaining, [{unknown}], dict=True)) > 0"
        return [
            start,
            "remaining = [one for one in bound if sympy.simplify(one) != 0]",
            f"not remaining or {solve}",
        ]
    if binding.names:
        return [start, "all(sympy.simplify(one) == 0 for one in bound)"]
    return [start, "all(abs(sympy.N(one, 30)) < 1e-9 for one in bound)"]


def _numeric(proposal: Numeric, problem: Problem, answer: str) -> Check:
    binding = bind(problem, answer)
    keep = frozenset({"answer"})
    left, right = (read_expression(text, keep=keep) for text in (proposal.left, proposal.right))
    if _states(left, "answer", right):
        raise Unreadable("it states the answer and computes nothing")
    names = sorted((left.names | right.names | binding.names) - keep)
    source = f"{left.source} {right.source} {binding.source}"
    low, high = proposal.low, proposal.high
    number = f"random.randint({low}, {high})"
    if not _DISCRETE.search(source):
        number = f"sympy.Rational(random.randint({997 * low}, {997 * high}), 997)"
    point = "{" + ", ".join(f"{name}: {number}" for name in names) + "}"
    rounded = binding.half if not names and "answer" in (left.source, right.source) else ""
    program = [
        "import random",
        "import sympy",
        _symbols(frozenset(names), real=True),
        f"answer = {binding.source}",
        "random.seed(0)",
        f"points = [{point} for _ in range({POINTS if names else 1})]",
        f"sides = [{left.source}, {right.source}]",
        "values = [[sympy.N(sympy.S(side).subs(point)) for side in sides] for point in points]",
        f"all(abs(a - b) <= {rounded or '1e-9 * (1 + abs(a) + abs(b))'} for a, b in values)",
    ]
    where = f" at {POINTS} random points" if names else ""
    claim = f"{proposal.left} equals {proposal.right}{where}, with {chosen(problem, answer)} as the answer"
    return _check(proposal, program, claim)


def _brute_force(proposal: BruteForce, problem: Problem, answer: str) -> Check:
    binding = bind(problem, answer)
    number = number_of(binding.source)
    inside = number is not None and proposal.low <= number <= proposal.high
    if proposal.asks in ("largest", "only", "smallest") and not inside:
        raise Unreadable(f"the answer is not between {proposal.low} and {proposal.high}, the numbers to be tried")
    test, wanted = _WANTED[proposal.asks]
    where = f"from {proposal.low} to {proposal.high}"
    program = [
        _FOR_PROGRAMS,
        f"answer = {binding.source}",
        condition(proposal.condition),
        f"found = [n for n in range({proposal.low}, {proposal.high + 1}) if holds(n)]",
        f"if len(found) in (0, {proposal.high + 1 - proposal.low}):",
        '    raise ValueError("the condition holds for every number tried, or for none")',
        test,
    ]
    text = proposal.condition if "\n" not in proposal.condition.strip() else "the condition holds"
    return _check(proposal, program, f"{chosen(problem, answer)} is {wanted} {where} for which {text}")


def _domain(proposal: Domain, problem: Problem, answer: str) -> Check:
    binding = bind(problem, answer)
    tests, words = [], []
    if proposal.integer:
        tests.append("all(one.is_integer for one in values)")
        words.append("whole")
    if proposal.minimum is not None:
        tests.append(f"all(one >= {proposal.minimum} for one in values)")
        words.append(f"at least {proposal.minimum}")
    if proposal.maximum is not None:
        tests.append(f"all(one <= {proposal.maximum} for one in values)")
        words.append(f"at most {proposal.maximum}")
    if proposal.count is not None:
        tests.append(f"len(values) == {proposal.count}")
        words.append("one value" if proposal.count == 1 else f"{proposal.count} values")
    if not tests:
        raise Unreadable("the domain allows every answer")
    program = [
        "import sympy",
        _symbols(binding.names, real=True),
        f"answer = {binding.source}",
        "values = [sympy.S(one) for one in (answer if isinstance(answer, tuple) else (answer,))]",
        "if not all(one.is_number for one in values):",
        '    raise ValueError("the answer is no number")',
        " and ".join(tests),
    ]
    return _check(proposal, program, f"the answer is {', '.join(words)}")


def _dimension(proposal: Dimension, problem: Problem, answer: str) -> Check:
    value, unit = split_unit(tidy(chosen(problem, answer)))
    wanted = dimension_of(canonical_unit(proposal.unit))
    if not unit:
        raise Unreadable("the answer has no unit")
    if wanted is None or dimension_of(unit) is None:
        raise Unreadable(f"what {unit if wanted else proposal.unit} measures is not known here")
    known = {name: dimension_of(name) for name in dict.fromkeys((unit, *OTHER_UNITS))}
    program = [
        f"answer = {f'{value} {unit}'!r}",
        f"known = {known!r}",
        f"known[answer.partition(' ')[2]] == {wanted!r}",
    ]
    return _check(proposal, program, f"{unit} measures what {proposal.unit} measures")


def _reverse(proposal: Reverse, problem: Problem, answer: str) -> Check:
    binding = bind(problem, answer)
    if binding.names:
        raise Unreadable("the answer holds variables: no number follows from it")
    quantity = _quantity(proposal.quantity)
    program = [_FOR_PROGRAMS, f"answer = {binding.source}", valued(proposal.program)]
    claim = f"from the answer {chosen(problem, answer)} follows {quantity}, which the problem states"
    return _check(proposal, program, claim, expected=quantity)


def _quantity(text: str) -> str:
    """The one number in ``16 eggs`` or ``$2``. Raises Unreadable."""
    found = NUMBER.findall(text)
    if len(found) != 1 or "%" in text:
        raise Unreadable(f"'{text}' is not one number")
    return str(found[0])


def _recomputation(proposal: Recomputation, problem: Problem, answer: str) -> Check:
    claim = f"a program written without seeing the answer gives {chosen(problem, answer)}"
    return _check(proposal, [valued(proposal.program)], claim, expected=chosen(problem, answer))


def _agreement(proposal: Agreement, problem: Problem, answer: str) -> Check:
    claim = f"the program of {proposal.source} gives {chosen(problem, answer)} as well"
    return _check(proposal, [valued(proposal.program)], claim, expected=chosen(problem, answer))


def _states(left: Expression, name: str, right: Expression) -> bool:
    """Whether ``left = right`` is ``name`` and a plain number."""
    return any(
        one.source == name and number_of(other.source) is not None for one, other in ((left, right), (right, left))
    )


def _symbols(names: frozenset[str], *, real: bool) -> str:
    """The line that makes ``names`` variables; "" where there are none."""
    if not names:
        return ""
    ordered = sorted(names)
    targets = ", ".join(ordered)
    return f"{targets} = sympy.symbols({' '.join(ordered)!r}{', real=True' if real else ''})"


_BUILDERS: dict[type, Callable[[Any, Problem, str], Check]] = {
    Substitution: _substitution,
    Numeric: _numeric,
    BruteForce: _brute_force,
    Domain: _domain,
    Dimension: _dimension,
    Reverse: _reverse,
    Recomputation: _recomputation,
    Agreement: _agreement,
}
