"""CMATH: word problems of Chinese primary school, and the same with distracting statements."""

from hashlib import sha256
from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub


def with_family(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with the hash of the question that its forms with distractors share."""
    original = str(row.get("original") or row.get("question", ""))
    return {**row, "seed": sha256(original.encode()).hexdigest()[:12]}


DATASET = Source(
    name="cmath",
    title="CMATH",
    paper="Wei et al. 2023, arXiv 2306.16636",
    licence="CC-BY-4.0",
    languages=("zh",),
    answer="number",
    answer_type="number",
    note="The published dev part has 600 items, the hub's test part 1,098 others. level = grade.",
    family="seed",
    keep=("distractor",),
    adapt=with_family,
    subsets={
        "test": Subset(files=("cmath.test",), hub=hub("weitianwen/cmath", answer="golden", level="grade")),
        "distractor": Subset(files=("cmath_distractor.test",)),
    },
)
