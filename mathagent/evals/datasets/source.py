"""Source: what a public data set is, where it lies, and how its rows become problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from mathagent.errors import UsageError
from mathagent.evals.dataset import Task
from mathagent.types import Problem, Value

Row = Mapping[str, Any]
Adapt = Callable[[dict[str, Any], int], dict[str, Any]]
"""Makes an item of a row and its place in the data set, from 0: what only this source does with its fields."""
Build = Callable[[str, Iterable[tuple[str, Row]], int | None], Iterator[Problem]]
"""Makes problems of a subset's rows (each with where it stands), at most so many: for templates."""


class Hub(Value):
    """Where the Hugging Face hub has it: ``datasets.load_dataset(repo, config, split=split)``.

    ``fields`` names the hub's field (dotted where nested) for each of ours that is called otherwise; ``add`` are fields
    that all rows get; ``where`` keeps the rows that have these values. ``files`` names files of a repository that
    states no parts of its own.
    """

    repo: str
    config: str | None = None
    split: str = "test"
    fields: dict[str, str] = Field(default_factory=dict)
    add: dict[str, str] = Field(default_factory=dict)
    where: dict[str, str] = Field(default_factory=dict)
    files: str | None = None


class Subset(Value):
    """A part of a data set that is asked for by name.

    ``files`` are names of local files without ``.jsonl`` or ``.jsonl.gz``, read one after another. ``hub`` likewise.
    ``where`` keeps the rows that have these values. ``task`` as in Dataset.
    """

    files: tuple[str, ...] = ()
    hub: tuple[Hub, ...] = ()
    where: dict[str, str] = Field(default_factory=dict)
    task: Task = "solve"


class Source(Value):
    """A public data set. ``subsets`` are its parts; the first is meant where none is named.

    ``paper`` is where it was published, ``licence`` that of the data, ``languages`` ISO 639-1 codes, ``answer`` what an
    answer looks like. ``family`` is the field whose value the items that stem from one question share; ``keep`` are
    further fields that go into a problem's metadata. ``aliases`` are other names of subsets.
    """

    name: str
    title: str
    paper: str
    licence: str
    answer: str
    subsets: dict[str, Subset]
    aliases: dict[str, str] = Field(default_factory=dict)
    languages: tuple[str, ...] = ("en",)
    note: str = ""
    family: str = ""
    keep: tuple[str, ...] = ()
    answer_type: str = ""
    adapt: Adapt | None = Field(default=None, exclude=True, repr=False)
    build: Build | None = Field(default=None, exclude=True, repr=False)

    @property
    def default(self) -> str:
        """The subset that the bare name stands for."""
        return next(iter(self.subsets))

    def subset(self, name: str) -> Subset:
        """The subset of that name. Raises UsageError naming those that there are."""
        found = self.subsets.get(name)
        if found is None:
            known = ", ".join(f"{self.name}:{one}" for one in self.subsets)
            raise UsageError(f"data set {self.name} has no subset '{name}'; known: {known}")
        return found

    def label(self, subset: str) -> str:
        """What a data set is called in records: name, or name:subset."""
        return self.name if subset == self.default else f"{self.name}:{subset}"


def with_subject(row: dict[str, Any], place: int, *prefixes: str) -> dict[str, Any]:
    """The row with a subject: its own, or the part of its id at ``place``, without the first of ``prefixes`` it has.

    Local files that hold one task each say in their items' ids which (``bbh_object_counting/test/3``).
    """
    parts = str(row.get("id", "")).split("/")
    if row.get("subject") or len(parts) <= max(place, 1):
        return row
    prefix = next((one for one in prefixes if parts[place].startswith(one)), "")
    return {**row, "subject": parts[place].removeprefix(prefix)}


def hub(repo: str, config: str | None = None, split: str = "test", **fields: str) -> tuple[Hub, ...]:
    """One place on the hub; ``fields`` as in Hub."""
    return (Hub(repo=repo, config=config, split=split, fields=fields),)
