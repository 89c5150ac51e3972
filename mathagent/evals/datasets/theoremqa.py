"""TheoremQA: university questions that take a theorem; those with a picture are left out."""

from mathagent.evals.datasets.source import Hub, Source, Subset

DATASET = Source(
    name="theoremqa",
    title="TheoremQA (text only)",
    paper="Chen et al. 2023, arXiv 2305.12524",
    licence="MIT",
    answer="number, true or false, a list of numbers in order, or an option (a); answer_type tells",
    subsets={
        "test": Subset(
            files=("theoremqa.test",),
            hub=(
                Hub(
                    repo="TIGER-Lab/TheoremQA",
                    fields={"question": "Question", "answer": "Answer", "answer_type": "Answer_type"},
                    where={"Picture": "None"},
                ),
            ),
        )
    },
)
