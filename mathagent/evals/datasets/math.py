"""MATH: competition problems in seven subjects and five levels."""

import re
from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub


def with_level(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with its level as a number; MATH writes "Level 4"."""
    level = re.search(r"\d", str(row.get("level", "")))
    return {**row, "level": int(level.group()) if level else None}


DATASET = Source(
    name="math",
    title="MATH (Hendrycks et al.): 12,500 competition problems",
    paper="Hendrycks et al. 2021, arXiv 2103.03874",
    licence="MIT",
    answer="LaTeX, from the last \\boxed of the solution",
    answer_type="latex",
    note="math:rest is the test part without MATH-500.",
    adapt=with_level,
    subsets={
        "test": Subset(
            files=("math500.test", "math_rest.test"),
            hub=hub("DigitalLearningGmbH/MATH-lighteval", "default", subject="type"),
        ),
        "rest": Subset(files=("math_rest.test",)),
        "train": Subset(
            files=("math.train",),
            hub=hub("DigitalLearningGmbH/MATH-lighteval", "default", "train", subject="type"),
        ),
    },
)
