"""Scorer checks: what can be tested about a solution's answer is tested, by programs in the sandbox.

The verifier proposes checks once for all solutions of a problem (``blocks/check.py``); equal answers are checked once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mathagent.agents.blocks.check import CHECK_PROMPTS, check_candidate, propose_checks
from mathagent.agents.blocks.execute import executed_answer
from mathagent.agents.blocks.select import answer_classes
from mathagent.agents.context import RunContext
from mathagent.answers.extract import extract_answer
from mathagent.scorers.base import Level, Score
from mathagent.scorers.expressions import Unreadable
from mathagent.scorers.model_programs import valued
from mathagent.types import Answer, Candidate, Check, Problem, Step, Verdict

CHECKS_PROMPTS = CHECK_PROMPTS
VALUES = {"correct": 1.0, "unsure": 0.5, "incorrect": 0.0}
"""What a verdict is worth: what nobody could test stands between what was confirmed and what was refuted."""


class ExecutableChecks:
    """Scores whole solutions by the verdict of executed checks on their answer; without an answer there is none."""

    name = "checks"
    level: Level = "outcome"

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """See Scorer.score. Raises SandboxError, no BackendError: some checks cost no call."""
        candidates = await asyncio.gather(*(candidate_of(context, problem, steps) for steps in solutions))
        classes = await answer_classes(context, candidates)
        if not classes:
            return [Score(note="there is no answer to check") for _ in solutions]
        reached = context.meter.limit_reached()
        proposals, limit = ((), str(reached)) if reached else await propose_checks(context, problem)

        async def verdict_on(members: Sequence[int]) -> Verdict:
            first = next((index for index in members if candidates[index].checks), members[0])
            verdict, _ = await check_candidate(
                context, problem, candidates[first], sample=first, proposals=proposals
            )
            return verdict

        verdicts = await asyncio.gather(*(verdict_on(one.members) for one in classes))
        scores = [Score(note="there is no answer to check") for _ in solutions]
        for one, verdict in zip(classes, verdicts, strict=True):
            for index in one.members:
                scores[index] = Score(value=VALUES[verdict.judgement], note=verdict.reason, limit=limit)
        return scores


async def candidate_of(context: RunContext, problem: Problem, steps: Sequence[Step]) -> Candidate:
    """The candidate that ``steps`` are: the answer that their last words state, else what their last program gave."""
    stated: Answer | None = None
    checks: tuple[Check, ...] = ()
    for place in range(len(steps) - 1, -1, -1):
        step = steps[place]
        if step.execution is not None and step.execution.ok:
            stated = await executed_answer(context, problem, step.execution, returned=True, printed=True)
            code = next((one.text for one in reversed(steps[:place]) if one.kind == "code"), "")
            checks = own_program(code, stated) if stated is not None else ()
        elif step.kind == "thought":
            stated = extract_answer(step.text, problem.choices)
        if stated is not None:
            break
    return Candidate(steps=tuple(steps), answer=stated, checks=checks)


def own_program(code: str, answer: Answer) -> tuple[Check, ...]:
    """That the solution's own program gives its answer: weak evidence, and what other derivations are held against.

    Nothing where the program does not end in a value.
    """
    try:
        program = valued(code)
    except Unreadable:
        return ()
    return (Check(kind="execution", program=program, expected=answer.normal, outcome="undecided"),)


CHECKS = ExecutableChecks()
