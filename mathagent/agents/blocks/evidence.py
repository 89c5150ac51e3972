"""Block evidence: the program that led to an answer, as a check that anyone can run again."""

from __future__ import annotations

from mathagent.agents.context import RunContext
from mathagent.scorers.printed_programs import valued_by_print
from mathagent.types import Answer, Check, Execution


async def execution_check(context: RunContext, source: str, execution: Execution, answer: Answer) -> Check | None:
    """The check that ``source``, which ended in ``execution``, gives ``answer``; None where it gave something else.

    Where the program printed its result, the check's program runs it and takes the last printed line.
    """
    printed = execution.stdout.strip().splitlines()
    programs = {execution.value: source, (printed[-1] if printed else None): valued_by_print(source)}
    for value, program in programs.items():
        if value is None or (await context.comparer.equal(answer, value)).verdict != "equal":
            continue
        return Check(
            kind="execution",
            program=program,
            expected=answer.normal,
            outcome="holds",
            seconds=execution.wall_s,
        )
    return None
