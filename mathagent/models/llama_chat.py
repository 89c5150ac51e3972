"""Chat requests to llama.cpp's own server, streamed, with the exact token count of every sample.

Beside the common wire format it knows: a whole reply has the token count of its first sample only, a stream has one
for each; the counts of prompt tokens that were cached; and what the server assumes where nothing is said.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from mathagent.errors import BackendError, UsageError
from mathagent.models.base import ChatRequest, OnDelta, PromptTooLong
from mathagent.models.openai_reply import StreamedReply, error_message, with_alternatives
from mathagent.models.openai_wire import request_arguments
from mathagent.models.regex_grammar import regex_grammar
from mathagent.types import Completion, Usage

NEUTRAL_SAMPLERS: Mapping[str, Any] = {
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "top_n_sigma": -1.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "xtc_probability": 0.0,
    "dynatemp_range": 0.0,
    "mirostat": 0,
}
"""Every sampler of llama.cpp but temperature and top_p, off; its defaults are top_k 40, min_p 0.05 and others."""


def chat_body(request: ChatRequest, model: str) -> dict[str, Any]:
    """The JSON body for ``request``. Raises UsageError where the messages do not fit ``continue_assistant``, and for a
    regular expression that no grammar can say."""
    last = request.messages[-1].role if request.messages else None
    if request.continue_assistant != (last == "assistant"):
        raise UsageError(
            "the last message must be an assistant turn where continue_assistant is set, and only there:"
            f" it is {last or 'missing'}"
        )
    body = request_arguments(request, model, tokens_field="max_tokens")
    if request.logprobs is not None:
        body["top_logprobs"] = max(1, request.logprobs)  # 0 would switch the log-probs off
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    if request.grammar is not None:
        body["grammar"] = request.grammar
    if request.regex is not None:
        body["grammar"] = regex_grammar(request.regex)
    return {**body, **NEUTRAL_SAMPLERS, **stream, "cache_prompt": True}


async def stream_chat(
    client: httpx.AsyncClient,
    request: ChatRequest,
    *,
    backend: str,
    model: str,
    on_delta: OnDelta | None,
    on_finished: Callable[[int, Completion], None],
    count_prompt: bool = True,
    fields: Mapping[str, Any] | None = None,
) -> list[Completion]:
    """Exactly ``request.params.n`` completions. ``on_finished`` gets each sample (index, completion) once it is
    complete. ``count_prompt`` says whether the usage of the first sample has the prompt's tokens. ``fields`` are sent
    beside: what llama.cpp takes and the wire format has no words for.

    Raises BackendError for what the server refuses, UsageError for messages that cannot be sent, and
    httpx.TransportError where the connection breaks.
    """
    reply, counts, latest = StreamedReply(backend), dict[int, Usage](), 0
    body = {**chat_body(request, model), **(fields or {})}
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        if response.status_code != 200:
            raise refusal(response.status_code, await response.aread(), backend)
        async for line in response.aiter_lines():
            if not line.startswith("data: ") or line == "data: [DONE]":
                continue
            chunk = json.loads(line[6:])
            if "error" in chunk:
                raise BackendError(f"{backend}: the model failed: {error_message(chunk)}", retryable=True)
            for index, text in reply.add(chunk):
                if on_delta is not None:
                    on_delta(index, text)
            for choice in chunk["choices"]:
                if choice.get("finish_reason"):
                    latest = choice["index"]
            if chunk.get("usage"):  # follows the end of its sample
                counts[latest] = _usage(chunk["usage"], with_prompt=count_prompt and latest == 0)
                on_finished(latest, _finished(reply.completion(latest), counts[latest], request.logprobs))
    if not reply.finished or len(counts) != request.params.n:
        raise BackendError(f"{backend}: the reply broke off before its end", retryable=True)
    return [
        _finished(reply.completion(index), counts[index], request.logprobs) for index in range(request.params.n)
    ]


def _usage(tokens: Mapping[str, Any], *, with_prompt: bool) -> Usage:
    return Usage(
        calls=1,
        prompt_tokens=tokens["prompt_tokens"] if with_prompt else 0,
        completion_tokens=tokens["completion_tokens"],
    )


def _finished(completion: Completion, usage: Usage, wanted: int | None) -> Completion:
    """``completion`` with its own count, and no more alternatives a token than were asked for."""
    return with_alternatives(completion, wanted).model_copy(update={"usage": usage})


def refusal(status: int, content: bytes, backend: str) -> BackendError:
    """The error for what the server refused, in one line."""
    try:
        body = json.loads(content)
        error = body["error"]
        if error.get("type") == "exceed_context_size_error":
            return PromptTooLong(
                f"{backend}: the prompt is {error['n_prompt_tokens']} tokens long and the limit is {error['n_ctx']};"
                " shorten it, or choose a model with a longer context",
                status=status,
            )
    except (ValueError, LookupError, TypeError, AttributeError):
        body = content.decode("utf-8", "replace")
    busy = status in (429, 500, 503)
    return BackendError(
        f"{backend} refused the request (HTTP {status}): {error_message(body)}", retryable=busy, status=status
    )
