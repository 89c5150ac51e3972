"""OlympiadBench: olympiad problems in English, text only, with open answers (OE_TO_maths_en_COMP)."""

from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub


def with_answer(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with its answers joined: the hub has them in a list, of which all are asked for."""
    final = row.get("final_answer")
    return {**row, "answer": ", ".join(map(str, final))} if isinstance(final, list) else row


DATASET = Source(
    name="olympiadbench",
    title="OlympiadBench: mathematics, English, text only, open answers",
    paper="He et al. 2024, arXiv 2402.14008",
    licence="Apache-2.0 (dataset card)",
    answer="LaTeX or number; several split by commas",
    keep=("unit", "is_multiple_answer"),
    adapt=with_answer,
    subsets={
        "test": Subset(
            files=("olympiadbench.test",),
            hub=hub("Hothan/OlympiadBench", "OE_TO_maths_en_COMP", "train", subject="subfield"),
        )
    },
)
