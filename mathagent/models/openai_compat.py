"""Any OpenAI-compatible chat endpoint: what is asked of it, what it refuses, and what its replies are."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from mathagent.config import settings
from mathagent.errors import BackendError, UsageError
from mathagent.models.base import (
    Capabilities,
    ChatRequest,
    ConnectOptions,
    OnDelta,
    PartialReply,
    on_sample,
    require_capabilities,
)
from mathagent.models.endpoint_url import check_url, is_openai, without_password
from mathagent.models.openai_errors import connection_error, not_json, status_error
from mathagent.models.openai_reply import StreamedReply, completions_from_reply, error_message
from mathagent.models.openai_session import OpenAISession
from mathagent.models.openai_wire import request_arguments
from mathagent.types import Completion

OPENAI_URL = "https://api.openai.com/v1"
READ_TIMEOUT_S = 1800.0  # a small CPU may need minutes for one reply; budgets bound the rest
CONNECT_TIMEOUT_S = 10.0

# Samplers that local servers switch on by default or take from the model's files (vLLM reads a repetition penalty
# of 1.05 from Qwen2.5's), spelled out as "off". OpenAI itself does not know the first three.
NEUTRAL_SAMPLERS: Mapping[str, Any] = {
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}

CHAT_CAPABILITIES = Capabilities(
    n=True, logprobs=True, seed=True, json_schema=True, tool_calls=True, streaming=True
)

_NAMES_A_FIELD = re.compile(
    r"top_k|min_p|repetition_penalty|presence_penalty|frequency_penalty|stream_options|include_usage"
    r"|extra|unknown|unrecogni|unexpected|additional",
    re.IGNORECASE,
)
_NAMES_N = re.compile(r"\bn\b|choices?\b", re.IGNORECASE)


def connect(name: str, options: ConnectOptions) -> OpenAICompatible:
    """Opens ``openai:NAME``. Raises UsageError where the model's name, the URL or the key cannot be right."""
    if not name:
        raise UsageError("openai: needs a model name, for example --model openai:gpt-4o-mini")
    base_url = (options.base_url or settings().openai_base_url or OPENAI_URL).strip()
    check_url(base_url)
    secret = options.api_key or settings().openai_api_key
    key = "" if secret is None else secret.get_secret_value().strip()
    if not key and is_openai(base_url):
        raise UsageError("no OPENAI_API_KEY is set; set it, or give --base-url for another endpoint")
    if not (key.isascii() and key.isprintable()):
        raise UsageError("OPENAI_API_KEY holds characters that no key has; copy it again")
    return OpenAICompatible(
        f"openai:{name}",
        model=name,
        base_url=base_url,
        api_key=key or "none",
        extra_body={} if is_openai(base_url) else NEUTRAL_SAMPLERS,
    )


@dataclass(frozen=True)
class _Connection:
    """An open session, which works in one event loop only. ``singles`` bounds the requests sent one by one."""

    session: OpenAISession
    loop: asyncio.AbstractEventLoop
    singles: asyncio.Semaphore


