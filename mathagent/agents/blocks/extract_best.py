"""Block extract best: the final answer of the response that scored highest, as a model reads it out of it."""

from __future__ import annotations

from typing import Any

from mathagent.agents.ask import ask
from mathagent.agents.blocks.select import best_score, chosen, keep_best, nothing, vote
from mathagent.agents.blocks.shared_store import best_responses, response_text
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import EXTRACTOR, FinalAnswer
from mathagent.agents.state import SolveState
from mathagent.answers.extract import extract_from_trigger_reply
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed, Warned
from mathagent.types import Answer, Candidate, SamplingParams


async def extract_best(context: RunContext, state: SolveState, params: SamplingParams) -> dict[str, Any]:
    """The state update with the answer of the response that scored highest (ties: the earliest), after one question;
    the winner is the candidate that the answer is of.

    An answer that differs from the one that the response states must stand in the response: an extraction is no new
    solution. The answer then belongs to a further candidate, with the response's steps and score, so that the answer
    always is a candidate's. Where nothing can be extracted, the highest-scoring candidate with an answer wins; where
    the budget ended before anyone was judged, the candidates vote, and none is the winner.
    """
    best = next(iter(best_responses(state.candidates, state.scores, 1)), None)
    if best is None:
        return nothing("no agent gave a response")
    if not state.verdicts:
        return await vote(context, state.candidates)
    response = state.candidates[best]
    extracted, limit = await _extracted(context, state, response, best, params)
    stated = response.answer
    if extracted is None or not await _replaces(context, state, response, extracted):
        winner = next(iter(keep_best(state.candidates, state.scores, 1)), None)
        return {**best_score(state.candidates, state.scores), "winner": winner, "limit": limit}
    candidate = Candidate(steps=response.steps, answer=extracted, extraction_stage=2)
    context.emit(CandidateProposed(sample=len(state.candidates), candidate=candidate))
    score = state.scores[best]
    basis = f"score {score:.3g}, answer extracted" + ("" if stated is None else f" in place of {stated.normal}")
    update = chosen([candidate], (0,), score, basis)
    winner = len(state.candidates)
    return {**update, "candidates": [candidate], "scores": [score], "winner": winner, "limit": limit}


async def _extracted(
    context: RunContext, state: SolveState, response: Candidate, index: int, params: SamplingParams
) -> tuple[Answer | None, str | None]:
    """The answer that the extractor reads in ``response``, and the budget's limit."""
    if state.limit is not None:
        return None, state.limit
    problem = state.problem
    try:
        asked = await ask(
            context,
            EXTRACTOR,
            fallback=FinalAnswer(answer=None),
            sample=index,
            retries=0,
            params=params,
            problem=problem_text(problem),
            solution=response_text(response),
            has_choices=bool(problem.choices),
        )
    except BackendError as error:
        context.emit(Warned(message=f"the answer is taken as the response states it: {error}"))
        return None, None
    text = asked.reply.answer
    return (extract_from_trigger_reply(text, problem.choices) if text else None), asked.limit


async def _replaces(context: RunContext, state: SolveState, response: Candidate, extracted: Answer) -> bool:
    """Whether ``extracted`` is to be the answer, and not what the response states."""
    stated = response.answer
    if stated is None:
        return True
    if (await context.comparer.equal(stated, extracted)).verdict == "equal":
        return False
    return bool(state.problem.choices) or extracted.raw in response_text(response)
