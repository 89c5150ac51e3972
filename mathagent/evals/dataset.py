"""Data sets: problems with references from JSONL files, under the field names that people use."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mathagent.answers.extract import extract_reference
from mathagent.errors import UsageError
from mathagent.types import Problem, Value

QUESTION_FIELDS = ("question", "problem", "prompt", "input")
ANSWER_FIELDS = ("answer", "expected_answer", "final_answer", "target", "solution")
CHOICE_FIELDS = ("choices", "options")


class Dataset(Value):
    """Problems in file order; ``name`` is the file's name without its suffixes."""

    name: str
    problems: tuple[Problem, ...]


def read_dataset(path: Path, *, limit: int | None = None) -> Dataset:
    """Reads a JSONL file (gzip if it ends in .gz), at most ``limit`` problems.

    Each line is an object with a question (or problem, prompt, input) and an answer (or expected_answer,
    final_answer, target, or a solution with ``####`` or ``\\boxed``); optional: id, choices, language. Raises
    UsageError naming the file, the line and what is wrong.
    """
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    problems: list[Problem] = []
    seen: set[str] = set()
    for number, item in _objects(path):
        if limit is not None and len(problems) >= limit:
            break
        problem = _problem(item, f"{path.name}:{number}", default_id=f"{name}/{number - 1}")
        if problem.id in seen:
            raise UsageError(f"{path.name}:{number}: the id '{problem.id}' stands twice; ids must differ")
        seen.add(problem.id)
        problems.append(problem)
    if not problems:
        raise UsageError(f"{path} holds no problems; give a JSONL file with one problem a line")
    return Dataset(name=name, problems=tuple(problems))


def _objects(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as file
        ):
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    item = json.loads(line)
                except json.JSONDecodeError as error:
                    raise UsageError(
                        f"{path.name}:{number}: not JSON ({error.msg}); one object a line is wanted"
                    ) from error
                if not isinstance(item, dict):
                    raise UsageError(f"{path.name}:{number}: not a JSON object")
                yield number, item
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except (OSError, EOFError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text; is it compressed? (only .gz is known)") from error


def _problem(item: Mapping[str, Any], where: str, *, default_id: str) -> Problem:
    question = next((item[name] for name in QUESTION_FIELDS if isinstance(item.get(name), str)), None)
    if question is None or not question.strip():
        raise UsageError(f"{where}: no text under any of {', '.join(QUESTION_FIELDS)}")
    raw = next((item[name] for name in ANSWER_FIELDS if item.get(name) not in (None, "")), None)
    reference = None if raw is None else extract_reference(raw if isinstance(raw, str) else json.dumps(raw))
    if reference is None:
        raise UsageError(f"{where}: no answer under any of {', '.join(ANSWER_FIELDS)}")
    choices: list[Any] = next((item[name] for name in CHOICE_FIELDS if isinstance(item.get(name), list)), [])
    language = item.get("language")
    return Problem(
        text=question,
        id=str(item.get("id", default_id)),
        choices=tuple(str(choice) for choice in choices),
        language=language if isinstance(language, str) else None,
        reference=reference.raw,
        metadata={name: item[name] for name in ("subject", "level", "answer_type") if name in item},
    )
