"""Block repair: a refiner writes a program anew that failed, or whose answer failed its checks, and is told why."""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.agents.blocks.program import ProgramConfig, run_programs, write_programs
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.prompts import render
from mathagent.types import Candidate, Check, Failure, Problem

REPAIR_PROMPT = "roles/refiner_program"
REFINER = "refiner"


async def repair_program(
    context: RunContext,
    problem: Problem,
    config: ProgramConfig,
    candidate: Candidate,
    checks: Sequence[Check],
    *,
    sample: int,
) -> tuple[Candidate, str | None]:
    """The candidate of a program written in place of ``candidate``'s, and the limit of the budget that was met."""
    program = next((step.text for step in reversed(candidate.steps) if step.kind == "code"), "")
    messages = render(
        REPAIR_PROMPT,
        problem=problem_text(problem),
        program=program,
        critique=critique(candidate, checks),
        has_choices=bool(problem.choices),
    )
    drafts, limit = await write_programs(
        context, problem, config, n=1, first_sample=sample, messages=messages, role=REFINER
    )
    if not drafts:
        return Candidate(failure=Failure(kind="no-answer", message=limit or "nothing was drawn")), limit
    return (await run_programs(context, problem, config, drafts))[0], limit


def critique(candidate: Candidate, checks: Sequence[Check]) -> str:
    """What is known against ``candidate``, in words: why it has no answer, or which checks its answer fails."""
    if candidate.answer is None:
        return candidate.failure.message if candidate.failure is not None else "it gives no answer"
    failing = [check.claim or check.kind for check in checks if check.outcome == "fails"]
    found = f"it gives {candidate.answer.raw}"
    return f"{found}, but this does not hold: {'; '.join(failing)}" if failing else f"{found}, which is doubtful"
