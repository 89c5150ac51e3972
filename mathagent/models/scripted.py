"""The scripted model: deterministic replies that assert who asks what, in which order. For tests and docs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError

from mathagent.errors import BackendError, MathagentError, UsageError
from mathagent.models.base import (
    Capabilities,
    ChatRequest,
    ConnectOptions,
    OnDelta,
    on_sample,
    require_capabilities,
)
from mathagent.types import Completion, TokenLogprob, ToolCall, Usage, Value


class ScriptMismatch(MathagentError):
    """The strategy asked something else than its script expects: role, content, or one call too many."""


class Reply(Value):
    """One sample of the script.

    ``role``: the tag that the asking role must have (None: any). ``contains``/``lacks``: texts that must (not)
    stand in the messages. ``logprobs`` are given where the request wants log-probs. ``error``: raise a BackendError
    with this text instead of replying, ``status`` its HTTP status.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    role: str | None = None
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] = "stop"
    completion_tokens: int | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    delay_s: float = Field(default=0.0, ge=0)
    error: str | None = None
    status: int | None = None


Responder = Callable[[ChatRequest, int], "str | Reply"]


class ScriptedBackend:
    """Answers from a list of replies, one a sample, in order; or from a function of (request, sample index).

    ``requests`` keeps every request for assertions. Tokens are counted as words. All capabilities are on
    unless others are given, so that one script can play every kind of server.
    """

    def __init__(
        self,
        replies: Iterable[Reply | str] | Responder,
        *,
        name: str = "script:test",
        capabilities: Capabilities | None = None,
        max_parallel: int = 16,
    ) -> None:
        self.name = self.identity = name
        self.default_seed: int | None = None
        self.capabilities = capabilities or Capabilities(
            **dict.fromkeys(Capabilities.model_fields, True),
        )
        self.max_parallel = max_parallel
        self.requests: list[ChatRequest] = []
        self._respond = replies if callable(replies) else None
        self._replies: Sequence[Reply] = (
            () if callable(replies) else [Reply(text=item) if isinstance(item, str) else item for item in replies]
        )
        self._next = 0

    @property
    def roles(self) -> list[str]:
        """The role tags of all requests so far, in order."""
        return [request.role for request in self.requests]

    def assert_finished(self) -> None:
        """Raises ScriptMismatch where replies are left over."""
        if self._next < len(self._replies):
            left = len(self._replies) - self._next
            raise ScriptMismatch(f"{left} scripted replies were never asked for; calls so far: {self.roles}")

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. Raises ScriptMismatch where the request is not the expected one."""
        require_capabilities(self, request)
        self.requests.append(request)
        taken = [self._take(request, index) for index in range(request.params.n)]
        done: list[Completion] = []
        told = on_sample.get()
        for index, reply in enumerate(taken):
            if reply.delay_s:
                await asyncio.sleep(reply.delay_s)
            if reply.error is not None:
                raise BackendError(reply.error, status=reply.status)
            if on_delta is not None:
                on_delta(index, reply.text)
            done.append(_completion(request, reply, first=index == 0))
            if told is not None:
                told(index, done[-1])
        return done

    async def aclose(self) -> None:
        """Nothing to release."""

    def _take(self, request: ChatRequest, index: int) -> Reply:
        if self._respond is not None:
            said = self._respond(request, request.first_sample + index)
            return said if isinstance(said, Reply) else Reply(text=said)
        if self._next >= len(self._replies):
            raise ScriptMismatch(f"the script has no reply left for role '{request.role}' (call {self._next + 1})")
        reply = self._replies[self._next]
        self._next += 1
        prompt = "\n".join(message.content for message in request.messages)
        if reply.role is not None and reply.role != request.role:
            raise ScriptMismatch(f"call {self._next} came from role '{request.role}', expected '{reply.role}'")
        for text in reply.contains:
            if text not in prompt:
                raise ScriptMismatch(f"call {self._next} ({request.role}) lacks {text!r} in its prompt {prompt!r}")
        for text in reply.lacks:
            if text in prompt:
                raise ScriptMismatch(f"call {self._next} ({request.role}) holds {text!r} in its prompt {prompt!r}")
        return reply


def _completion(request: ChatRequest, reply: Reply, *, first: bool) -> Completion:
    prompt = sum(len(message.content.split()) for message in request.messages) if first else 0
    made = len(reply.text.split()) if reply.completion_tokens is None else reply.completion_tokens
    usage = Usage(calls=1, prompt_tokens=prompt, completion_tokens=made)
    return Completion(
        text=reply.text,
        tool_calls=reply.tool_calls,
        finish_reason=reply.finish_reason,
        usage=usage,
        logprobs=() if request.logprobs is None else reply.logprobs,
    )


def connect(name: str, options: ConnectOptions) -> ScriptedBackend:
    """Opens ``script:FILE``: a JSON list of replies (texts, or objects with Reply's fields).

    Raises UsageError where the file is missing or is not such a list.
    """
    if options.base_url is not None:
        raise UsageError("script: takes no --base-url")
    path = Path(name)
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
        replies = TypeAdapter(list[str | Reply]).validate_python(parsed)
    except OSError as error:
        raise UsageError(f"script: cannot read '{name}': {error.strerror}; give a JSON file of replies") from error
    except ValidationError as error:
        last = error.errors()[-1]
        place = ".".join(str(part) for part in last["loc"])
        raise UsageError(
            f"script: '{name}' is not a JSON list of replies: {place or 'the whole'}: {last['msg']}"
        ) from error
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"script: '{name}' is not a JSON list of replies: {reason}") from error
    return ScriptedBackend(replies, name=f"script:{name}")
