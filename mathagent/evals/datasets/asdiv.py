"""ASDiv: diverse elementary word problems, graded 1 to 6."""

from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="asdiv",
    title="ASDiv",
    paper="Miao et al. 2020, arXiv 2106.15772",
    licence="CC-BY-NC-4.0",
    answer="number with its unit in brackets, 9 (apples); several split by ;; a few words, times and ratios",
    answer_type="number with unit",
    subsets={
        "test": Subset(
            files=("asdiv.test",),
            hub=hub("EleutherAI/asdiv", "asdiv", "validation", subject="solution_type", level="grade"),
        )
    },
)
