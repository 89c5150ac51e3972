"""The OpenAI chat wire format: our requests as its keyword arguments, its replies and errors as ours. Pure."""

from __future__ import annotations

from typing import Any, Literal

from mathagent.errors import BackendError, UsageError
from mathagent.models.base import ChatRequest
from mathagent.types import Completion, Message, TokenLogprob, ToolCall, Usage

_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


def request_arguments(request: ChatRequest, model: str, *, tokens_field: str) -> dict[str, Any]:
    """Keyword arguments for ``chat.completions.create``; every sampling parameter is explicit."""
    params = request.params
    arguments: dict[str, Any] = {
        "model": model,
        "messages": [message_dict(message) for message in request.messages],
        "temperature": params.temperature,
        "top_p": params.top_p,
        "n": params.n,
        tokens_field: params.max_tokens,
    }
    if params.stop:
        arguments["stop"] = list(params.stop)
    if params.seed is not None:
        arguments["seed"] = request.sample_seed()
    if request.logprobs is not None:
        arguments["logprobs"] = True
        if request.logprobs:
            arguments["top_logprobs"] = request.logprobs
    if request.json_schema is not None:
        schema = {"name": "reply", "schema": request.json_schema, "strict": True}
        arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.tools:
        arguments["tools"] = [{"type": "function", "function": tool.model_dump()} for tool in request.tools]
    return arguments


def message_dict(message: Message) -> dict[str, Any]:
    """One chat turn as the wire wants it."""
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return wire


def completions_from_reply(reply: Any, backend: str) -> list[Completion]:
    """The samples of one reply, in order. Raises BackendError where it is not a chat completion."""
    choices = getattr(reply, "choices", None)
    if not choices or any(getattr(choice, "message", None) is None for choice in choices):
        raise BackendError(f"{backend}: the server's reply holds no choices; is this a chat endpoint?")
    tokens = getattr(reply, "usage", None)
    prompt = getattr(tokens, "prompt_tokens", None) or 0
    texts = [choice.message.content or "" for choice in choices]
    shares = completion_tokens(getattr(tokens, "completion_tokens", None), texts)
    return [
        Completion(
            text=text,
            finish_reason=_finish_reason(choice.finish_reason),
            tool_calls=tuple(
                ToolCall(id=call.id or "", name=call.function.name, arguments=call.function.arguments or "")
                for call in choice.message.tool_calls or ()
                if getattr(call, "function", None) is not None
            ),
            usage=Usage(calls=1, prompt_tokens=prompt if index == 0 else 0, completion_tokens=shares[index]),
            logprobs=_logprobs(getattr(choice, "logprobs", None)),
        )
        for index, (choice, text) in enumerate(zip(choices, texts, strict=True))
    ]


def completion_tokens(total: int | None, texts: list[str]) -> list[int]:
    """Splits the reply's token count over its samples by length; estimates 4 characters a token without one.

    The wire has one count for all samples of a request. The shares always add up to ``total``.
    """
    if total is None:
        return [-(-len(text) // 4) for text in texts]
    weights = [len(text) + 1 for text in texts]
    shares = [total * weight // sum(weights) for weight in weights]
    shares[0] += total - sum(shares)
    return shares


def _finish_reason(reason: str | None) -> Literal["stop", "length", "tool_calls", "content_filter"]:
    if reason in ("length", "tool_calls", "content_filter"):
        return reason  # type: ignore[return-value]
    return "stop"


def _logprobs(logprobs: Any) -> tuple[TokenLogprob, ...]:
    content = getattr(logprobs, "content", None) or ()
    return tuple(
        TokenLogprob(
            token=entry.token,
            logprob=entry.logprob,
            top=tuple((other.token, other.logprob) for other in entry.top_logprobs or ()),
        )
        for entry in content
    )


def status_error(
    status: int, message: str, *, backend: str, base_url: str, retry_after: str | None
) -> BackendError | UsageError:
    """The one-line error for an HTTP status, with what to do about it."""
    detail = " ".join(message.split())[:300]
    where = f"{backend} at {base_url}"
    if status in (401, 403):
        advice = "check OPENAI_API_KEY (or the endpoint's own key)"
        return BackendError(f"{where} refused the key (HTTP {status}): {detail}; {advice}", status=status)
    if status == 404:
        advice = "check the model's name and that the URL ends in /v1"
        return BackendError(f"{where} knows no such model or path (HTTP 404): {detail}; {advice}", status=status)
    if status in _RETRYABLE:
        seconds = _retry_after_seconds(retry_after)
        what = "is asking us to slow down" if status == 429 else "failed"
        return BackendError(
            f"{where} {what} (HTTP {status}): {detail}; try again later",
            retryable=True,
            status=status,
            retry_after_s=seconds,
        )
    return BackendError(f"{where} refused the request (HTTP {status}): {detail}", status=status)


def _retry_after_seconds(header: str | None) -> float | None:
    """Seconds of a Retry-After header (seconds or an HTTP date); None where there is none or it is unreadable."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
