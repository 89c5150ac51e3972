"""Draws instances of a template: seeded, without repeats, and never the original.

The same template, seed and number give the same instance, byte for byte, under every Python: only ``Random.random``
is used, whose sequence Python guarantees.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from mathagent.errors import UsageError
from mathagent.evals.templates.assignments import Assignments, with_lets
from mathagent.evals.templates.expressions import expression
from mathagent.evals.templates.numbers import as_number
from mathagent.evals.templates.originals import original_assignment
from mathagent.evals.templates.template import (
    VARIANTS,
    Draw,
    Template,
    Variant,
    answer_text,
    as_json,
    joined,
    rendered,
)
from mathagent.types import Problem, Value

MOST_REPEATS = 300


class Instance(Value):
    """One problem made from a template: its text, its answer, and the values drawn.

    ``distractors`` are the numbers of a no-op clause; ``hash`` identifies text and answer.
    """

    template: str
    variant: Variant
    seed: int
    number: int
    text: str
    answer: str
    answer_type: str
    assignment: dict[str, str | int]
    distractors: tuple[str, ...] = ()
    subject: str = ""
    level: int = 0
    family: str = ""

    @property
    def id(self) -> str:
        """Names the instance so that it can be drawn again: template/variant/seed-number."""
        return f"{self.template}/{self.variant}/{self.seed}-{self.number}"

    @property
    def hash(self) -> str:
        """SHA-256 of text and answer (hex, 16 characters)."""
        return hashlib.sha256(f"{self.text}\x00{self.answer}".encode()).hexdigest()[:16]

    def item(self) -> dict[str, Any]:
        """As a line of a data set."""
        return {
            "id": self.id,
            "question": self.text,
            "answer": self.answer,
            "answer_type": self.answer_type,
            "subject": self.subject,
            "level": self.level,
            "family": self.family or self.template,
            "variant": self.variant,
            "instance": self.number,
            "assignment": self.assignment,
            "distractors": list(self.distractors),
            "hash": self.hash,
        }

    def problem(self) -> Problem:
        """As a problem with its reference; the rest of ``item`` is metadata."""
        item = self.item()
        return Problem(
            id=item.pop("id"),
            text=item.pop("question"),
            reference=item.pop("answer"),
            language="en",
            metadata=item,
        )


def to_jsonl(instances: Sequence[Instance]) -> str:
    """One line an instance."""
    return "".join(json.dumps(one.item(), ensure_ascii=False) + "\n" for one in instances)


def instances(template: Template, n: int, seed: int = 0, *, variant: Variant = "symbolic") -> tuple[Instance, ...]:
    """``n`` different instances; fewer asked for are the first of them.

    Variants: "symbolic" draws names and numbers, "names" and "numbers" only those (the rest as in the original), "p1"
    adds the template's further clause, "noop" is the symbolic instance of the same number with the irrelevant clause,
    "original" the one item that all stem from. Raises UsageError where the template has no such variant, no assignment
    satisfies its conditions, or fewer than ``n`` differ.
    """
    if variant not in VARIANTS:
        raise UsageError(f"no variant is named '{variant}'; known: {', '.join(VARIANTS)}")
    if n < 1:
        raise UsageError(f"{n} instances were asked for; at least 1")
    if variant == "noop":
        pairs = enumerate(_scopes(template, template, n, seed, "symbolic"))
        return tuple(_with_noop(template, scope, seed, number) for number, scope in pairs)
    shape = template.with_p1() if variant == "p1" else template
    drawn = variant != "original"
    scopes = _scopes(template, shape, n, seed, variant) if drawn else [_complete_original(shape)]
    return tuple(_instance(template, shape, scope, variant, seed, number) for number, scope in enumerate(scopes))


def has_variant(template: Template, variant: Variant) -> bool:
    """Whether ``template`` can be drawn as ``variant``: a clause to add, names or numbers to change."""
    if variant in ("p1", "noop"):
        return (template.p1 if variant == "p1" else template.noop) is not None
    if variant not in ("names", "numbers"):
        return True
    original = original_assignment(template)
    named = [_is_number(draw, name, original) for draw in template.draws for name in draw.names]
    return not all(named) if variant == "names" else any(named)


def _scopes(template: Template, shape: Template, n: int, seed: int, variant: Variant) -> list[dict[str, Any]]:
    """``n`` different assignments of ``shape``, which is the template or its longer form."""
    original = original_assignment(shape) if variant in ("symbolic", "p1") else _complete_original(shape)
    text = joined(shape.body, shape.question)
    drawn = Assignments(
        shape, {name: value for draw in shape.draws for name, value in _kept(draw, original, variant)}
    )
    numbers = [name for draw in shape.draws for name in draw.names if _is_number(draw, name, original)]
    seen = (
        {_text_of(shape, text, original)}
        if len(original) == sum(len(draw.names) for draw in shape.draws)
        else set()
    )
    scopes: list[dict[str, Any]] = []
    for number in range(n):
        rng = random.Random(f"{seed}/{template.id}/{variant}/{number}")
        for _ in range(MOST_REPEATS):
            scope = drawn.one(rng)
            shown = _text_of(shape, text, scope)
            same = variant != "names" and numbers and all(scope[name] == original[name] for name in numbers)
            if shown not in seen and not same:
                break
        else:
            raise UsageError(
                f"template {template.id} gave only {number} different instances ({variant}) where {n} were asked for;"
                " widen its ranges or ask for fewer"
            )
        seen.add(shown)
        scopes.append(scope)
    return scopes


def _text_of(shape: Template, text: str, scope: Mapping[str, Any]) -> str:
    return rendered(text, with_lets(shape, scope))


def _complete_original(shape: Template) -> dict[str, Any]:
    """Raises UsageError where the original's values are not all known."""
    original = original_assignment(shape)
    missing = [name for draw in shape.draws for name in draw.names if name not in original]
    if missing:
        raise UsageError(f"template {shape.id}: its original gives no value of {', '.join(missing)} that fits")
    return original


