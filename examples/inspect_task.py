"""Two problems: inspect eval examples/inspect_task.py --solver mathagent/solve (see docs/interoperation.md)."""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match


@task
def two_problems() -> Task:
    return Task(
        dataset=[Sample(input="What is 6*7?", target="42"), Sample(input="What is 2+3?", target="5")],
        scorer=match(numeric=True),
    )
