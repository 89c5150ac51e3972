"""Which problems of a data set a run takes: a subset by conditions, mixed by a seed, then the first so many."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mathagent.errors import UnknownName, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.types import Problem

ValueOf = Callable[[Problem], str]


def _metadata(name: str) -> ValueOf:
    return lambda problem: "" if (value := problem.metadata.get(name)) is None else str(value)


CONDITIONS: Mapping[str, ValueOf] = {
    "subject": _metadata("subject"),
    "level": _metadata("level"),
    "language": lambda problem: problem.language or str(problem.metadata.get("language") or ""),
    "family": _metadata("family"),
    "answer_type": _metadata("answer_type"),
    "ids": lambda problem: problem.id,
}
"""What ``--subset NAME=value,value`` may ask for, and where it stands in a problem."""


def select(
    dataset: Dataset,
    *,
    subset: Sequence[str] = (),
    shuffle: bool = False,
    seed: int | None = None,
    limit: int | None = None,
) -> Dataset:
    """The problems that meet every condition of ``subset``, mixed if ``shuffle``, at most ``limit``.

    A condition is ``name=value,value`` (any of the values; ``ids=@FILE``: one id a line). The order that a seed gives
    (None: 0) depends on the problems' ids alone, so that it stays when others are added or taken away.
    Raises UsageError for a condition that no problem meets.
    """
    problems = list(dataset.problems)
    for name, values in map(_condition, subset):
        problems = _meeting(problems, name, values, dataset.name)
    if shuffle:
        problems.sort(key=lambda problem: (random.Random(f"{seed or 0}/{problem.id}").random(), problem.id))
    return dataset.model_copy(update={"problems": tuple(problems[:limit])})


def _condition(text: str) -> tuple[str, list[str]]:
    name, separator, listed = text.partition("=")
    name = {"id": "ids", "lang": "language"}.get(name.strip(), name.strip())
    if not separator or not listed.strip():
        raise UsageError(f"--subset '{text}' is no condition; write for example level=4,5 or ids=@ids.txt")
    if name not in CONDITIONS:
        raise UnknownName("condition of --subset", name, CONDITIONS)
    if name == "ids" and listed.startswith("@"):
        return name, _lines(Path(listed[1:]))
    return name, [value.strip() for value in listed.split(",") if value.strip()]


def whole_condition(text: str) -> str:
    """The condition with the whole path of its file, if it names one."""
    name, separator, listed = text.partition("=@")
    return f"{name}{separator}{Path(listed).absolute()}" if separator else text


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--subset ids=@{path}: cannot read the file: {error}") from error


def _meeting(problems: Sequence[Problem], name: str, values: Sequence[str], dataset: str) -> list[Problem]:
    """The problems whose ``name`` is one of ``values``. Raises UsageError for a value that none has."""
    value_of = CONDITIONS[name]
    compared = str if name == "ids" else _plain
    had = {compared(value_of(problem)): value_of(problem) for problem in problems if value_of(problem)}
    if not had:
        raise UsageError(f"--subset {name}: no problem of {dataset} has a {name.removesuffix('s')}")
    for value in values:
        if compared(value) not in had:
            raise UnknownName(f"{name.removesuffix('s')} in {dataset}", value, _shown(had.values()))
    wanted = {compared(value) for value in values}
    return [problem for problem in problems if compared(value_of(problem)) in wanted]


def _plain(value: str) -> str:
    """A value as it is compared: "Level 5" is level 5; capitals, spaces and hyphens do not matter."""
    plain = re.sub(r"[\s_-]+", " ", value).strip().casefold()
    return re.sub(r"^level (?=\d)", "", plain)


def _shown(values: Iterable[str]) -> list[str]:
    listed = sorted(values)
    return listed if len(listed) <= 30 else [*listed[:30], "…"]
