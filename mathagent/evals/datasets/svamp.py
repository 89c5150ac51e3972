"""SVAMP: variations of simple word problems."""

from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub


def with_family(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row as its own family: ReDial names the item that a pair stems from by its id."""
    return {**row, "origin_id": row.get("id")}


DATASET = Source(
    name="svamp",
    title="SVAMP",
    paper="Patel et al. 2021, arXiv 2103.07191",
    licence="MIT",
    answer="number, written like 51.0",
    answer_type="number",
    note="The whole challenge set of 1,000 items: both parts of the hub's copy.",
    family="origin_id",
    adapt=with_family,
    subsets={
        "test": Subset(
            files=("svamp.test",), hub=(*hub("ChilleD/SVAMP", split="train"), *hub("ChilleD/SVAMP", split="test"))
        )
    },
)
