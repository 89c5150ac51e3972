"""AQuA-RAT: algebra word problems with five choices."""

from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="aqua",
    title="AQuA-RAT",
    paper="Ling et al. 2017, arXiv 1705.04146",
    licence="Apache-2.0",
    answer="letter of a choice, A to E",
    answer_type="choice",
    subsets={
        "test": Subset(
            files=("aqua.test",),
            hub=hub("deepmind/aqua_rat", "raw", answer="correct", choices="options", solution="rationale"),
        )
    },
)
