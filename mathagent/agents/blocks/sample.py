"""Block sample: draw n replies to one prompt; what fails becomes data, what arrived is kept."""

from __future__ import annotations

import asyncio

from pydantic import JsonValue

from mathagent.agents.context import RunContext
from mathagent.agents.state import Draft
from mathagent.errors import BackendError, LimitReached
from mathagent.events import BudgetReached, ModelReplied, TokenDelta
from mathagent.models.base import ChatRequest, ToolSpec
from mathagent.types import Completion, Failure, Message, SamplingParams, Value


class ReplyForm(Value):
    """What a reply is held to: a tool to call, a JSON schema, a grammar, or (all unset) nothing: free text.

    ``typed``: whatever holds it, a value will be read from it (its events say so). ``logprobs``: see ChatRequest.
    """

    tools: tuple[ToolSpec, ...] = ()
    json_schema: dict[str, JsonValue] | None = None
    grammar: str | None = None
    typed: bool = False
    logprobs: int | None = None


FREE_TEXT = ReplyForm()


async def draw(
    context: RunContext,
    messages: tuple[Message, ...],
    params: SamplingParams,
    *,
    role: str,
    first_sample: int = 0,
    continue_assistant: bool = False,
    form: ReplyForm = FREE_TEXT,
) -> tuple[tuple[Draft, ...], str | None]:
    """Draws ``params.n`` samples, numbered from ``first_sample``; returns drafts and the limit that ended it.

    One request where the backend draws n samples itself, else n requests at once; near the end of a budget fewer
    at once, so that those few are whole. A sample whose request failed is a draft with a failure; samples that
    the budget did not allow are not among the drafts. Raises BackendError where not a single sample of a request
    could be had, for any reason but the budget.
    """
    drafts: tuple[Draft, ...] = ()
    limit: str | None = None
    while len(drafts) < params.n and limit is None:
        at_once = context.meter.affordable(params.n - len(drafts), params.max_tokens)
        some = params.model_copy(update={"n": at_once, "seed": context.seed})
        more, limit = await _draw_at_once(
            context, messages, some, role, first_sample + len(drafts), continue_assistant, form
        )
        drafts += more
    return drafts, limit


async def draw_one(
    context: RunContext,
    messages: tuple[Message, ...],
    params: SamplingParams,
    *,
    role: str,
    sample: int = 0,
    continue_assistant: bool = False,
) -> tuple[Draft, str | None]:
    """One sample, whatever becomes of it, and the limit that ended it: for views that others stand beside.

    A failed request, and a budget that has ended, is a draft with a failure.
    """
    one = params.model_copy(update={"n": 1})
    limit: str | None = None
    try:
        drafts, limit = await draw(
            context, messages, one, role=role, first_sample=sample, continue_assistant=continue_assistant
        )
        if drafts:
            return drafts[0], limit
        failure = Failure(kind="no-answer", message=limit or "nothing was drawn")
    except BackendError as error:
        failure = Failure(kind="model-error", message=str(error))
    return Draft(sample=sample, messages=messages, failure=failure), limit


async def _draw_at_once(
    context: RunContext,
    messages: tuple[Message, ...],
    params: SamplingParams,
    role: str,
    first_sample: int,
    continue_assistant: bool,
    form: ReplyForm,
) -> tuple[tuple[Draft, ...], str | None]:
    several = context.can(role).n
    batches = [(first_sample, params.n)] if several else [(first_sample + i, 1) for i in range(params.n)]

    async def request(start: int, count: int) -> list[Completion]:
        def on_delta(index: int, text: str) -> None:
            context.emit(TokenDelta(role=role, sample=start + index, text=text, typed=form.typed))

        streams = context.stream_tokens and context.can(role).streaming
        done = await context.backend.complete(
            ChatRequest(
                messages=messages,
                params=params.model_copy(update={"n": count}),
                role=role,
                first_sample=start,
                continue_assistant=continue_assistant,
                tools=form.tools,
                json_schema=form.json_schema,
                grammar=form.grammar,
                logprobs=form.logprobs,
            ),
            on_delta if streams else None,
        )
        for index, completion in enumerate(done):
            context.emit(
                ModelReplied(
                    role=role,
                    sample=start + index,
                    text=completion.text,
                    usage=completion.usage,
                    cached=completion.cached,
                    typed=form.typed,
                )
            )
        return done

    results = await asyncio.gather(*(request(*batch) for batch in batches), return_exceptions=True)
    return _collect(context, messages, batches, results)


def _collect(
    context: RunContext,
    messages: tuple[Message, ...],
    batches: list[tuple[int, int]],
    results: list[list[Completion] | BaseException],
) -> tuple[tuple[Draft, ...], str | None]:
    drafts: list[Draft] = []
    limit: LimitReached | None = None
    failed: BackendError | None = None
    for (start, count), result in zip(batches, results, strict=True):
        if isinstance(result, LimitReached):
            limit = result
        elif isinstance(result, BackendError):
            failed = result
            failure = Failure(kind="model-error", message=str(result))
            drafts += [Draft(sample=start + i, messages=messages, failure=failure) for i in range(count)]
        elif isinstance(result, BaseException):
            raise result
        else:
            drafts += [
                Draft(sample=start + index, messages=messages, completion=completion)
                for index, completion in enumerate(result)
            ]
    if failed is not None and all(draft.failure is not None for draft in drafts):
        raise failed
    if limit is not None:
        context.emit(BudgetReached(limit=limit.limit, message=str(limit)))
    return tuple(drafts), None if limit is None else str(limit)
