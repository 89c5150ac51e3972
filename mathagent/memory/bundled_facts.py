"""The facts that come with the package: one TOML file a subject in ``facts/`` (its README says how to add one)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import Field

from mathagent.memory.experience import Experience, Fact, Provenance
from mathagent.types import Value

BUNDLED = "bundled facts"
"""``Provenance.dataset`` of what comes with the package, so that a store can tell it from what it learned."""


class FactRow(Value):
    """One ``[[fact]]`` of a file; the fields of Fact, and ``source``: who says so."""

    title: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    example: str = ""
    expected: str = ""
    source: str = Field(min_length=1)


@cache
def bundled_facts() -> tuple[Experience, ...]:
    """All bundled facts, by subject (the file's name with spaces) and then as in the file.

    A fact with an example is "verified": a test of this package runs every example in the sandbox. One without rests
    on the word of its author ("person").
    """
    folder = files("mathagent.memory").joinpath("facts")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    return tuple(
        _experience(FactRow.model_validate(row), name.removesuffix(".toml").replace("_", " "))
        for name in names
        for row in tomllib.loads(folder.joinpath(name).read_text(encoding="utf-8"))["fact"]
    )


def _experience(row: FactRow, subject: str) -> Experience:
    return Experience(
        content=Fact(title=row.title, statement=row.statement, example=row.example, expected=row.expected),
        provenance=Provenance(dataset=BUNDLED, source=row.source),
        trust="verified" if row.example else "person",
        subject=subject,
    )
