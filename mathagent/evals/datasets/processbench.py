"""ProcessBench: solutions whose first wrong step is to be found; the label counts from 0, -1 is none.

For process evaluation, not for solving: the reference is the label.
"""

from hashlib import sha256
from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub, with_subject

PARTS = ("gsm8k", "math", "olympiadbench", "omnimath")


def with_label(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with its label as the answer; one problem has solutions of several models."""
    seed = sha256(str(row["question"]).encode()).hexdigest()[:16]
    return {**with_subject(row, 1), "answer": str(row["label"]), "seed": seed}


def _places(*parts: str) -> Any:
    return tuple(
        hub("Qwen/ProcessBench", split=part, question="problem")[0].model_copy(update={"add": {"subject": part}})
        for part in parts
    )


def _subset(*parts: str) -> Subset:
    return Subset(files=tuple(f"processbench.{part}" for part in parts), hub=_places(*parts), task="judge")


DATASET = Source(
    name="processbench",
    title="ProcessBench (GSM8K, MATH, OlympiadBench, Omni-MATH)",
    paper="Zheng et al. 2024, arXiv 2412.06559",
    licence="Apache-2.0 (dataset card)",
    answer="index of the first wrong step from 0, -1 for none",
    answer_type="step",
    family="seed",
    adapt=with_label,
    subsets={"all": _subset(*PARTS), **{part: _subset(part) for part in PARTS}},
)
