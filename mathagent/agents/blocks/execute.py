"""Block execute: runs one program of a candidate, tells the world, and says what became of it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from mathagent.agents.context import RunContext
from mathagent.answers.choices import labelled_choices
from mathagent.answers.extract import answer_from_value, extract_answer
from mathagent.events import CodeFinished, CodeStarted
from mathagent.sandbox.base import Limits
from mathagent.types import Answer, Execution, Failure, FailureKind, Problem, Step

_LABEL = re.compile(r"^[^\W\d][\w ()'-]{2,}:\s*(?=\S)")
"""Words before a printed value, as in "total cost: 12"; "a:b" is a ratio."""
LEAST_S = 2.0
"""A program gets so many seconds even where the budget has fewer left."""


async def execute(
    context: RunContext, run: Callable[[str], Awaitable[Execution]], program: str, *, sample: int, shown: str = ""
) -> Execution:
    """Has ``run`` (a sandbox, a session) run ``program`` of sample ``sample``; ``shown`` stands for it in events."""
    context.emit(CodeStarted(sample=sample, code=shown or program))
    execution = await run(program)
    context.emit(CodeFinished(sample=sample, execution=execution))
    return execution


def code_step(code: str, execution: Execution) -> Step:
    """The step of ``code``, or of what a person had run in its place."""
    if execution.edited is not None:
        return Step(kind="code", text=execution.edited, origin="user")
    return Step(kind="code", text=code)


def program_limits(context: RunContext, timeout_s: float) -> Limits:
    """The limits of a program; near the budget's end it gets what is left, but always a chance to finish."""
    left = context.meter.seconds_left()
    timeout_s = timeout_s if left is None else min(timeout_s, max(left, LEAST_S))
    return context.limits.model_copy(update={"timeout_s": timeout_s, "cpu_s": timeout_s})


def execution_failure(execution: Execution) -> Failure:
    """Why a candidate whose program ended like this has no answer."""
    kind: FailureKind = "code-timeout" if execution.status == "timeout" else "code-error"
    return Failure(kind=kind, message=execution.error or f"the program ended with status {execution.status}")


async def executed_answer(
    context: RunContext, problem: Problem, execution: Execution, *, returned: bool, printed: bool
) -> Answer | None:
    """The answer that a program gave: the value of its last expression (``returned``), else its last printed line
    (``printed``). With choices, the label of the one that it names or equals. None where there is none."""
    lines = execution.stdout.strip().splitlines()
    answer = answer_from_value(execution.value) if returned and execution.value is not None else None
    if answer is None and printed and lines:
        answer = extract_answer(lines[-1]) or answer_from_value(_LABEL.sub("", lines[-1]))
    if answer is None or not problem.choices:
        return answer
    return extract_answer(f"The answer is {answer.raw}", problem.choices) or await _choice_by_value(
        context, problem, answer
    )


async def _choice_by_value(context: RunContext, problem: Problem, answer: Answer) -> Answer | None:
    """The label of the one choice whose text equals ``answer`` as mathematics; None where not exactly one does."""
    labelled = labelled_choices(problem.choices)
    verdicts = [(await context.comparer.equal(answer, text)).verdict for _, text in labelled]
    matching = [label for (label, _), verdict in zip(labelled, verdicts, strict=True) if verdict == "equal"]
    return Answer(raw=answer.raw, normal=matching[0]) if len(matching) == 1 else None
