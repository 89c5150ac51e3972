"""ReDial, its mathematics: GSM8K and SVAMP questions in Standard English and in African American English, in pairs."""

from typing import Any

from mathagent.evals.datasets.source import Source, Subset


def with_subject(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with its dialect as subject."""
    return {**row, "subject": row.get("dialect")}


DATASET = Source(
    name="redial",
    title="ReDial (mathematics): Standard English and AAVE",
    paper="Lin et al. 2024, arXiv 2410.11005",
    licence="MIT",
    answer="number",
    answer_type="number",
    note="subject = dialect; family = the item that both forms of a pair stem from.",
    family="origin_id",
    keep=("origin_id", "dialect", "subset"),
    adapt=with_subject,
    subsets={
        "all": Subset(files=("redial_math.test",)),
        "original": Subset(files=("redial_math.test",), where={"dialect": "original"}),
        "aave": Subset(files=("redial_math.test",), where={"dialect": "aave"}),
    },
)