def _is_number(draw: Draw, name: str, original: Mapping[str, Any]) -> bool:
    """Whether a variable is a number whose value in the original is known."""
    return name in original and (draw.numeric or (draw.numeric is None and not isinstance(original[name], str)))


def _kept(draw: Draw, original: Mapping[str, Any], variant: Variant) -> list[tuple[str, Any]]:
    """The values of a draw that the variant leaves as they are in the original."""
    if variant not in ("names", "numbers"):
        return []
    keeps = _is_number(draw, draw.names[0], original) == (variant == "names")
    return [(name, original[name]) for name in draw.names] if keeps else []


def _instance(
    template: Template, shape: Template, drawn: Mapping[str, Any], variant: Variant, seed: int, number: int
) -> Instance:
    scope = with_lets(shape, drawn)
    try:
        answer = answer_text(expression(shape.answer).value(scope), shape.answer_type, signed=shape.signed)
    except ZeroDivisionError:
        answer = None
    if answer is None:
        raise UsageError(f"template {template.id}: the original's answer is undefined or not of its type")
    return Instance(
        template=template.id,
        variant=variant,
        seed=seed,
        number=number,
        text=rendered(joined(shape.body, shape.question), scope),
        answer=answer,
        answer_type=shape.answer_type,
        assignment={name: as_json(scope[name]) for draw in shape.draws for name in draw.names},
        subject=template.subject,
        level=template.level,
        family=template.family,
    )


def _with_noop(template: Template, base: Mapping[str, Any], seed: int, number: int) -> Instance:
    """The symbolic instance with the irrelevant clause before its question; the answer stays."""
    clause = template.noop
    if clause is None:
        raise UsageError(f"the template {template.id} has no irrelevant clause (noop)")
    shape = template.model_copy(
        update={
            "body": joined(template.body, clause.text),
            "draws": (*template.draws, *clause.draws),
            "lets": (*template.lets, *clause.lets),
            "conditions": clause.conditions,
        }
    )
    scope = Assignments(shape, base).one(random.Random(f"{seed}/{template.id}/noop/{number}"))
    added = [scope[name] for draw in clause.draws for name in draw.names if not isinstance(scope[name], str)]
    made = _instance(template, shape, scope, "noop", seed, number)
    return made.model_copy(update={"distractors": tuple(str(as_number(value)) for value in added)})
