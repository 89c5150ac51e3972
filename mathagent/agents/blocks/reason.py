"""Block reason: zero-shot chain of thought in two stages (reason, then extract where needed).

Source: "Large Language Models are Zero-Shot Reasoners" (arXiv 2205.11916), adapted to chat models: the second stage
runs only where the first reply holds no answer in a stated form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import Field

from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import Draft
from mathagent.agents.strategy import StrategyConfig
from mathagent.answers.choices import labelled_choices
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Completion, Failure, Problem, SamplingParams, Step

REASON_PROMPTS = ("cot/reason", "cot/extract", "cot/extract_prefill")


class ReasonConfig(StrategyConfig):
    """Settings of reasoning in words."""

    max_tokens: int = Field(default=1024, ge=1, description="Completion tokens of one chain of thought.")
    trigger: str = Field(default="Let's think step by step.", description="Sentence that starts the reasoning.")
    always_extract: bool = Field(default=False, description="Run stage two even where stage one ended well.")
    extract_tokens: int = Field(default=48, ge=1, description="Completion tokens of stage two.")


async def write_reasoning(
    context: RunContext, problem: Problem, config: ReasonConfig, *, n: int, first_sample: int = 0
) -> tuple[tuple[Draft, ...], str | None]:
    """Stage one: n chains of thought; returns drafts and the limit that ended it."""
    messages = render(
        "cot/reason", problem=problem_text(problem), trigger=config.trigger, has_choices=bool(problem.choices)
    )
    params = SamplingParams(
        temperature=config.sampling_temperature, top_p=config.top_p, n=n, max_tokens=config.max_tokens
    )
    return await draw(context, messages, params, role="reasoner", first_sample=first_sample)


async def conclude_reasoning(
    context: RunContext,
    problem: Problem,
    config: ReasonConfig,
    drafts: tuple[Draft, ...],
    *,
    rescue_truncated: bool,
) -> tuple[list[Candidate], str | None]:
    """Stage two: turns drafts into candidates, in order.

    A reply without an answer in a stated form gets one more question; a truncated one only if
    ``rescue_truncated`` (its answer would be a guess, which should not vote).
    """
    results = await asyncio.gather(
        *(_conclude(context, problem, config, draft, rescue_truncated) for draft in drafts)
    )
    for draft, (candidate, _) in zip(drafts, results, strict=True):
        context.emit(CandidateProposed(sample=draft.sample, candidate=candidate))
    return [candidate for candidate, _ in results], next((limit for _, limit in results if limit), None)


async def _conclude(
    context: RunContext, problem: Problem, config: ReasonConfig, draft: Draft, rescue_truncated: bool
) -> tuple[Candidate, str | None]:
    reply = draft.completion
    if reply is None:
        return Candidate(failure=draft.failure), None
    steps: tuple[Step, ...] = (Step(kind="thought", text=reply.text),)
    stated = stated_answer(reply, problem.choices)
    if isinstance(stated, Answer) and not config.always_extract:
        return Candidate(steps=steps, answer=stated, extraction_stage=1), None
    hopeless = ("refused",) if rescue_truncated else ("refused", "truncated")
    if isinstance(stated, Failure) and stated.kind in hopeless:
        return Candidate(steps=steps, failure=stated), None
    extraction, limit = await _extract(context, problem, config, draft)
    if isinstance(extraction, Failure):
        return Candidate(steps=steps, failure=extraction), limit
    found = extract_from_trigger_reply(extraction, problem.choices)
    if found is None:
        failure = Failure(kind="no-answer", message="the reasoning ended without an answer")
        return Candidate(steps=steps, failure=failure), limit
    steps = (*steps, Step(kind="thought", text=extraction))
    return Candidate(steps=steps, answer=found, extraction_stage=2), limit


def stated_answer(reply: Completion, choices: Sequence[str] = ()) -> Answer | Failure:
    """The answer that a reply states, or why it states none. Pure."""
    answer = extract_answer(reply.text, choices)
    if answer is not None:
        return answer
    if reply.finish_reason == "content_filter":
        return Failure(kind="refused", message="the model's provider withheld the reply")
    if reply.finish_reason == "length":
        message = f"the reasoning was cut at {reply.usage.completion_tokens} tokens without an answer"
        return Failure(kind="truncated", message=message)
    return Failure(kind="no-answer", message="the reasoning ended without an answer")


async def _extract(
    context: RunContext, problem: Problem, config: ReasonConfig, draft: Draft
) -> tuple[str | Failure, str | None]:
    """Asks for the final answer alone; returns the reply, or why there is none, and the limit reached."""
    assert draft.completion is not None
    continues = context.backend.capabilities.continue_assistant
    turns = render(
        "cot/extract_prefill" if continues else "cot/extract",
        reasoning=draft.completion.text,
        answer_trigger=_answer_trigger(problem),
    )
    params = SamplingParams(temperature=0.0, max_tokens=config.extract_tokens)
    messages = (*draft.messages, *turns)
    try:
        drafts, limit = await draw(context, messages, params, role="extractor", continue_assistant=continues)
    except BackendError as error:  # the chain of thought is paid for: it stays, as a candidate that failed
        return Failure(kind="model-error", message=str(error)), None
    if not drafts or drafts[0].completion is None:
        return Failure(kind="no-answer", message="the budget ended before the answer was stated"), limit
    return drafts[0].completion.text, limit


def _answer_trigger(problem: Problem) -> str:
    if not problem.choices:
        return "Therefore, the final answer is"
    labels = [label for label, _ in labelled_choices(problem.choices)]
    return f"Therefore, among {labels[0]} through {labels[-1]}, the answer is"
