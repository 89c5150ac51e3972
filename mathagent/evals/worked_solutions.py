"""Worked solutions: problems whose data set shows how they are solved, as exemplars for memory.

The reference answer stands behind them (trust "graded"). For training sets: of a test set they would be its leak, which
the leak guard keeps from its own measurement only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathagent.answers.extract import extract_answer, extract_reference, last_boxed
from mathagent.errors import UsageError
from mathagent.evals.dataset import problem_of, read_objects
from mathagent.memory.exemplar_text import tidy_program, tidy_reasoning
from mathagent.memory.experience import Exemplar, Experience, Provenance
from mathagent.memory.failure_lessons import same_answer
from mathagent.memory.near_duplicates import without_pictures
from mathagent.types import Problem, Value

REASONING_FIELDS = ("solution", "rationale", "reasoning", "explanation")
PROGRAM_FIELDS = ("program", "code")
MOST_CHARACTERS = 1200
"""Of a solution that is shown in a prompt again: about 350 tokens, which a CPU reads in 5 s. GSM8K's are all shorter,
one in eighteen of MATH's is longer."""

_CALCULATOR = re.compile(r"<<[^<>]*>>")
_HASHES = re.compile(r"\s*^\s*####[^\n]*\s*\Z", re.MULTILINE)
_LABEL = re.compile(r"\A\s*(?:explanation|solution|rationale)\s*:\s*", re.IGNORECASE)


class WorkedSolutions(Value):
    """The exemplars of a data set, and how many of its ``items`` were left out for each reason."""

    dataset: str
    items: int
    experiences: tuple[Experience, ...]
    skipped: dict[str, int]


def read_worked_solutions(
    path: Path, *, limit: int | None = None, most_characters: int = MOST_CHARACTERS, created: float = 0.0
) -> WorkedSolutions:
    """Exemplars of the first ``limit`` items of a JSONL file (read like a data set, see ``read_dataset``).

    A solution stands under solution, rationale, reasoning or explanation, a program under program or code. Calculator
    marks (``<<48/2=24>>``) and pictures are taken out, and the answer is stated at the end within ``\\boxed{}``. What
    is longer than ``most_characters``, or states another answer than the data set's, is left out and counted. Raises
    UsageError as ``read_dataset`` does, and where no item has a solution.
    """
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    experiences: list[Experience] = []
    skipped: Counter[str] = Counter()
    items = 0
    for number, item in read_objects(path):
        if limit is not None and items >= limit:
            break
        items += 1
        problem = problem_of(item, f"{path.name}:{number}", default_id=f"{name}/{number - 1}")
        worked = _exemplar(item, problem, most_characters)
        if isinstance(worked, str):
            skipped[worked] += 1
            continue
        subject = problem.metadata.get("subject")
        experiences.append(
            Experience(
                content=worked,
                provenance=Provenance(dataset=name, item=problem.id, created=created),
                trust="graded",
                subject=subject if isinstance(subject, str) else "",
            )
        )
    if items == skipped[NO_SOLUTION]:
        wanted = ", ".join((*REASONING_FIELDS, *PROGRAM_FIELDS))
        raise UsageError(f"{path} holds no worked solutions: no text under any of {wanted}")
    return WorkedSolutions(
        dataset=name, items=items, experiences=tuple(experiences), skipped=dict(skipped.most_common())
    )


NO_SOLUTION = "no worked solution"
TOO_LONG = "too long"
OTHER_ANSWER = "the solution states another answer"


def _exemplar(item: Mapping[str, Any], problem: Problem, most_characters: int) -> Exemplar | str:
    """The exemplar in ``item``, or why there is none."""
    assert problem.reference is not None  # a data set's problem has one
    solution, program = _text(item, REASONING_FIELDS), _text(item, PROGRAM_FIELDS)
    if not solution and not program:
        return NO_SOLUTION
    if solution and _stated_differs(solution, problem):
        return OTHER_ANSWER
    reasoning = _reasoning(solution, problem) if solution else ""
    program = tidy_program(program, problem.text) if program else ""
    reasoning, program = (text if len(text) <= most_characters else "" for text in (reasoning, program))
    if not reasoning and not program:
        return TOO_LONG
    return Exemplar(
        problem=problem.text,
        choices=problem.choices,
        program=program,
        reasoning=reasoning,
        answer=problem.reference,
    )


def _text(item: Mapping[str, Any], fields: tuple[str, ...]) -> str:
    return next((item[name] for name in fields if isinstance(item.get(name), str) and item[name].strip()), "")


def _stated_differs(solution: str, problem: Problem) -> bool:
    """Whether the solution ends with another answer than the reference: then it is not this problem's, or wrong."""
    assert problem.reference is not None
    marked = "####" in solution or last_boxed(solution) is not None
    stated = (
        extract_reference(solution)
        if marked and not problem.choices
        else extract_answer(solution, problem.choices)
    )
    return stated is not None and same_answer(stated.normal, problem.reference) is False


def _reasoning(solution: str, problem: Problem) -> str:
    text = without_pictures(_CALCULATOR.sub("", solution))
    text = tidy_reasoning(_LABEL.sub("", _HASHES.sub("", text)), problem.text)
    return text if last_boxed(text) is not None else f"{text}\n\\boxed{{{problem.reference}}}".lstrip()
