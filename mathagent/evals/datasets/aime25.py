"""AIME 2025: the thirty problems of both papers."""

from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="aime25",
    title="American Invitational Mathematics Examination 2025 (I and II)",
    paper="Mathematical Association of America, 2025",
    licence="problems by the MAA; none stated",
    answer="integer from 0 to 999 (may have leading zeros)",
    answer_type="integer",
    subsets={"test": Subset(files=("aime25.test",), hub=hub("math-ai/aime25"))},
)
