"""Values for a template's variables that satisfy its conditions: drawn and rejected, then enumerated.

Variables that no condition ties together are drawn apart, so that a hard condition on two of them does not throw away
the draws of all others; and a condition is looked at as soon as its variables are there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import permutations
from typing import Any, NamedTuple

from mathagent.errors import UsageError
from mathagent.evals.templates.expressions import Expression, expression
from mathagent.evals.templates.template import Draw, Template, answer_text
from mathagent.evals.templates.word_lists import word_lists

MOST_DRAWS = 10_000
MOST_ENUMERATED = 300_000
MOST_KEPT = 20_000

Scope = dict[str, Any]
Test = Callable[[Scope], bool]


class Assignments:
    """Draws assignments of ``template`` in which the variables of ``fixed`` have the values given there.

    Conditions on fixed variables alone are not looked at: an original may break what its template asks of instances.
    """

    def __init__(self, template: Template, fixed: Mapping[str, Any]) -> None:
        self._template = template
        self._start = with_lets(template, fixed)
        needs = _needs(template)
        tests: list[tuple[Expression, set[str], Test]] = [
            (one, _bases(one, needs), one.value) for one in map(expression, template.conditions)
        ]
        answer = expression(template.answer)
        tests.append((answer, _bases(answer, needs), _answer_test(template, answer)))
        draws = [draw for draw in template.draws if not set(draw.names) <= fixed.keys()]
        ties = [bases for _, bases, _ in tests]
        ties += [_bases(draw.domain, needs) | set(draw.names) for draw in draws]
        lets = [(name, expression(source), needs[name]) for name, source in template.lets]
        self._groups = [
            _Group(template.id, _steps(group, lets, tests, known=set(fixed), variables=needs.keys()))
            for group in _tied(draws, ties)
        ]

    def one(self, rng: random.Random) -> Scope:
        """An assignment with all conditions satisfied. Raises UsageError where there is none."""
        scope = dict(self._start)
        for group in self._groups:
            group.draw_into(scope, rng)
        return {name: scope[name] for draw in self._template.draws for name in draw.names}


class _Step(NamedTuple):
    """One draw, what is computed after it, and the tests that can be made then, with their sources."""

    draw: Draw
    values: list[Any] | None  # None: they depend on variables drawn before
    lets: list[tuple[str, Expression]]
    tests: list[tuple[str, Test]]

    def domain(self, scope: Scope) -> list[Any]:
        return self.draw.values(scope) if self.values is None else self.values

    def accepts(self, scope: Scope) -> bool:
        """Computes and tests; what divides by zero is not accepted."""
        try:
            for name, let in self.lets:
                scope[name] = let.value(scope)
            return all(test(scope) for _, test in self.tests)
        except ZeroDivisionError:
            return False


class _Group:
    """Variables that conditions tie together."""

    def __init__(self, template_id: str, steps: Sequence[_Step]) -> None:
        self._id, self._steps = template_id, steps
        self._enumerated: list[Scope] | None = None

    def draw_into(self, scope: Scope, rng: random.Random) -> None:
        if self._enumerated is None:
            if any(self._drawn(scope, rng) for _ in range(MOST_DRAWS)):
                return
            self._enumerated = self._enumerate(scope)
        scope.update(_picked(self._enumerated, 1, rng)[0])

    def _drawn(self, scope: Scope, rng: random.Random) -> bool:
        for step in self._steps:
            names = step.draw.names
            scope.update(zip(names, _picked(step.domain(scope), len(names), rng), strict=True))
            if not step.accepts(scope):
                return False
        return True

    def _enumerate(self, scope: Scope) -> list[Scope]:
        names = [name for step in self._steps for name in step.draw.names]
        found: list[Scope] = []
        tried = 0
        for complete in self._all(dict(scope), 0):
            tried += 1
            if complete is not None:
                found.append({name: complete[name] for name in names})
            if tried >= MOST_ENUMERATED or len(found) >= MOST_KEPT:
                break
        if found:
            return found
        asked = "; ".join(source for step in self._steps for source, _ in step.tests)
        scale = (
            "every combination was" if tried < MOST_ENUMERATED else f"{MOST_DRAWS:,} draws and {tried:,} more were"
        )
        raise UsageError(
            f"template {self._id}: no values of {', '.join(names)} satisfy its conditions ({asked}); {scale} tried"
        )

    def _all(self, scope: Scope, depth: int) -> Iterator[Scope | None]:
        """Every assignment that is accepted, and None for every partial one that is not."""
        if depth == len(self._steps):
            yield scope
            return
        step = self._steps[depth]
        for values in permutations(step.domain(scope), len(step.draw.names)):
            scope.update(zip(step.draw.names, values, strict=True))
            if step.accepts(scope):
                yield from self._all(scope, depth + 1)
            else:
                yield None


def with_lets(template: Template, scope: Mapping[str, Any]) -> Scope:
    """``scope`` with the word lists and every computed variable whose parts it has."""
    full = {**word_lists(), **scope}
    for name, source in template.lets:
        parsed = expression(source)
        if parsed.names <= full.keys():
            full[name] = parsed.value(full)
    return full


def _steps(
    draws: Sequence[Draw],
    lets: Sequence[tuple[str, Expression, set[str]]],
    tests: Sequence[tuple[Expression, set[str], Test]],
    *,
    known: set[str],
    variables: Set[str],
) -> list[_Step]:
    """The steps of one group: each test stands at the first step where all that it reads is there."""
    steps = []
    there = set(known)
    for draw in draws:
        now = there | set(draw.names)
        steps.append(
            _Step(
                draw,
                None if draw.domain.names & (variables - set(draw.names)) else draw.values(word_lists()),
                [(name, let) for name, let, bases in lets if bases <= now and not bases <= there],
                [(one.source, test) for one, bases, test in tests if bases <= now and not bases <= there],
            )
        )
        there = now
    return steps


def _answer_test(template: Template, answer: Expression) -> Test:
    kind, signed = template.answer_type, template.signed
    return lambda scope: answer_text(answer.value(scope), kind, signed=signed) is not None


def _needs(template: Template) -> dict[str, set[str]]:
    """Each variable's drawn variables: its own name, or those that it is computed from."""
    needs = {name: {name} for draw in template.draws for name in draw.names}
    for name, source in template.lets:
        needs[name] = _bases(expression(source), needs)
    return needs


def _bases(parsed: Expression, needs: Mapping[str, set[str]]) -> set[str]:
    """The drawn variables that an expression depends on."""
    return {base for name in parsed.names for base in needs.get(name, ())}


def _tied(draws: Sequence[Draw], ties: Sequence[set[str]]) -> list[list[Draw]]:
    """The draws in groups that share no tie, each in order, by their first member."""
    groups = [[draw] for draw in draws]
    for tie in ties:
        touched = [group for group in groups if any(tie & set(draw.names) for draw in group)]
        if len(touched) > 1:
            groups = [group for group in groups if group not in touched]
            groups.append([draw for group in touched for draw in group])
    place = {draw.names: index for index, draw in enumerate(draws)}
    ordered = [sorted(group, key=lambda draw: place[draw.names]) for group in groups]
    return sorted(ordered, key=lambda group: place[group[0].names])


def _picked(values: Sequence[Any], count: int, rng: random.Random) -> list[Any]:
    """``count`` different values; from ``rng.random`` alone, so that every Python draws the same."""
    if count == 1:
        return [values[int(rng.random() * len(values))]]
    left = list(values)
    return [left.pop(int(rng.random() * len(left))) for _ in range(count)]
