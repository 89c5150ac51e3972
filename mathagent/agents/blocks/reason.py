"""Block reason: zero-shot chain of thought in two stages (reason, then extract where needed).

Source: "Large Language Models are Zero-Shot Reasoners" (arXiv 2205.11916), adapted to chat models: the second stage
runs only where the first reply holds no answer in a stated form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pydantic import Field

from mathagent.agents.blocks.recall import with_recalled
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import Draft
from mathagent.agents.strategy import StrategyConfig
from mathagent.answers.choices import labelled_choices
from mathagent.answers.extract import extract_answer, extract_from_trigger_reply
from mathagent.errors import BackendError
from mathagent.events import CandidateProposed
from mathagent.memory.experience import Experience
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Completion, Failure, Message, Problem, SamplingParams, Step

ReadAnswer = Callable[[str, Sequence[str]], Answer | None]
"""Reads the answer in a reply to an answer trigger, given the choices."""

REASON_PROMPT = "cot/reason"
REASON_PROMPTS = (REASON_PROMPT, "cot/extract", "cot/extract_prefill")
TRIGGER = "Let's think step by step."


class ChainConfig(StrategyConfig):
    """Settings of a chain of thought in both its stages, whatever prompt begins it."""

    max_tokens: int = Field(default=1024, ge=1, description="Completion tokens of one chain of thought.")
    always_extract: bool = Field(default=False, description="Run stage two even where stage one ended well.")
    extract_tokens: int = Field(default=48, ge=1, description="Completion tokens of stage two.")


class ReasonConfig(ChainConfig):
    """Settings of reasoning in words."""

    trigger: str = Field(default=TRIGGER, description="Sentence that starts the reasoning.")


def reasoning_prompt(problem: Problem, trigger: str = TRIGGER) -> tuple[Message, ...]:
    """What a reasoner is asked: the problem, to think, and to box the answer. Pure."""
    return render(REASON_PROMPT, problem=problem_text(problem), trigger=trigger, has_choices=bool(problem.choices))


async def write_reasoning(
    context: RunContext,
    problem: Problem,
    config: ReasonConfig,
    *,
    n: int,
    first_sample: int = 0,
    recalled: Sequence[Experience] = (),
) -> tuple[tuple[Draft, ...], str | None]:
    """Stage one: n chains of thought, shown the ``recalled``; returns drafts and the limit that ended it."""
    messages = with_recalled(reasoning_prompt(problem, config.trigger), recalled, "reasoning")
    params = config.params.model_copy(update={"n": n})
    return await draw(context, messages, params, role="reasoner", first_sample=first_sample)


async def conclude_reasoning(
    context: RunContext,
    problem: Problem,
    config: ChainConfig,
    drafts: tuple[Draft, ...],
    *,
    rescue_truncated: bool,
    answer_trigger: str | None = None,
    read: ReadAnswer = extract_from_trigger_reply,
) -> tuple[list[Candidate], str | None]:
    """Stage two: turns drafts into candidates, in order.

    A reply without an answer in a stated form gets one more question; a truncated one only if
    ``rescue_truncated`` (its answer would be a guess, which should not vote). ``answer_trigger`` are the words that
    the answer is asked for with, in place of the usual ones, and ``read`` reads it in the reply to them.
    """
    trigger = _answer_trigger(problem) if answer_trigger is None else answer_trigger
    results = await asyncio.gather(
        *(_conclude(context, problem, config, draft, rescue_truncated, trigger, read) for draft in drafts)
    )
    for draft, (candidate, _) in zip(drafts, results, strict=True):
        context.emit(CandidateProposed(sample=draft.sample, candidate=candidate))
    return [candidate for candidate, _ in results], next((limit for _, limit in results if limit), None)


async def _conclude(
    context: RunContext,
    problem: Problem,
    config: ChainConfig,
    draft: Draft,
    rescue_truncated: bool,
    answer_trigger: str,
    read: ReadAnswer,
) -> tuple[Candidate, str | None]:
    candidate = stated_candidate(draft, problem.choices)
    steps = candidate.steps
    hopeless = ("refused",) if rescue_truncated else ("refused", "truncated")
    if draft.completion is None or (candidate.failure is not None and candidate.failure.kind in hopeless):
        return candidate, None
    if candidate.answer is not None and not config.always_extract:
        return candidate, None
    extraction, limit = await _extract(context, config, draft, answer_trigger)
    found = None if isinstance(extraction, Failure) else read(extraction, problem.choices)
    if found is None and candidate.answer is not None:  # stage two was wanted all the same, and came to nothing
        return candidate, limit
    if isinstance(extraction, Failure):
        return Candidate(steps=steps, failure=extraction), limit
    if found is None:
        failure = Failure(kind="no-answer", message="the reasoning ended without an answer")
        return Candidate(steps=steps, failure=failure), limit
    steps = (*steps, Step(kind="thought", text=extraction))
    return Candidate(steps=steps, answer=found, extraction_stage=2), limit


def stated_candidate(draft: Draft, choices: Sequence[str] = ()) -> Candidate:
    """The candidate of a chain of thought as far as it states its answer: nobody is asked for one. Pure."""
    if draft.completion is None:
        return Candidate(failure=draft.failure)
    steps = (Step(kind="thought", text=draft.completion.text),)
    stated = stated_answer(draft.completion, choices)
    if isinstance(stated, Failure):
        return Candidate(steps=steps, failure=stated)
    return Candidate(steps=steps, answer=stated, extraction_stage=1)


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
    context: RunContext, config: ChainConfig, draft: Draft, answer_trigger: str
) -> tuple[str | Failure, str | None]:
    """Asks for the final answer alone; returns the reply, or why there is none, and the limit reached."""
    assert draft.completion is not None
    continues = context.can("extractor").continue_assistant
    turns = render(
        "cot/extract_prefill" if continues else "cot/extract",
        reasoning=draft.completion.text,
        answer_trigger=answer_trigger,
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
