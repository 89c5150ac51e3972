"""GSM8K: grade-school word problems with worked solutions."""

from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub


def with_family(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row as its own family: data sets made from GSM8K name the item that they stem from by its id."""
    return {**row, "origin_id": row.get("id") or f"gsm8k/test/{number}"}


DATASET = Source(
    name="gsm8k",
    title="GSM8K",
    paper="Cobbe et al. 2021, arXiv 2110.14168",
    licence="MIT",
    answer="number, after #### in the solution (may hold commas)",
    answer_type="number",
    family="origin_id",
    adapt=with_family,
    subsets={
        "test": Subset(files=("gsm8k.test",), hub=hub("openai/gsm8k", "main")),
        "train": Subset(files=("gsm8k.train",), hub=hub("openai/gsm8k", "main", "train")),
    },
)
