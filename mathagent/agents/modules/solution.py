"""Module solution (SG), always the last: a short solution from question and context, until one states its answer."""

from __future__ import annotations

from mathagent.agents.blocks.evidence import execution_check
from mathagent.agents.blocks.execute import executed_answer
from mathagent.agents.blocks.reason import stated_answer
from mathagent.agents.modules.pipeline import Pipeline
from mathagent.agents.modules.program import last_good_program
from mathagent.agents.role import Role
from mathagent.types import Answer, Candidate, Failure, SamplingParams, Step

SOLVER = Role("solver", "mathsensei/solution", SamplingParams(max_tokens=600))
COLD, WARMER = 0.1, 0.1
"""Below this temperature a second try would say the same, so that it is made so much warmer."""


async def write_solution(pipeline: Pipeline) -> tuple[Candidate, str | None]:
    """The candidate of the first solution that states an answer, and the limit of the budget that was met.

    Where a limit or a failed request leaves no solution at all, the last program's output is the answer.
    """
    config, problem = pipeline.config, pipeline.problem
    prompt = pipeline.prompt(SOLVER.prompt, known=pipeline.known, has_choices=bool(problem.choices))
    steps: list[Step] = []
    failure: Failure | None = None
    limit: str | None = None
    for attempt in range(config.solution_tries):
        start = config.sampling_temperature
        warmth = start + WARMER if attempt and start < COLD else start
        draft, limit = await pipeline.write(SOLVER, prompt, attempt=attempt, temperature=warmth)
        if draft.completion is None:
            failure = failure or draft.failure
            break
        steps.append(Step(kind="thought", text=draft.completion.text))
        stated = stated_answer(draft.completion, problem.choices)
        if isinstance(stated, Answer):
            return await concluded(pipeline, stated, *steps, stage=1), limit
        failure = stated
    if not steps:
        return await without_solution(pipeline, failure), limit
    return Candidate(steps=(*pipeline.steps, *steps), failure=failure), limit


async def concluded(pipeline: Pipeline, answer: Answer, *more: Step, stage: int | None = None) -> Candidate:
    """The candidate with ``answer``; the last program that succeeded is its check, if it gave the same.

    ``stage`` is 1 where the answer was read from words (``Candidate.extraction_stage``).
    """
    good = last_good_program(pipeline.steps)
    check = None if good is None else await execution_check(pipeline.context, *good, answer)
    return Candidate(
        steps=(*pipeline.steps, *more),
        answer=answer,
        checks=() if check is None else (check,),
        extraction_stage=stage,
    )


async def without_solution(pipeline: Pipeline, failure: Failure | None) -> Candidate:
    """The candidate of a chain whose solution could not be written: what its last good program gave, or a failure."""
    good = last_good_program(pipeline.steps)
    if good is not None:
        answer = await executed_answer(pipeline.context, pipeline.problem, good[1], returned=True, printed=True)
        if answer is not None:
            return await concluded(pipeline, answer)
    why = failure or Failure(kind="no-answer", message="the budget ended before a solution was written")
    return Candidate(steps=pipeline.steps, failure=why)
