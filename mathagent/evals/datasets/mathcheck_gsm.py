"""MathCheck-GSM: a checklist of four tasks by four kinds of question for each GSM8K question.

Only ``mathcheck-gsm:solving`` is to be solved; the other tasks judge, and are scored by process evaluation.
"""

from mathagent.evals.datasets.source import Source, Subset, hub

_HUB = hub("PremiLab-Math/MathCheck", split="train", subject="task_type")[0].model_copy(
    update={"files": "MathCheck-GSM.json"}
)


def _task(name: str) -> Subset:
    task = "solve" if name == "solving" else "judge"
    return Subset.model_validate(
        {"files": ("mathcheck_gsm.test",), "hub": (_HUB,), "where": {"task_type": name}, "task": task}
    )


DATASET = Source(
    name="mathcheck-gsm",
    title="MathCheck-GSM",
    paper="Zhou et al. 2024, arXiv 2407.08733",
    licence="CC-BY-4.0 (dataset card)",
    answer='solving: a number; else "Answerable"/"Unanswerable", "Correct"/"Incorrect" or "Step k"',
    note="129 groups of 24 checks; steps count from 1.",
    family="group_id",
    keep=("task_type", "question_type", "origin_id"),
    aliases={
        "answerable-judging": "answerable",
        "outcome-judging": "outcome",
        "process-judging": "process",
    },
    subsets={
        "all": Subset(files=("mathcheck_gsm.test",), hub=(_HUB,), task="judge"),
        "solving": _task("solving"),
        "answerable": _task("answerable_judging"),
        "outcome": _task("outcome_judging"),
        "process": _task("process_judging"),
    },
)
