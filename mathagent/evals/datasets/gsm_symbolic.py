"""GSM-Symbolic: templates of GSM8K questions, rendered to instances; P1 and P2 have one and two clauses more.

The published templates are read from a local folder and rendered by evals/templates; from the hub come the published
instances (its config ``main`` is our ``symbolic``). Instances come round by round, one of each template, so that a
limit takes different templates; each round (metadata: instance) is one data set of the paper.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from mathagent.evals.dataset import problem_of
from mathagent.evals.datasets.source import Hub, Row, Source, Subset
from mathagent.evals.templates import Template, instances, read_gsm_symbolic
from mathagent.types import Problem

FILES = ("gsm_symbolic.templates",)
ROUNDS = 50
"""Instances of a template, as published."""


def problems(subset: str, rows: Iterable[tuple[str, Row]], limit: int | None) -> Iterator[Problem]:
    """The problems of a subset: rendered from templates, or as they are where the rows are instances or originals."""
    templates: list[Template] = []
    for place, (where, row) in enumerate(rows):
        if "question_annotated" in row and subset != "original":
            templates.append(read_gsm_symbolic(row))
        elif limit is None or place < limit:
            yield _as_it_is(subset, where, dict(row), place)
    if templates:
        rounds = ROUNDS if limit is None else min(ROUNDS, -(-limit // len(templates)))
        made = [instances(template, rounds) for template in templates]
        for several in zip(*made, strict=True):
            for one in several:
                problem = one.problem()
                yield problem.model_copy(update={"metadata": {**problem.metadata, "template": one.template}})


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
