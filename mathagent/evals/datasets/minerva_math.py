"""Minerva math: problems of undergraduate science courses (MIT OpenCourseWare)."""

from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="minerva-math",
    title="Minerva math (OCWCourses)",
    paper="Lewkowycz et al. 2022, arXiv 2206.14858",
    licence="CC-BY-NC-SA-4.0",
    answer="LaTeX or number, from the last \\boxed of the solution",
    answer_type="latex",
    subsets={"test": Subset(files=("minerva_math.test",), hub=hub("math-ai/minervamath"))},
)
