"""The templates that come with mathagent: word problems written by us, with other numbers and names each time."""

from collections.abc import Iterable, Iterator

from mathagent.evals.datasets.source import Row, Source, Subset
from mathagent.evals.templates import load_templates
from mathagent.types import Problem

EACH = 5
"""Instances of a template."""


def problems(subset: str, rows: Iterable[tuple[str, Row]], limit: int | None) -> Iterator[Problem]:
    """The instances of a variant, round by round, so that a limit takes different templates; it needs no rows."""
    made = load_templates(EACH, variant=subset).problems  # type: ignore[arg-type]  # the names are its variants
    yield from sorted(made, key=lambda problem: str(problem.metadata.get("instance", "")))


DATASET = Source(
    name="templates",
    title="Templates that ship with mathagent, after GSM-Symbolic",
    paper="after Mirzadeh et al. 2024, arXiv 2410.05229",
    licence="Apache-2.0",
    answer="number",
    note="Nothing needs to be fetched. symbolic: numbers and names; p1: a clause more; noop: an irrelevant clause.",
    build=problems,
    subsets={name: Subset() for name in ("symbolic", "numbers", "p1", "noop", "original")},
)
