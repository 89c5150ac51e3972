"""GSM-Plus: eight perturbations of each GSM8K test question."""

from hashlib import sha256
from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub

UNANSWERABLE = ["None", "cannot be determined", "not enough information", "unanswerable"]
"""What is accepted where the question lacks what it takes; the data set's own word comes first."""


def with_family(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with the seed question it stems from, and with what is accepted where it cannot be answered."""
    seed = "seed/" + sha256(str(row.get("seed_question", "")).encode()).hexdigest()[:12]
    adapted = {**row, "family": row.get("origin_id") or seed}
    if str(row.get("answer")).strip() == "None":
        adapted |= {"answer": UNANSWERABLE, "answer_type": "unanswerable"}
    return adapted


def _hub(split: str) -> Any:
    return hub("qintongli/GSM-Plus", split=split, subject="perturbation_type")


DATASET = Source(
    name="gsm-plus",
    title="GSM-Plus",
    paper="Li et al. 2024, arXiv 2402.19255",
    licence="CC-BY-SA-4.0",
    answer='number; "None" where the question cannot be answered (critical thinking)',
    answer_type="number",
    family="family",
    keep=("origin_id",),
    note="subject = kind of perturbation.",
    adapt=with_family,
    subsets={
        "testmini": Subset(files=("gsm_plus.testmini",), hub=_hub("testmini")),
        "test": Subset(files=("gsm_plus.test",), hub=_hub("test")),
    },
)
