"""The two splits of a prompt search: the train split that it may look at, and the validation split that it may not.
Pure.

Of many texts the one that scores best on few problems scores too well: the best of 60 texts that are all alike is some
5 points above them on 100 problems. So the validation split is solved once, when the choice is made.
"""

from __future__ import annotations

from mathagent.errors import UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.selection import select
from mathagent.types import Problem, Value


class Splits(Value):
    """Two sets of problems without a common one."""

    train: Dataset
    validation: Dataset


def split(
    dataset: Dataset, *, train: int, validation: int, other: Dataset | None = None, seed: int | None = None
) -> Splits:
    """``train`` and ``validation`` problems of ``dataset``, mixed by ``seed``; the latter from ``other`` if it is
    given.

    A problem that stands twice is taken once; a family of variants is never divided. Raises UsageError where there are
    too few problems, or one has no reference.
    """
    if dataset.task != "solve" or (other is not None and other.task != "solve"):
        raise UsageError(f"{dataset.name} asks for judgements of solutions; give a data set of problems")
    mixed = _distinct(select(dataset, shuffle=True, seed=seed).problems)
    chosen = mixed[:train]
    seen = {problem.content_hash() for problem in chosen}
    families = {family for problem in chosen if (family := _family(problem))}
    source = mixed[train:] if other is None else _distinct(select(other, shuffle=True, seed=seed).problems)
    held_out = [one for one in source if one.content_hash() not in seen and _family(one) not in families]
    if len(chosen) < train or len(held_out) < validation:
        found = len(chosen) + len(held_out) if other is None else len(held_out)
        name = dataset.name if other is None or len(chosen) < train else other.name
        raise UsageError(
            f"{name} has too few problems: {train} to train and {validation} to validate are wanted, {found} different"
            " ones are there; lower --train or --validation"
        )
    held_out = held_out[:validation]
    for problem in (*chosen, *held_out):
        if not (problem.reference or "").strip():
            raise UsageError(f"{problem.id or 'a problem'} has no reference answer: nothing can be measured by it")
    return Splits(
        train=Dataset(name=dataset.name, problems=tuple(chosen)),
        validation=Dataset(name=(other or dataset).name, problems=tuple(held_out)),
    )


def _family(problem: Problem) -> str:
    return str(problem.metadata.get("family") or "")


def _distinct(problems: tuple[Problem, ...]) -> list[Problem]:
    found: dict[str, Problem] = {}
    for problem in problems:
        found.setdefault(problem.content_hash(), problem)
    return list(found.values())