class OpenAICompatible:
    """A Backend over ``/chat/completions``.

    Where the server ignores or refuses ``n``, the missing samples are requested one by one, and ``capabilities.n``
    is off from then on. Where it refuses ``extra_body`` (explicit neutral samplers) or usage in a stream, they
    are left out from then on: such a server has none. It never retries by itself; the wrapper Retrying does.

    One object serves one event loop at a time: after that loop has been closed, the next may use it.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str,
        base_url: str,
        api_key: str,
        extra_body: Mapping[str, Any],
        capabilities: Capabilities = CHAT_CAPABILITIES,
        max_parallel: int = 16,
        identity: str | None = None,
        default_seed: int | None = None,
    ) -> None:
        self._shown_url = without_password(base_url)
        self.name = name
        self.identity = identity or f"{name}@{self._shown_url}"
        self.default_seed = default_seed
        self.capabilities = capabilities
        self.max_parallel = max_parallel
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._extra_body = dict(extra_body)
        self._takes_extra = True
        self._reached = False
        self._tokens_field = "max_completion_tokens" if is_openai(base_url) else "max_tokens"
        self._connection: _Connection | None = None

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. Raises BackendError (PartialReply where some samples arrived), UsageError."""
        require_capabilities(self, request)
        wanted = request.params.n
        if wanted > 1 and not self.capabilities.n:
            return await self._one_by_one(request, {}, on_delta)
        try:
            done = await self._request(request, on_delta)
        except BackendError as error:
            if wanted == 1 or not _may_refuse_n(error):
                raise
            # Servers refuse n in many words: one single request tells whether it was n.
            done = [await self._single(request, 0, on_delta)]
        if len(done) < wanted:
            self.capabilities = self.capabilities.model_copy(update={"n": False})
            return await self._one_by_one(request, dict(enumerate(done)), on_delta)
        return done

    async def _one_by_one(
        self, request: ChatRequest, arrived: dict[int, Completion], on_delta: OnDelta | None
    ) -> list[Completion]:
        missing = [index for index in range(request.params.n) if index not in arrived]
        singles = (await self._open()).singles
        told = on_sample.get()
        if told is not None:
            for index, completion in arrived.items():
                told(index, completion)

        async def one(index: int) -> None:
            async with singles:
                arrived[index] = await self._single(request, index, on_delta)
            if told is not None:
                told(index, arrived[index])

        results = await asyncio.gather(*(one(index) for index in missing), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if not failures:
            return [arrived[index] for index in range(request.params.n)]
        if arrived and isinstance(failures[0], BackendError):
            raise PartialReply(failures[0], arrived) from failures[0]
        raise failures[0]

    async def _single(self, request: ChatRequest, index: int, on_delta: OnDelta | None) -> Completion:
        listener = None if on_delta is None else lambda _, text: on_delta(index, text)
        return (await self._request(request.samples(index, 1), listener))[0]

    async def _request(self, request: ChatRequest, on_delta: OnDelta | None) -> list[Completion]:
        try:
            return await self._send(request, on_delta, extra=self._takes_extra)
        except BackendError as error:
            if error.status not in (400, 422) or not _NAMES_A_FIELD.search(str(error)):
                raise
        done = await self._send(request, on_delta, extra=False)
        self._takes_extra = False  # only now is it known that the extra fields were what was refused
        return done

    async def _send(self, request: ChatRequest, on_delta: OnDelta | None, *, extra: bool) -> list[Completion]:
        body = request_arguments(request, self._model, tokens_field=self._tokens_field)
        if extra:
            body |= self._extra_body
        try:
            if on_delta is None:
                done = await self._whole(body)
            else:
                done = await self._stream(body, on_delta, with_usage=extra)
        except json.JSONDecodeError as error:
            raise not_json(self.name, self._shown_url, error.doc) from error
        except UnicodeDecodeError as error:
            raise not_json(self.name, self._shown_url, "") from error
        except UnicodeEncodeError as error:
            raise UsageError(
                "the prompt holds half a character (a lone surrogate); give valid Unicode text"
            ) from error
        self._reached = True
        return done

    async def _whole(self, body: dict[str, Any]) -> list[Completion]:
        import aiohttp

        session = (await self._open()).session
        try:
            response = await session.post(body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._connection_error(error) from error
        if not response.is_success:
            raise self._status_error(response.status, response.error_body(), response.headers)
        reply = response.json()
        if isinstance(reply, dict) and reply.get("error") and not reply.get("choices"):
            raise self._stated_error(reply["error"])
        return completions_from_reply(reply, self.name, body["n"])

    async def _stream(self, body: dict[str, Any], on_delta: OnDelta, *, with_usage: bool) -> list[Completion]:
        import openai

        options = {"stream_options": {"include_usage": True}} if with_usage else {}
        reply, session = StreamedReply(self.name), (await self._open()).session
        try:
            async with aclosing(session.stream(body | {"stream": True} | options)) as chunks:
                async for chunk in chunks:
                    for index, text in reply.add(chunk):
                        on_delta(index, text)
        except openai.APIStatusError as error:
            raise self._status_error(error.status_code, error.body, error.response.headers) from error
        except openai.APIConnectionError as error:
            raise self._connection_error(error) from error
        except openai.APIError as error:  # an error event inside a stream
            raise self._stated_error(error.body) from error
        if not reply.finished:
            message = (
                f"{self.name} at {self._shown_url}: the reply broke off before its end; trying again may help"
            )
            raise BackendError(message, retryable=True)
        return reply.completions(body["n"])

    def _connection_error(self, error: BaseException) -> BackendError:
        return connection_error(error, backend=self.name, base_url=self._shown_url, reached=self._reached)

    def _status_error(self, status: int, body: object, headers: Mapping[str, str]) -> BackendError:
        self._reached = True
        message = error_message(body)
        if isinstance(body, Mapping) and body.get("code") == "insufficient_quota":
            message += " (insufficient_quota)"
        return status_error(
            status,
            message,
            backend=self.name,
            base_url=self._shown_url,
            retry_after=headers.get("retry-after"),
        )

    def _stated_error(self, body: object) -> BackendError:
        """The error for a failure that the server reports with HTTP status 200."""
        code = body.get("code") if isinstance(body, Mapping) else None
        message = error_message(body)
        if isinstance(code, int) and 400 <= code < 600:
            return status_error(code, message, backend=self.name, base_url=self._shown_url)
        return BackendError(f"{self.name} at {self._shown_url} reports: {message}; check the model and the URL")

    async def _open(self) -> _Connection:
        loop = asyncio.get_running_loop()
        if self._connection is not None and self._connection.loop is not loop:
            if not self._connection.loop.is_closed():
                raise UsageError(f"{self.name} is open in another event loop; open one backend for each loop")
            await self.aclose()
        if self._connection is None:
            self._connection = _Connection(self._new_session(), loop, asyncio.Semaphore(self.max_parallel))
        return self._connection

    def _new_session(self) -> OpenAISession:
        return OpenAISession(
            self._base_url,
            self._api_key,
            read_timeout_s=READ_TIMEOUT_S,
            connect_timeout_s=CONNECT_TIMEOUT_S,
        )

    async def aclose(self) -> None:
        """Closes the connections; safe to call twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.session.close()


def _may_refuse_n(error: BackendError) -> bool:
    """Whether the server may have refused n: a client error may always mean it, a server error must name it."""
    if error.status in (400, 422):
        return True
    return error.status in (500, 501) and bool(_NAMES_N.search(str(error).partition("(HTTP")[2]))
