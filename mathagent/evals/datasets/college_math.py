"""College Math: exercises of nine free textbooks, from MathScale's MWPBench."""

from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="college-math",
    title="College Math",
    paper="Tang et al. 2024, arXiv 2403.02884",
    licence="per item: CC-BY-3.0, CC-BY-NC-SA-3.0/4.0, GFDL, CC",
    answer="LaTeX",
    answer_type="latex",
    subsets={
        "test": Subset(
            files=("college_math.test",),
            hub=hub("di-zhang-fdu/College_Math_Test", subject="data_topic"),
        )
    },
)
