"""GSM-Hard: GSM8K with large numbers."""

from mathagent.evals.datasets.source import Source, Subset, hub

DATASET = Source(
    name="gsm-hard",
    title="GSM-Hard",
    paper="Gao et al. 2022 (PAL), arXiv 2211.10435",
    licence="Apache-2.0 (on the hub: MIT)",
    answer="number (may be negative, huge, or no whole number)",
    answer_type="number",
    family="origin_id",
    keep=("origin_id",),
    note="Known faults: the new numbers make some answers senseless (a count of -6,887,448 cups).",
    subsets={
        "test": Subset(
            files=("gsm_hard.test",),
            hub=hub("reasoning-machines/gsm-hard", split="train", question="input", answer="target"),
        )
    },
)
