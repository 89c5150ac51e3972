"""The original of a template: the one assignment that its instances must not repeat."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mathagent.evals.templates.assignments import Assignments
from mathagent.evals.templates.expressions import Expression, expression
from mathagent.evals.templates.numbers import Word, exact
from mathagent.evals.templates.template import Draw, Template
from mathagent.evals.templates.word_lists import word_lists
from mathagent.evals.templates.wording import words

MOST_SEARCHED = 10_000

_PARTS = {"third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "tenth": 10}
_WORDS = {words(value): Fraction(value) for value in range(1000)} | {
    "half": Fraction(1, 2), "a half": Fraction(1, 2), "once": Fraction(1), "twice": Fraction(2), "thrice": Fraction(3),
    "double": Fraction(2), "triple": Fraction(3), "twins": Fraction(2), "triplets": Fraction(3),
    "quadruplets": Fraction(4), "alphabet": Fraction(26),
}  # fmt: skip


def original_assignment(template: Template) -> dict[str, Any]:
    """The values of the original: those that the template states, else drawn once for all.

    A number that is needed but not stated is the least whole number from 0 with which the equations on it hold; where
    there is none (the published longer forms keep values of the shorter ones) it is left out.
    """
    if not template.original:
        return Assignments(template, {}).one(random.Random(f"original/{template.id}"))
    found: dict[str, Any] = {}
    for draw in template.draws:
        for name in draw.names:
            if name in template.original:
                value = _stated(draw, template.original[name])
                found |= {} if value is None else {name: value}
    for draw in template.draws:
        for name in draw.names:
            if name not in template.original:
                found |= _completed(template, draw, name, found)
    return {name: found[name] for draw in template.draws for name in draw.names if name in found}


def number_in_words(text: str) -> Fraction | None:
    """The number that a default stands for: 12, 1.50, 1/4, 30%, "half", "three times", "two-thirds"; None: none."""
    text = text.strip().lower().removesuffix(" times").replace(",", "")
    if re.fullmatch(r"-?\d+(\.\d+)?|\d+/[1-9]\d*", text):
        return Fraction(text)
    if text in _WORDS:
        return _WORDS[text]
    top, _, bottom = text.replace("-", " ").partition(" ")
    part = _PARTS.get(bottom.removesuffix("s"))
    return _WORDS[top] / part if top in _WORDS and part else None


def _stated(draw: Draw, text: str) -> Any:
    """A stated value: a text, a number, or a word for a number; None where a number cannot be read."""
    number = number_in_words(text)
    if draw.numeric is not True:
        return exact(number) if number is not None and text.isdigit() else text
    if number is None:
        return None
    return exact(number) if re.match(r"[\d-]", text) and "/" not in text else Word(text, exact(number))


def _completed(template: Template, draw: Draw, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The value of a variable that the original does not state, by its name; {} where none is found."""
    if draw.numeric is not True and isinstance(draw.values({**word_lists(), **found})[0], str):
        values = draw.values({**word_lists(), **found})
        return {name: next(value for value in values if value not in found.values())}
    equations = [expression(source) for source in template.conditions if _is_equation(source)]
    told = [one for one in equations if name in one.names and one.names <= found.keys() | {name}]
    if not told:
        return {}
    fits = (value for value in range(MOST_SEARCHED) if _hold(told, {**found, name: value}))
    value = next(fits, None)
    return {} if value is None else {name: value}


def _is_equation(source: str) -> bool:
    tree = ast.parse(source.strip(), mode="eval").body
    simple = isinstance(tree, ast.Compare) and [type(op) for op in tree.ops] == [ast.Eq]
    return simple and not any(isinstance(part, ast.Call) for part in ast.walk(tree))


def _hold(conditions: list[Expression], scope: dict[str, Any]) -> bool:
    try:
        return all(condition.value(scope) for condition in conditions)
    except ZeroDivisionError:
        return False
