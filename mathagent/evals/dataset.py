"""Data sets: problems with references from JSON lines, under the field names that people use."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from mathagent.errors import UsageError
from mathagent.evals.item_fields import ANSWER_FIELDS, QUESTION_FIELDS, ItemFields
from mathagent.types import Problem, Value

__all__ = [
    "ANSWER_FIELDS",
    "QUESTION_FIELDS",
    "Dataset",
    "problem_of",
    "read_dataset",
    "read_objects",
    "subject_of",
]

Task = Literal["solve", "judge"]


class Dataset(Value):
    """Problems in file order; ``name`` is the file's name without its suffixes, or the data set's.

    ``task`` "judge": the problems ask for a judgement of a given solution, so that their references are labels (see
    process evaluation), and no strategy is to solve them.
    """

    name: str
    problems: tuple[Problem, ...]
    task: Task = "solve"


def read_dataset(path: Path, *, limit: int | None = None) -> Dataset:
    """Reads a JSONL file (gzip if it ends in .gz), at most ``limit`` problems.

    Each line is an object with a question (or problem, prompt, input …) and an answer (or expected_answer,
    final_answer, target …, or a solution with ``####`` or ``\\boxed``), in any letter case; optional: id, choices,
    language, subject, level, family, answer_type. Raises UsageError naming the file, the line and what is wrong.
    """
    items = numbered_problems(path)
    return Dataset(
        name=dataset_name(path), problems=tuple(problem for problem, _ in first_items(items, limit, str(path)))
    )


def dataset_name(path: Path) -> str:
    """The name of the file without what says how it is written: ``gsm8k.test.jsonl.gz`` is gsm8k.test."""
    name = path.name.removesuffix(".gz")
    for suffix in (".jsonl", ".json"):
        name = name.removesuffix(suffix)
    return name


def numbered_problems(path: Path) -> Iterator[tuple[str, Problem, Mapping[str, Any]]]:
    """Each problem of a file with where it stands and all fields of its item. Raises as ``read_dataset``."""
    name = dataset_name(path)
    for number, item in read_objects(path):
        where = f"{path.name}:{number}"
        yield where, problem_of(item, where, default_id=f"{name}/{number - 1}"), item


def first_items(
    items: Iterator[tuple[str, Problem, Mapping[str, Any]]], limit: int | None, where: str
) -> tuple[tuple[Problem, Mapping[str, Any]], ...]:
    """The first ``limit`` items, no more being read. Raises UsageError for none, and for an id that stands twice."""
    found: list[tuple[Problem, Mapping[str, Any]]] = []
    seen: set[str] = set()
    for place, problem, item in islice(items, limit):
        if problem.id in seen:
            raise UsageError(f"{place}: the id '{problem.id}' stands twice; ids must differ")
        seen.add(problem.id)
        found.append((problem, item))
    if not found:
        raise UsageError(f"{where} holds no problems; give a JSONL file with one problem a line")
    return tuple(found)


def read_objects(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a JSONL file with the numbers of their lines; of a .json file, the members of its list.

    Raises UsageError naming the line that is none.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig") as file
        ):
            lines = _members(file.read(), path) if dataset_suffix(path) == ".json" else _lines(file, path)
            for number, item in lines:
                if not isinstance(item, dict):
                    raise UsageError(
                        f"{path.name}:{number}: not a JSON object; one object a line is wanted (a list of objects in"
                        " a file that ends in .json)"
                    )
                yield number, item
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except (OSError, EOFError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text; is it compressed? (only .gz is known)") from error


def dataset_suffix(path: Path) -> str:
    """The suffix that says how the text is laid out, under that of the compression."""
    return Path(path.name.removesuffix(".gz")).suffix


def _lines(lines: Any, path: Path) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _parsed(line, f"{path.name}:{number}")


def _parsed(text: str, where: str) -> object:
    """The JSON value. Raises UsageError for what is none, and for text that cannot be written down again."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: not JSON ({error.msg}); one object a line is wanted") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: cannot be read ({error}); write long numbers as strings") from error
    if "\\ud" in text.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(f"{where}: holds half of a surrogate pair (\\ud…), which is no character") from error
    return value


def _members(text: str, path: Path) -> Iterator[tuple[int, object]]:
    try:
        members = _parsed(text, path.name)
    except UsageError as error:
        if not isinstance(error.__cause__, json.JSONDecodeError):
            raise
        yield from _lines(text.split("\n"), path)  # JSON lines in a file of that name are common, too
        return
    yield from enumerate(members if isinstance(members, list) else [members], start=1)


def problem_of(item: Mapping[str, Any], where: str, *, default_id: str) -> Problem:
    """The problem in ``item``. Raises UsageError, with ``where`` it stands, for one without question or answer."""
    return ItemFields(item, where).problem(default_id)


def subject_of(problem: Problem) -> str:
    """The subject that the data set names; "" where it names none."""
    subject = problem.metadata.get("subject")
    return subject if isinstance(subject, str) else ""
