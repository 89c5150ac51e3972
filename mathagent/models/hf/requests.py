"""From a chat request to a job for an engine, and from a sample that has ended to a completion."""

from __future__ import annotations

import asyncio
import random

from mathagent.errors import BackendError, UsageError
from mathagent.models.base import ChatRequest, OnDelta, PromptTooLong
from mathagent.models.hf.constraints import ADVICE, Constraints, is_constrained
from mathagent.models.hf.engine import Engine
from mathagent.models.hf.jobs import Job, OnEnd, Sample
from mathagent.models.hf.loading import Loaded
from mathagent.models.hf.prompts import Prompt, render, tool_calls
from mathagent.models.hf.replies import ReplyText, closing_ids
from mathagent.models.hf.sampling import Draw
from mathagent.models.hf.settings import HfSettings
from mathagent.models.plain_chat import with_turn_end
from mathagent.types import Completion, TokenLogprob, Usage

CONTEXT_TOKENS = 8
"""Of the prompt's end, for what the first token of a continued turn reads like."""


def job_of(
    engine: Engine,
    request: ChatRequest,
    settings: HfSettings,
    constraints: Constraints | None,
    on_end: OnEnd,
    on_text: OnDelta | None,
) -> Job:
    """The job that ``request`` is, for the running event loop.

    Raises UsageError for messages, schemas and grammars that cannot be used, BackendError for a prompt that is too long
    and for replies that the memory for keys and values could not hold.
    """
    loaded = engine.loaded
    prompt = render(loaded.tokenizer, request, settings)
    most = _most_tokens(engine, prompt, request.params.max_tokens)
    if constraints is None and is_constrained(request):
        raise UsageError(ADVICE)
    constraint = None if constraints is None else constraints.constraint(request)
    stop = with_turn_end(request.params.stop) if settings.template == "plain" else request.params.stop
    # Where a form is held, or drafts are checked, no token can be forced: then the prompt alone ends the thinking.
    is_free = constraint is None and settings.engine != "speculative"
    thinking_tokens = settings.thinking_tokens if is_free else None
    closing = () if thinking_tokens is None else tuple(closing_ids(loaded.tokenizer))
    samples = [
        Sample(
            index=index,
            tokens=list(prompt.ids),
            prompt_length=len(prompt.ids),
            most=most,
            draw=_draw(request, settings, index),
            text=ReplyText(
                loaded.tokenizer,
                stop,
                before=prompt.ids[-CONTEXT_TOKENS:] if prompt.continued else (),
                opened=prompt.opened,
            ),
            constraint=None if constraint is None else constraint.copy(),
            thinking_tokens=thinking_tokens,
            closing=closing,
        )
        for index in range(request.params.n)
    ]
    loop = asyncio.get_running_loop()
    return Job(
        samples=samples,
        adapters=settings.adapters(request.role, request.lora, loaded.name),
        loop=loop,
        finished=loop.create_future(),
        on_end=on_end,
        on_text=on_text,
    )


def _most_tokens(engine: Engine, prompt: Prompt, asked: int) -> int:
    """How many tokens a reply may have: those asked for, or what the context leaves."""
    length, context, name = len(prompt.ids), engine.loaded.context, engine.loaded.name
    if length >= context:
        raise PromptTooLong(
            f"{name}: the prompt is {length} tokens long and the limit is {context};"
            " shorten it, or choose a model with a longer context",
            status=400,
        )
    most = min(asked, context - length)
    if length + most > engine.longest:
        raise BackendError(
            f"{name}: {length} tokens of prompt and {most} of reply are more than the {engine.longest} that the memory"
            " for keys and values holds; lower max_tokens, or raise kv_gb",
            status=400,
        )
    return most


def _draw(request: ChatRequest, settings: HfSettings, index: int) -> Draw:
    return Draw(
        temperature=request.params.temperature,
        top_p=request.params.top_p,
        top_k=settings.top_k,
        min_p=settings.min_p,
        logprobs=request.logprobs,
        uniform=random.Random(request.sample_seed(index)),
    )


def completion(loaded: Loaded, request: ChatRequest, sample: Sample) -> Completion:
    """What a sample that has ended says. Tokens are counted as they were drawn, the one that ends the turn included."""
    assert sample.ended is not None
    text, calls = (sample.text.text, ()) if not request.tools else tool_calls(sample.text.text, request.tools)
    return Completion(
        text=text,
        reasoning=sample.text.reasoning,
        finish_reason="tool_calls" if calls else sample.ended,
        tool_calls=calls,
        usage=Usage(
            calls=1,
            prompt_tokens=sample.prompt_length if sample.index == 0 else 0,
            completion_tokens=sample.drawn,
        ),
        logprobs=_logprobs(loaded, sample),
    )


def _logprobs(loaded: Loaded, sample: Sample) -> tuple[TokenLogprob, ...]:
    def word(token: int) -> str:
        return str(loaded.tokenizer.decode([token]))

    return tuple(
        TokenLogprob(
            token=word(chosen.token),
            logprob=min(0.0, chosen.logprob or 0.0),
            top=tuple((word(token), logprob) for token, logprob in chosen.top),
        )
        for chosen in sample.chosen
    )
