"""A template: a question with slots, what its variables are drawn from, the conditions on them, and its answer."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from mathagent.errors import UsageError
from mathagent.evals.templates.expressions import Expression, expression
from mathagent.evals.templates.numbers import Word, as_number, exact
from mathagent.evals.templates.word_lists import word_lists
from mathagent.evals.templates.wording import spoken
from mathagent.types import Value

AnswerType = Literal["integer", "fraction", "decimal"]
Variant = Literal["symbolic", "names", "numbers", "p1", "noop", "original"]
VARIANTS: tuple[Variant, ...] = ("symbolic", "names", "numbers", "p1", "noop", "original")

_SLOT = re.compile(r"\{([^{}]+)\}")


class Draw(Value):
    """Variables and what they are drawn from: a list (one value each), or ``sample(list, k)`` for k different ones.

    ``numeric`` None: told by the values themselves.
    """

    names: tuple[str, ...]
    source: str
    numeric: bool | None = None

    @cached_property
    def domain(self) -> Expression:
        """The list that the values come from. Raises UsageError."""
        tree = ast.parse(self.source.strip(), mode="eval").body if "sample" in self.source else None
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "sample":
            if not 1 <= len(tree.args) <= 2 or tree.keywords:
                raise UsageError(f"'{self.source}': sample takes a list and perhaps how many")
            wanted = tree.args[1].value if len(tree.args) == 2 and isinstance(tree.args[1], ast.Constant) else None
            if (len(tree.args) == 2 or len(self.names) > 1) and wanted != len(self.names):
                raise UsageError(f"'{self.source}' is drawn for {len(self.names)} variables")
            return expression(ast.unparse(tree.args[0]))
        if len(self.names) > 1:
            raise UsageError(f"{', '.join(self.names)}: several variables take sample(list, {len(self.names)})")
        return expression(self.source)

    def values(self, scope: Mapping[str, Any]) -> list[Any]:
        """The values to draw from, given the variables drawn before. Raises UsageError for what is no list."""
        values = self.domain.value(scope)
        if not isinstance(values, list) or len(values) < len(self.names):
            raise UsageError(f"'{self.source}' is no list of at least {len(self.names)} values")
        return values


class Clause(Value):
    """A sentence that goes before the question, with its own variables and conditions.

    With ``answer`` (and perhaps another ``question``) it makes the problem one step longer (P1); without, it is an
    irrelevant one (no-op), whose numbers are distractors.
    """

    text: str
    draws: tuple[Draw, ...] = ()
    lets: tuple[tuple[str, str], ...] = ()
    conditions: tuple[str, ...] = ()
    question: str | None = None
    answer: str | None = None
    answer_type: AnswerType | None = None


class Template(Value):
    """A problem with other numbers each time.

    ``body`` and ``question`` (its last sentence) hold slots ``{expression}``. ``draws`` are drawn in their order,
    ``lets`` computed from them; an assignment counts if all ``conditions`` hold and the answer is of its type, and not
    negative unless ``signed``. ``original`` is the assignment of the item that the template was made from (empty: a
    drawn one), which no instance repeats. ``family`` is the item it stems from ("": the template itself).
    """

    id: str
    body: str
    question: str = ""
    draws: tuple[Draw, ...]
    lets: tuple[tuple[str, str], ...] = ()
    conditions: tuple[str, ...] = ()
    answer: str
    answer_type: AnswerType = "integer"
    signed: bool = False
    subject: str = ""
    level: int = 0
    family: str = ""
    original: dict[str, str] = Field(default_factory=dict)
    p1: Clause | None = None
    noop: Clause | None = None

    def with_p1(self) -> Template:
        """The template that is one clause longer. Raises UsageError where it has none."""
        clause = self.p1
        if clause is None or clause.answer is None:
            raise UsageError(f"the template {self.id} has no longer form (p1)")
        return self.model_copy(
            update={
                "body": joined(self.body, clause.text),
                "question": self.question if clause.question is None else clause.question,
                "draws": (*self.draws, *clause.draws),
                "lets": (*self.lets, *clause.lets),
                "conditions": (*self.conditions, *clause.conditions),
                "answer": clause.answer,
                "answer_type": clause.answer_type or self.answer_type,
                "original": {},
            }
        )

    def check(self) -> None:
        """Raises UsageError for an expression that is wrong, a name that nothing declares, or one declared twice."""
        known = set(word_lists())
        declared: list[str] = []
        longer = self if self.p1 is None else self.with_p1()
        parts: list[Template | Clause] = [longer, *([self.noop] if self.noop else [])]
        for one in parts:
            for draw in one.draws:
                self._check_names(draw.domain, known, draw.source)
                declared += draw.names
                known |= set(draw.names)
            for name, source in one.lets:
                self._check_names(expression(source), known, source)
                declared.append(name)
                known.add(name)
        texts = [self.body, self.question, longer.body, longer.question, self.noop.text if self.noop else ""]
        sources = [*longer.conditions, self.answer, longer.answer, *(self.noop.conditions if self.noop else ())]
        for source in [*sources, *(slot for text in texts for slot in _SLOT.findall(text))]:
            self._check_names(expression(source), known, source)
        twice = {name for name in declared if declared.count(name) > 1}
        if twice:
            raise UsageError(f"template {self.id}: {', '.join(sorted(twice))} is declared twice")

    def _check_names(self, parsed: Expression, known: set[str], source: str) -> None:
        unknown = parsed.names - known
        if unknown:
            raise UsageError(
                f"template {self.id}: '{source}' reads {', '.join(sorted(unknown))}, which nothing sets"
            )


def joined(*sentences: str) -> str:
    """The sentences that are not empty, with one space between."""
    return " ".join(sentence.strip() for sentence in sentences if sentence.strip())


def rendered(text: str, scope: Mapping[str, Any]) -> str:
    """``text`` with the values of its slots. Raises UsageError for a slot that has none."""
    parts: list[str] = []
    end = 0
    for slot in _SLOT.finditer(text):
        parts.append(text[end : slot.start()])
        shown = spoken(expression(slot[1]).value(scope), after="".join(parts[-2:]))
        end = slot.end()
        parts.append(shown.removesuffix(".") if text[end : end + 1] == "." else shown)  # no "p.m.."
    return "".join([*parts, text[end:]])


def answer_text(value: Any, answer_type: AnswerType, *, signed: bool) -> str | None:
    """The answer as a reference states it; None where it is not of its type, or negative unless ``signed``."""
    number = exact(as_number(value))
    if number < 0 and not signed:
        return None
    if answer_type == "integer":
        return str(number) if isinstance(number, int) else None
    text = spoken(number)
    if answer_type == "decimal":
        return None if "/" in text else text
    return str(number) if isinstance(number, int) else f"{number.numerator}/{number.denominator}"


def as_json(value: Any) -> str | int:
    """A drawn value as it is kept beside an item: a whole number, or its text."""
    if isinstance(value, Word):
        return value.text
    return value if isinstance(value, int) else str(value)
