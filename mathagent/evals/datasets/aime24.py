"""AIME 2024: the thirty problems of both papers."""

from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="aime24",
    title="American Invitational Mathematics Examination 2024 (I and II)",
    paper="Mathematical Association of America, 2024",
    licence="problems by the MAA; none stated",
    answer="integer from 0 to 999 (may have leading zeros)",
    answer_type="integer",
    subsets={"test": Subset(files=("aime24.test",), hub=hub("math-ai/aime24"))},
)
