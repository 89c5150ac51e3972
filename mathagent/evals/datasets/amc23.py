"""AMC 12 of 2023, rewritten by its source to numbers without choices."""

from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="amc23",
    title="American Mathematics Competitions 12, 2023",
    paper="Mathematical Association of America, 2023",
    licence="problems by the MAA; none stated",
    answer="number, written like 27.0",
    answer_type="number",
    subsets={"test": Subset(files=("amc23.test",), hub=hub("math-ai/amc23"))},
)
