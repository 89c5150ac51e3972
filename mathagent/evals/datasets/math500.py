"""MATH-500: the 500 test problems of MATH that PRM800K keeps."""

from mathagent.evals.datasets.math import with_level
from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="math500",
    title="MATH-500",
    paper="Lightman et al. 2023, arXiv 2305.20050; of MATH, arXiv 2103.03874",
    licence="MIT",
    answer="LaTeX",
    answer_type="latex",
    adapt=with_level,
    subsets={"test": Subset(files=("math500.test",), hub=hub("HuggingFaceH4/MATH-500"))},
)
