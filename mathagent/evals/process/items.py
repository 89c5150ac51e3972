"""Items of process evaluations: what a role is shown of each, and, kept apart from it, what is right.

Read from the rows of ProcessBench, MR-GSM8K and MathCheck as their authors publish them, and as the data folder holds
them (docs/process-evaluation.md). Pure.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any, Literal, TypeVar

from pydantic import Field

from mathagent.agents.blocks.refine import split_steps
from mathagent.errors import UsageError
from mathagent.evals.dataset import QUESTION_FIELDS
from mathagent.evals.process.critique import Shown, step_label
from mathagent.evals.process.parsing import step_in, verdict_in
from mathagent.types import Value

T = TypeVar("T")
Kind = Literal["processbench", "mr-gsm8k", "mathcheck"]
TASKS = ("solving", "answerable_judging", "outcome_judging", "process_judging")
VARIANTS = {
    "seed_question": "seed",
    "problem_understanding_question": "paraphrase",
    "distractor_insertion_question": "distractor",
    "scenario_understanding": "scenario",
    "scenario_understanding_question": "scenario",
}
"""MathCheck's kinds of question; its own spelling of the last one lacks the ending that the others have."""

_HEAD = re.compile(r"^[ \t>*#_]*step[ \t]+(\d{1,3})[ \t*_]*[:.)][ \t*_]*", re.IGNORECASE | re.MULTILINE)


class ProcessItem(Value):
    """One item. ``reference`` is the right label (see critique.py; for "solving" the answer), never shown to a role.

    ``subject`` is the subset, type or task, ``level`` the variant, ``family`` the items that stem from one question.
    ``expert_reason`` is the data set's own explanation of the mistake; ``final_answer_correct`` None: not said.
    """

    id: str
    shown: Shown
    reference: str = Field(repr=False)
    subject: str = ""
    level: str = ""
    family: str = ""
    expert_reason: str = Field(default="", repr=False)
    final_answer_correct: bool | None = None

    def content_hash(self) -> str:
        """Identity of the item: what is shown and what is right (hex, 16 characters)."""
        parts = json.dumps([self.shown.model_dump(), self.reference, self.expert_reason])
        return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class ItemSet(Value):
    """The items of one data set, in its order; ``kind`` says how they are scored."""

    name: str
    kind: Kind
    items: tuple[ProcessItem, ...]


def kind_of(row: Mapping[str, Any]) -> Kind | None:
    """Which data set a row is from, by its fields; None for any other."""
    if "task_type" in row and "question_type" in row:
        return "mathcheck"
    if "steps" in row and "label" in row:
        return "processbench"
    if {"first_error_step", "model_output_solution_first_error_step"} & row.keys():
        return "mr-gsm8k"
    return None


