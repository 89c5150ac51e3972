"""BIG-Bench Hard: its five tasks that are mathematics or counting, with their choices taken out of the text."""

from typing import Any

from mathagent.evals.datasets.choices_in_text import split_choices
from mathagent.evals.datasets.source import Source, Subset, hub, with_subject

TASKS = {
    "date-understanding": "date_understanding",
    "penguins": "penguins_in_a_table",
    "colored-objects": "reasoning_about_colored_objects",
    "object-counting": "object_counting",
    "multistep-arithmetic": "multistep_arithmetic_two",
}


def with_choices(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with the options of its text as choices, where it has some, and its task as subject."""
    row = with_subject(row, 0, "bbh_")
    question, choices, letters = split_choices(row["question"])
    if not choices:
        return row
    labelled = [f"({letter}) {choice}" for letter, choice in zip(letters, choices, strict=True)]
    return {**row, "question": question, "choices": labelled}


def _subset(*tasks: str) -> Subset:
    places = [hub("SaylorTwift/bbh", task, question="input", answer="target")[0] for task in tasks]
    named = [
        place.model_copy(update={"add": {"subject": task}}) for place, task in zip(places, tasks, strict=True)
    ]
    return Subset(files=tuple(f"bbh_{task}.test" for task in tasks), hub=tuple(named))


DATASET = Source(
    name="bbh",
    title="BIG-Bench Hard (dates, penguins, colored objects, counting, arithmetic)",
    paper="Suzgun et al. 2022, arXiv 2210.09261",
    licence="MIT",
    answer="letter of a choice, (B); a number for counting and arithmetic",
    note="BIG-bench asks that this data stay out of training corpora (canary GUID).",
    adapt=with_choices,
    aliases={alias: name for name, task in TASKS.items() if (alias := task.replace("_", "-")) != name},
    subsets={"all": _subset(*TASKS.values()), **{name: _subset(task) for name, task in TASKS.items()}},
)
