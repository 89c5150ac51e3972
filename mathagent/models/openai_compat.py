"""Any OpenAI-compatible chat endpoint, through the openai client on its aiohttp transport.

(With 64 requests at once a bare httpx pool cost ten times the CPU time of aiohttp: docs/architecture.md.)
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mathagent.config import settings
from mathagent.errors import BackendError, UsageError
from mathagent.models.base import Capabilities, ChatRequest, ConnectOptions, OnDelta, require_capabilities
from mathagent.models.openai_wire import completions_from_reply, request_arguments, status_error
from mathagent.types import Completion

OPENAI_URL = "https://api.openai.com/v1"
READ_TIMEOUT_S = 1800.0  # a small CPU may need minutes for one reply; budgets bound the rest
CONNECT_TIMEOUT_S = 10.0

# Samplers that local servers switch on by default, spelled out as "off". OpenAI itself knows neither.
NEUTRAL_SAMPLERS: Mapping[str, Any] = {"top_k": -1, "min_p": 0.0}

CHAT_CAPABILITIES = Capabilities(
    n=True, logprobs=True, seed=True, json_schema=True, tool_calls=True, streaming=True
)


def connect(name: str, options: ConnectOptions) -> OpenAICompatible:
    """Opens ``openai:NAME``. Raises UsageError where the model's name or OpenAI's own key is missing."""
    if not name:
        raise UsageError("openai: needs a model name, for example --model openai:gpt-4o-mini")
    base_url = options.base_url or settings().openai_base_url or OPENAI_URL
    if urlsplit(base_url).scheme not in ("http", "https"):
        raise UsageError(f"'{base_url}' is not an http(s) URL; give for example http://127.0.0.1:8000/v1")
    key = options.api_key or settings().openai_api_key
    if key is None and is_openai(base_url):
        raise UsageError("no OPENAI_API_KEY is set; set it, or give --base-url for another endpoint")
    return OpenAICompatible(
        f"openai:{name}",
        model=name,
        base_url=base_url,
        api_key=key.get_secret_value() if key else "none",
        extra_body={} if is_openai(base_url) else NEUTRAL_SAMPLERS,
    )


def is_openai(base_url: str) -> bool:
    """Whether the URL is OpenAI's own service (or Azure's), which refuses unknown fields."""
    host = urlsplit(base_url).hostname or ""
    return host.endswith((".openai.com", ".openai.azure.com"))


class OpenAICompatible:
    """A Backend over ``/chat/completions``.

    Where the server ignores or refuses ``n``, the missing samples are requested one by one. Where it refuses
    ``extra_body`` (explicit neutral samplers), they are left out from then on: such a server has none.
    It never retries by itself; the wrapper Retrying does.
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
        self.name = name
        self.identity = identity or f"{name}@{base_url.rstrip('/')}"
        self.default_seed = default_seed
        self.capabilities = capabilities
        self.max_parallel = max_parallel
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._extra_body = dict(extra_body)
        self._takes_n = capabilities.n
        self._tokens_field = "max_completion_tokens" if is_openai(base_url) else "max_tokens"
        self._client: Any = None

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. Raises BackendError, UsageError."""
        require_capabilities(self, request)
        wanted = request.params.n
        if wanted == 1:
            return (await self._request(request, on_delta))[:1]
        done: list[Completion] = []
        if self._takes_n:
            try:
                done = (await self._request(request, on_delta))[:wanted]
            except BackendError as error:
                # Servers refuse n with many statuses and wordings: the single request tells whether n was it.
                if error.status not in (400, 422, 500, 501):
                    raise
        if len(done) < wanted:
            done += await self._one_by_one(request, len(done), on_delta)
            self._takes_n = False
        return done

    async def _one_by_one(self, request: ChatRequest, start: int, on_delta: OnDelta | None) -> list[Completion]:
        async def one(index: int) -> Completion:
            single = request.model_copy(
                update={
                    "params": request.params.model_copy(update={"n": 1}),
                    "first_sample": request.first_sample + index,
                }
            )
            listener = None if on_delta is None else lambda _, text: on_delta(index, text)
            return (await self._request(single, listener))[0]

        tasks = [asyncio.ensure_future(one(index)) for index in range(start, request.params.n)]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _request(self, request: ChatRequest, on_delta: OnDelta | None) -> list[Completion]:
        try:
            return await self._send(request, on_delta)
        except BackendError as error:
            refused = error.status in (400, 422) and re.search(r"top_k|min_p|extra|unknown|unrecogni", str(error))
            if not (refused and self._extra_body):
                raise
        self._extra_body = {}
        return await self._send(request, on_delta)

    async def _send(self, request: ChatRequest, on_delta: OnDelta | None) -> list[Completion]:
        import openai

        arguments = request_arguments(request, self._model, tokens_field=self._tokens_field)
        arguments["extra_body"] = self._extra_body
        try:
            if on_delta is None:
                return self._checked(await self._open().chat.completions.create(**arguments))
            return await self._stream(arguments, on_delta)
        except openai.APIStatusError as error:
            raise status_error(
                error.status_code,
                str(error.message),
                backend=self.name,
                base_url=self._base_url,
                retry_after=error.response.headers.get("retry-after"),
            ) from error
        except openai.APITimeoutError as error:
            raise BackendError(
                f"{self.name} at {self._base_url} did not answer in time; is the server busy?", retryable=True
            ) from error
        except openai.APIConnectionError as error:
            cause = " ".join(str(error.__cause__ or error).split())[:200]
            raise BackendError(
                f"{self.name}: cannot reach {self._base_url} ({cause}); is the server running? check --base-url",
                retryable=True,
            ) from error
        except (json.JSONDecodeError, openai.APIResponseValidationError, UnicodeDecodeError) as error:
            raise self._nonsense() from error
        except openai.APIError as error:  # an error event inside a stream has no status
            message = " ".join(str(error).split())[:300]
            raise BackendError(f"{self.name}: the reply broke off: {message}", retryable=True) from error

    async def _stream(self, arguments: dict[str, Any], on_delta: OnDelta) -> list[Completion]:
        import httpx2
        from openai.lib.streaming.chat import ChatCompletionStreamState

        state: Any = ChatCompletionStreamState()
        finished: set[int] = set()
        try:
            stream = await self._open().chat.completions.create(
                **arguments, stream=True, stream_options={"include_usage": True}
            )
            async with stream:
                async for chunk in stream:
                    state.handle_chunk(chunk)
                    for choice in chunk.choices:
                        if choice.delta and choice.delta.content:
                            on_delta(choice.index, choice.delta.content)
                        if choice.finish_reason:
                            finished.add(choice.index)
        except httpx2.HTTPError as error:
            raise BackendError(
                f"{self.name}: the reply broke off ({error}); trying again may help", retryable=True
            ) from error
        if not finished:
            raise BackendError(f"{self.name}: the reply broke off before its end", retryable=True)
        return self._checked(state.current_completion_snapshot)

    def _checked(self, reply: Any) -> list[Completion]:
        if not hasattr(reply, "choices"):
            raise self._nonsense()
        return completions_from_reply(reply, self.name)

    def _nonsense(self) -> BackendError:
        return BackendError(
            f"{self.name}: {self._base_url} did not answer with valid JSON; is it an OpenAI-compatible endpoint?",
            retryable=True,
        )

    def _open(self) -> Any:
        if self._client is None:
            import openai

            self._client = openai.AsyncOpenAI(
                api_key=self._api_key,
                base_url=self._base_url,
                max_retries=0,
                timeout=openai.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
                http_client=openai.DefaultAioHttpClient(),
            )
        return self._client

    async def aclose(self) -> None:
        """Closes the connections; safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