def read_items(name: str, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> ItemSet:
    """The items of ``rows``, each row with where it stands.

    Raises UsageError naming the row that is wrong and what is wanted.
    """
    items: list[ProcessItem] = []
    kind: Kind | None = None
    for where, row in rows:
        found = kind_of(row)
        if found is None or found != (kind or found):
            wanted = kind or "ProcessBench, MR-GSM8K or MathCheck"
            raise UsageError(f"{where}: not a row of {wanted}; its fields are {', '.join(map(str, row))}")
        kind = found
        items.append(_READERS[kind](row, where, f"{name}/{len(items)}"))
    if kind is None:
        raise UsageError(f"{name} holds no items")
    twice, count = Counter(item.id for item in items).most_common(1)[0]
    if count > 1:
        raise UsageError(f"{name}: the id '{twice}' stands {count} times; ids must differ")
    return ItemSet(name=name, kind=kind, items=tuple(items))


def select_items(
    items: ItemSet, *, shuffle: bool = False, seed: int | None = None, limit: int | None = None
) -> ItemSet:
    """The items, mixed by a seed (None: 0) if ``shuffle``, the first ``limit`` of them.

    Of MathCheck, whose scores need whole groups, groups are mixed and counted, and their items stay together. The
    order depends on ids alone, as that of problems does (evals/selection.py).
    """
    grouped = items.kind == "mathcheck"
    units = list(dict.fromkeys(item.family if grouped else item.id for item in items.items))
    if shuffle:
        units.sort(key=lambda unit: (Random(f"{seed or 0}/{unit}").random(), unit))
    place = {unit: number for number, unit in enumerate(units[:limit])}
    kept = [item for item in items.items if (item.family if grouped else item.id) in place]
    kept.sort(key=lambda item: place[item.family if grouped else item.id])
    return items.model_copy(update={"items": tuple(kept)})


def _processbench(row: Mapping[str, Any], where: str, default_id: str) -> ProcessItem:
    """``label`` is the index of the first wrong step from 0, -1 for none."""
    steps = _steps(row.get("steps"), where)
    label = _whole(row["label"], where, "label")
    if not -1 <= label < len(steps):
        raise UsageError(f"{where}: label {label} names none of {len(steps)} steps (from 0; -1: no error)")
    identifier = str(row.get("id", default_id))
    right = row.get("final_answer_correct")
    question = _question(row, where)
    return ProcessItem(
        id=identifier,
        shown=Shown(question=question, steps=steps, solution="\n\n".join(steps)),
        reference="correct" if label == -1 else step_label(label),
        family=_family(question),  # one problem has solutions of several models
        final_answer_correct=right if isinstance(right, bool) else None,
    )


def _mr_gsm8k(row: Mapping[str, Any], where: str, default_id: str) -> ProcessItem:
    """The first wrong step counts from 1, "N/A" for none. Fields have other names in the authors' file."""

    def field(short: str, long: str, default: Any = None) -> Any:
        return row.get(short, row.get(long, default))

    steps = _steps(field("steps", "model_output_steps"), where)
    verdict = field("solution_correctness", "model_output_solution_correctness", "wrong")
    is_correct = verdict is True or verdict_in(str(verdict)) == "correct"
    question = _question(row, where)
    reference = "correct"
    if not is_correct:
        step = _whole(
            field("first_error_step", "model_output_solution_first_error_step"), where, "first_error_step"
        )
        if not 1 <= step <= len(steps):
            raise UsageError(f"{where}: the first wrong step is {step}, and there are {len(steps)} (from 1)")
        reference = step_label(step - 1)
    answer = field("answer_correctness", "model_output_answer_correctness")
    return ProcessItem(
        id=str(row.get("id", row.get("uuid", default_id))),
        shown=Shown(question=question, steps=bare_steps(steps), solution="\n".join(steps)),
        reference=reference,
        subject=str(row.get("question_type", "")),
        family=_family(question),
        expert_reason="" if is_correct else str(field("first_error_reason", _LONG_REASON, "")),
        final_answer_correct=None if answer is None else verdict_in(str(answer)) == "correct",
    )


_LONG_REASON = "model_output_solution_first_error_reason"


def _mathcheck(row: Mapping[str, Any], where: str, default_id: str) -> ProcessItem:
    """``answer`` is the answer, "Answerable", "Correct" or "Step k", by ``task_type``."""
    task, variant = str(row["task_type"]), VARIANTS.get(str(row["question_type"]))
    if task not in TASKS or variant is None:
        raise UsageError(
            f"{where}: task_type '{task}', question_type '{row['question_type']}' are not of MathCheck; it has"
            f" {', '.join(TASKS)} and {', '.join(VARIANTS)}"
        )
    answer = str(row.get("answer", "")).strip()
    solution = row.get("solution")
    if task in ("outcome_judging", "process_judging") and not (isinstance(solution, str) and solution.strip()):
        raise UsageError(f"{where}: {task} without a solution to judge")
    text = solution if isinstance(solution, str) and task != "solving" else ""
    numbers, steps = printed_steps(text)
    return ProcessItem(
        id=str(row.get("id", default_id)),
        shown=Shown(question=_question(row, where), steps=steps, solution=text),
        reference=_mathcheck_label(task, answer, numbers, where),
        subject=task,
        level=variant,
        family=str(row.get("group_id", "")),
    )


def _mathcheck_label(task: str, answer: str, numbers: Sequence[int], where: str) -> str:
    match task:
        case "process_judging":
            number = step_in(answer)
            if number not in numbers:
                raise UsageError(f"{where}: answer '{answer}' names none of the solution's steps")
            return step_label(numbers.index(number))
        case "outcome_judging" if answer.lower() in ("correct", "incorrect"):
            return answer.lower()
        case "answerable_judging" if answer.lower() in ("answerable", "unanswerable"):
            return answer.lower()
        case "solving" if answer:
            return answer
    raise UsageError(f"{where}: '{answer}' is no answer of {task}")


_READERS: dict[Kind, Callable[[Mapping[str, Any], str, str], ProcessItem]] = {
    "processbench": _processbench,
    "mr-gsm8k": _mr_gsm8k,
    "mathcheck": _mathcheck,
}


def printed_steps(text: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The numbers that a solution prints on its steps, and the steps without them.

    Numbers only grow, and may leave one out ("Step 1, Step 2, Step 4" are three steps). What stands before the first
    belongs to it. A solution that prints none is split as well as it can be, and numbered from 1.
    """
    if not text:
        return (), ()
    heads: list[re.Match[str]] = []
    for match in _HEAD.finditer(text):
        if int(match[1]) > (int(heads[-1][1]) if heads else 0):
            heads.append(match)
    if not heads:
        steps = split_steps(text)
        return tuple(range(1, len(steps) + 1)), steps
    starts = [*heads, None]
    bodies = [
        text[one.end() : len(text) if other is None else other.start()].strip()
        for one, other in pairwise(starts)
        if one is not None
    ]
    before = text[: heads[0].start()].strip()
    bodies[0] = f"{before}\n{bodies[0]}" if before else bodies[0]
    return tuple(int(match[1]) for match in heads), tuple(bodies)


def bare_steps(steps: Sequence[str]) -> tuple[str, ...]:
    """``steps`` without the numbers that they begin with, where each begins with its own: roles see other ones."""
    heads = [_HEAD.match(step) for step in steps]
    if all(head is not None and int(head[1]) == place for place, head in enumerate(heads, start=1)):
        return tuple(step[head.end() :] for step, head in zip(steps, heads, strict=True) if head is not None)
    return tuple(steps)


def _question(row: Mapping[str, Any], where: str) -> str:
    question = next((row[name] for name in QUESTION_FIELDS if isinstance(row.get(name), str)), "")
    if not question.strip():
        raise UsageError(f"{where}: no text under any of {', '.join(QUESTION_FIELDS)}")
    return str(question)


def _steps(steps: Any, where: str) -> tuple[str, ...]:
    if not isinstance(steps, list) or not steps or not all(isinstance(step, str) for step in steps):
        raise UsageError(f"{where}: steps must be a list of texts, and not empty")
    return tuple(steps)


def _whole(value: Any, where: str, name: str) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d+(?:\.0*)?\s*", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise UsageError(f"{where}: {name} = {value!r} is no whole number")
    return int(value)


def _family(question: str) -> str:
    return hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:16]
