"""Block judging: a judge scores each response and says why. An unreadable or missing judgement is a score of 0."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from mathagent.agents.ask import ask
from mathagent.agents.blocks.shared_store import response_text
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import JUDGE, JudgedScore, Role
from mathagent.agents.state import SolveState
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.types import Problem, SamplingParams, Value, Verdict

UNJUDGED = 0.0


class BinaryScore(Value):
    """A judge's yes or no."""

    score: Literal[0, 1] = Field(description="1 if the final answer is right, else 0")


BINARY_JUDGE = Role("judge", "xolver/judge", SamplingParams(max_tokens=512), BinaryScore)


@dataclass(frozen=True)
class Opinion:
    """What a judge said of one solution: ``score`` None where nothing could be read, and ``problem`` is why;
    ``limit`` is the budget's limit that ended the asking, ``error`` what failed."""

    score: float | None = None
    reasoning: str = ""
    problem: str = ""
    limit: str | None = None
    error: BackendError | None = None


async def opinion_on(
    context: RunContext,
    problem: Problem,
    solution: str,
    *,
    sample: int = 0,
    params: SamplingParams | None = None,
    binary: bool = False,
) -> Opinion:
    """What the judge says of ``solution``; a request that fails is data, too."""
    fallback: BinaryScore | JudgedScore = BinaryScore(score=0) if binary else JudgedScore(score=UNJUDGED)
    try:
        asked = await ask(
            context,
            BINARY_JUDGE if binary else JUDGE,
            fallback=fallback,
            sample=sample,
            retries=0,
            params=params,
            problem=problem_text(problem),
            solution=solution,
        )
    except BackendError as error:
        return Opinion(problem=str(error), error=error)
    if asked.limit is not None or asked.fell_back:
        why = asked.limit or asked.problem or "no score could be read"
        return Opinion(reasoning=asked.reasoning, problem=why, limit=asked.limit)
    return Opinion(score=float(asked.reply.score), reasoning=asked.reasoning)


@dataclass(frozen=True)
class _Judgement:
    score: float = UNJUDGED
    verdict: Verdict | None = None
    limit: str | None = None
    error: BackendError | None = None


async def judge_responses(
    context: RunContext, state: SolveState, params: SamplingParams, *, binary: bool = False
) -> dict[str, Any]:
    """The state update with the scores of all candidates that have none yet, and what the judge said as verdicts.

    One question each, side by side, and none about a candidate for which nothing was written, or once a budget has
    ended: those score 0 and have no verdict. Raises BackendError where every question failed.
    """
    indices = range(len(state.scores), len(state.candidates))
    made = await asyncio.gather(*(_judge(context, state, index, params, binary=binary) for index in indices))
    errors = [one.error for one in made if one.error is not None]
    if errors and not any(one.verdict or one.limit for one in made):
        raise errors[0]
    return {
        "scores": [one.score for one in made],
        "verdicts": {index: one.verdict for index, one in zip(indices, made, strict=True) if one.verdict},
        "limit": next((one.limit for one in made if one.limit), state.limit),
    }


async def _judge(
    context: RunContext, state: SolveState, index: int, params: SamplingParams, *, binary: bool
) -> _Judgement:
    candidate = state.candidates[index]
    if state.limit is not None or not candidate.steps:
        return _Judgement()
    solution = response_text(candidate)
    said = await opinion_on(context, state.problem, solution, sample=index, params=params, binary=binary)
    if said.error is not None:
        context.emit(Warned(message=f"response {index + 1} is not judged and counts as wrong: {said.error}"))
        return _Judgement(error=said.error)
    if said.limit is not None:
        return _Judgement(limit=said.limit)
    score = UNJUDGED if said.score is None else said.score
    judgement: Literal["correct", "incorrect", "unsure"] = "unsure"
    if score in (0.0, 1.0):
        judgement = "correct" if score else "incorrect"
    return _Judgement(score, Verdict(judgement=judgement, reason=said.reasoning))
