"""SAT-Math: the mathematics part of the SAT, with four choices (AGIEval)."""

from typing import Any

from mathagent.evals.datasets.agieval import plain_query
from mathagent.evals.datasets.source import Source, Subset, hub


def adapted(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with the question alone."""
    return plain_query(row)


DATASET = Source(
    name="sat-math",
    title="SAT-Math (AGIEval)",
    paper="Zhong et al. 2023, arXiv 2304.06364",
    licence="MIT (AGIEval; the exams' own owners are not addressed)",
    answer="letter of a choice, A to D",
    answer_type="choice",
    adapt=adapted,
    subsets={
        "test": Subset(
            files=("sat_math.test",), hub=hub("hails/agieval-sat-math", question="query", answer="gold")
        )
    },
)
