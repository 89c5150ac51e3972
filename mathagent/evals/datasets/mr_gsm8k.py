"""MR-GSM8K: solutions of GSM8K questions to be judged: right or wrong, and the first wrong step (from 1).

For process evaluation, not for solving: the reference is the step, or "N/A" where there is no error.
"""

from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub


def with_label(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with the number of the first wrong step as its answer."""
    return {**row, "answer": str(row.get("first_error_step") or "N/A"), "subject": row.get("question_type")}


DATASET = Source(
    name="mr-gsm8k",
    title="MR-GSM8K",
    paper="Zeng et al. 2023, arXiv 2312.17080",
    licence="MIT",
    answer='first wrong step from 1, "N/A" for none',
    answer_type="step",
    note="The local part holds wrong solutions only: it cannot tell how often right ones are accused.",
    family="origin_id",
    adapt=with_label,
    subsets={
        "test": Subset(
            files=("mr_gsm8k.wrong",),
            hub=hub(
                "Randolphzeng/Mr-GSM8K",
                solution="ground_truth_solution",
                steps="model_output_steps",
                answer_correctness="model_output_answer_correctness",
                solution_correctness="model_output_solution_correctness",
                first_error_step="model_output_solution_first_error_step",
                first_error_reason="model_output_solution_first_error_reason",
            ),
            task="judge",
        )
    },
)
