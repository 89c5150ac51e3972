"""BIG-bench: dates, penguins and colored objects as PAL uses them, and object counting."""

from typing import Any

from mathagent.evals.datasets.source import Hub, Source, Subset, with_subject

TASKS = {
    "dates": ("bigbench_date_understanding.test", "date_understanding"),
    "penguins": ("bigbench_penguins_in_a_table.test", "penguins_in_a_table"),
    "colored-objects": ("bigbench_reasoning_about_colored_objects.test", "reasoning_about_colored_objects"),
    "counting": ("bbh_object_counting.test", "object_counting"),
}


def adapted(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with its task as subject."""
    return with_subject(row, 0, "bigbench_", "bbh_")


def _subset(*names: str) -> Subset:
    places = tuple(
        Hub(
            repo="hails/bigbench",
            config=f"{TASKS[name][1]}_zero_shot",
            split="default",
            fields={"question": "inputs", "answer": "targets", "choices": "multiple_choice_targets", "id": "idx"},
            add={"subject": TASKS[name][1]},
        )
        for name in names
    )
    return Subset(files=tuple(TASKS[name][0] for name in names), hub=places)


DATASET = Source(
    name="big-bench",
    title="BIG-bench: date understanding, penguins in a table, colored objects, object counting",
    paper="Srivastava et al. 2022, arXiv 2206.04615; as in PAL, Gao et al. 2022, arXiv 2211.10435",
    licence="Apache-2.0 (object counting, from BIG-Bench Hard: MIT)",
    answer="the text of a choice; a number for counting",
    note="BIG-bench asks that this data stay out of training corpora (canary GUID).",
    adapt=adapted,
    aliases={task.replace("_", "-"): name for name, (_, task) in TASKS.items()},
    subsets={"all": _subset(*TASKS), **{name: _subset(name) for name in TASKS}},
)
