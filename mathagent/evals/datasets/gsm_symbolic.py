"""GSM-Symbolic: templates of GSM8K questions, rendered to instances; P1 and P2 have one and two clauses more.

The published templates are read from a local folder and rendered by evals/templates; from the hub come the published
instances (its config ``main`` is our ``symbolic``). Instances come round by round, one of each template, so that a
limit takes different templates; each round (metadata: instance) is one data set of the paper. A template that cannot be
read or drawn is left out, and a warning names it.
"""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from mathagent.errors import UsageError
from mathagent.evals.dataset import problem_of
from mathagent.evals.datasets.source import Hub, Row, Source, Subset
from mathagent.evals.templates import Instance, Template, instances, read_gsm_symbolic
from mathagent.types import Problem

FILES = ("gsm_symbolic.templates",)
ROUNDS = 50
"""Instances of a template, as published."""


def problems(subset: str, rows: Iterable[tuple[str, Row]], limit: int | None) -> Iterator[Problem]:
    """The problems of a subset: rendered from templates, or as they are where the rows are instances or originals."""
    templates: list[Template] = []
    left_out: list[str] = []
    for place, (where, row) in enumerate(rows):
        if "question_annotated" in row and subset != "original":
            try:
                templates.append(read_gsm_symbolic(row))
            except UsageError as error:
                left_out.append(f"{where}: {error}")
        elif limit is None or place < limit:
            yield _as_it_is(subset, where, dict(row), place)
    made = _drawn(templates, limit, left_out)
    if left_out:
        told = "; ".join(left_out)
        if not made:
            raise UsageError(f"none of the templates can be used: {told}")
        warnings.warn(f"{len(left_out)} templates cannot be used and are left out: {told}", stacklevel=2)
    for several in zip(*made, strict=True):
        for one in several:
            problem = one.problem()
            yield problem.model_copy(update={"metadata": {**problem.metadata, "template": one.template}})


def _drawn(templates: list[Template], limit: int | None, left_out: list[str]) -> list[tuple[Instance, ...]]:
    """As many instances of each template, enough for ``limit``; why others have none is added to ``left_out``."""
    made: list[tuple[Instance, ...]] = []
    rounds = 0
    while templates and rounds < (wanted := _rounds(len(templates), limit)):
        rounds, made, usable = wanted, [], []
        for template in templates:
            try:
                made.append(instances(template, rounds))
                usable.append(template)
            except UsageError as error:
                left_out.append(str(error))
        templates = usable
    return made


def _rounds(templates: int, limit: int | None) -> int:
    return ROUNDS if limit is None else min(ROUNDS, -(-limit // templates))


def _as_it_is(subset: str, where: str, row: dict[str, Any], place: int) -> Problem:
    number = row.get("instance")
    default = f"gsm_symbolic/{subset}/{place}"
    family = row.get("origin_id") or f"gsm8k/test/{row['original_id']}"
    if number is not None:  # the hub's: one id for all instances of a template
        row = {**row, "id": f"gsm_symbolic/{subset}/{row['id']}-{number}"}
    problem = problem_of(row, where, default_id=default)
    metadata = {**problem.metadata, "family": family, "answer_type": "number", "subject": subset}
    return problem.model_copy(
        update={"language": "en", "metadata": metadata | ({} if number is None else {"instance": number})}
    )


def _variant(name: str, config: str) -> Subset:
    place = Hub(repo="apple/GSM-Symbolic", config=config, add={"subject": name})
    return Subset(files=FILES, hub=(place,), where={"subject": name})


DATASET = Source(
    name="gsm-symbolic",
    title="GSM-Symbolic (symbolic, P1, P2) and the GSM8K originals",
    paper="Mirzadeh et al. 2024, arXiv 2410.05229",
    licence="templates: Apple sample code; instances on the hub: CC-BY-NC-ND-4.0",
    answer="whole number",
    answer_type="integer",
    note="50 instances of each template; main is the hub's name of symbolic.",
    build=problems,
    aliases={"main": "symbolic"},
    subsets={
        **{name: _variant(name, config) for name, config in (("symbolic", "main"), ("p1", "p1"), ("p2", "p2"))},
        "original": Subset(files=FILES, where={"subject": "symbolic"}),
    },
)
