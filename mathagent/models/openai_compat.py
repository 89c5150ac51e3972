"""Any OpenAI-compatible chat endpoint: what is asked of it, what it refuses, and how samples are got one by one."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Mapping
from typing import Any

from mathagent.config import environment_secret, settings
from mathagent.errors import BackendError, UsageError
from mathagent.models.base import (
    Backend,
    Capabilities,
    ChatRequest,
    ConnectOptions,
    OnDelta,
    PartialReply,
    on_sample,
    require_capabilities,
)
from mathagent.models.endpoint_url import is_openai
from mathagent.models.endpoints import Endpoint, endpoints_of, split_endpoints
from mathagent.models.openai_endpoint import OpenAIEndpoint
from mathagent.models.openai_reply import with_alternatives
from mathagent.models.openai_servers import server_fields, server_of, with_server
from mathagent.models.openai_wire import request_arguments
from mathagent.models.vision_models import is_known_to_see
from mathagent.types import Completion

OPENAI_URL = "https://api.openai.com/v1"
ASK_AGAIN_S = 60.0
"""How long a server that did not say which one it is, is not asked again."""
ASKING_PAUSES_S = (0.1, 0.4)
"""Waits before it is asked again where it failed in passing: what it is shapes the identity of all that follows."""

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
_NEWER_NAME = "max_completion_tokens"
_WANTS_NEWER_NAME = re.compile(rf"\buse\W+{_NEWER_NAME}", re.IGNORECASE)
_REFUSES_SAMPLING = re.compile(
    r"(?:unsupported|not supported|deprecated)\b.{0,80}\b(temperature|top_p)\b"
    r"|\b(temperature|top_p)\b.{0,120}\b(?:unsupported|not supported|does not support|only the default)\b",
    re.IGNORECASE | re.DOTALL,
)
_NAMES_N = re.compile(r"\bn\b|choices?\b", re.IGNORECASE)


def connect(name: str, options: ConnectOptions) -> Backend:
    """Opens ``openai:NAME`` or ``openai:NAME@URL,URL``. Raises UsageError where the model's name, a URL or a key cannot
    be right."""
    model, urls = split_endpoints(name)
    if not model:
        raise UsageError("openai: needs a model name, for example --model openai:gpt-4o-mini")
    endpoints = endpoints_of(urls or options.base_url or settings().openai_base_url or OPENAI_URL)
    named = urls is not None
    backends = [_opened(model, one, options, named=named) for one in endpoints]
    if len(backends) == 1:
        return backends[0]
    from mathagent.models.openai_pool import EndpointPool

    return EndpointPool(model, backends, named=named)


def _opened(model: str, endpoint: Endpoint, options: ConnectOptions, *, named: bool) -> OpenAICompatible:
    variable = endpoint.settings.key_env
    secret = environment_secret(variable) if variable else options.api_key or settings().openai_api_key
    key = "" if secret is None else secret.get_secret_value().strip()
    variable = variable or "OPENAI_API_KEY"
    if not key and is_openai(endpoint.url):
        raise UsageError(f"no {variable} is set; set it, or give --base-url for another endpoint")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{variable} holds characters that no key has; copy it again")
    return OpenAICompatible(
        model,
        endpoint,
        named=named,
        api_key=key or "none",
        extra_body={} if is_openai(endpoint.url) else NEUTRAL_SAMPLERS,
        capabilities=CHAT_CAPABILITIES.model_copy(update={"images": is_known_to_see(model)}),
    )


class OpenAICompatible:
    """A Backend over the ``/chat/completions`` of one endpoint.

    Where the server ignores or refuses ``n``, the missing samples are requested one by one, and ``capabilities.n``
    is off from then on. Where it refuses ``extra_body`` (explicit neutral samplers) or usage in a stream, they
    are left out from then on: such a server has none. The limit of tokens takes its newer name where the server asks
    for that, and ``temperature`` and ``top_p`` are left out where the model takes none. It never retries by itself; the
    wrapper Retrying does.

    What its server can do beyond the wire format is known once ``prepare`` has asked it, or the endpoint says.
    ``named``: the endpoint is part of the name, as the user wrote it.
    """

    def __init__(
        self,
        model: str,
        endpoint: Endpoint,
        *,
        api_key: str,
        named: bool = False,
        extra_body: Mapping[str, Any],
        capabilities: Capabilities = CHAT_CAPABILITIES,
        default_seed: int | None = None,
    ) -> None:
        self.default_seed = default_seed
        self.capabilities = with_server(capabilities, endpoint.settings.server)
        self.max_parallel = endpoint.settings.parallel
        self.client = OpenAIEndpoint(f"openai:{model}", endpoint, api_key)
        self._model, self._named = model, named
        self._extra_body = dict(extra_body)
        self._takes_extra = True
        self._asked_server = endpoint.settings.server is not None or is_openai(endpoint.url)
        self._asking: asyncio.Task[None] | None = None
        self._unknown: BackendError | None = None  # why it is not known which server it is
        self._silent_until = -math.inf
        self._tokens_field = _NEWER_NAME if is_openai(endpoint.url) else "max_tokens"
        self._own_sampling: frozenset[str] = frozenset()  # what the model decides by itself
        self._thinking_is_known()

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint, with the server that it is known to be."""
        return self.client.endpoint

    @property
    def name(self) -> str:
        return f"openai:{self._model}@{self.endpoint.written}" if self._named else f"openai:{self._model}"

    @property
    def identity(self) -> str:
        return f"openai:{self._model}@{self.endpoint.identity}"

    async def prepare(self) -> None:
        """Asks the server, once, which one it is; all who want to know it meanwhile wait for the same reply.

        One that cannot be reached is asked the next time; one that is silent not before ``ASK_AGAIN_S`` have passed:
        no solve after the first waits for it.
        """
        loop = asyncio.get_running_loop()
        if self._asked_server or time.monotonic() < self._silent_until:
            return
        if self._asking is None or self._asking.done() or self._asking.get_loop() is not loop:
            self._asking = loop.create_task(self._ask_server())
        await asyncio.shield(self._asking)  # who is cancelled takes the reply from nobody else
        self._thinking_is_known()

    async def _ask_server(self) -> None:
        try:
            server = server_of(await self._models())
        except BackendError as error:
            self._unknown = error
            if isinstance(error.__cause__, TimeoutError):
                self._silent_until = time.monotonic() + ASK_AGAIN_S
            return
        self._asked_server = True
        if server is not None:
            known = self.endpoint.settings.model_copy(update={"server": server})
            self.client.endpoint = self.endpoint.model_copy(update={"settings": known})
            self.capabilities = with_server(self.capabilities, server)

    async def _models(self) -> object:
        for pause_s in ASKING_PAUSES_S:
            try:
                return await self.client.models()
            except BackendError as error:
                if not error.retryable or isinstance(error.__cause__, TimeoutError):
                    raise
            await asyncio.sleep(pause_s)
        return await self.client.models()

    def _thinking_is_known(self) -> None:
        """Raises UnsupportedOption where the server is known, and cannot be told how long to think."""
        if self._asked_server:
            self._server_fields(ChatRequest(messages=()))

    def _server_fields(self, request: ChatRequest) -> dict[str, Any]:
        kept = self.endpoint.settings
        return server_fields(kept.server, request, backend=self.name, thinking_tokens=kept.thinking_tokens)

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. Raises BackendError (PartialReply where some samples arrived), UsageError."""
        require_capabilities(self, request)
        if self.endpoint.settings.thinking_tokens is not None:
            await self.prepare()  # how it is said depends on the server
            if not self._asked_server and self._unknown is not None:
                raise self._unknown.with_traceback(None)  # by each who asks meanwhile
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
        singles = (await self.client.open()).singles
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
        # Another request may have learned better by the time that this one is refused.
        tokens_field, own_sampling = self._tokens_field, self._own_sampling
        try:
            return await self._send(request, on_delta, extra=self._takes_extra)
        except BackendError as error:
            if error.status not in (400, 422):
                raise
            if tokens_field != _NEWER_NAME and _WANTS_NEWER_NAME.search(str(error)):
                self._tokens_field = _NEWER_NAME  # as OpenAI's reasoning models want it, behind whatever address
                return await self._request(request, on_delta)
            refused = _REFUSES_SAMPLING.search(str(error))
            field = refused and (refused[1] or refused[2]).lower()
            if field and field not in own_sampling:  # as reasoning models do that sample in one way only
                self._own_sampling |= {field}
                return await self._request(request, on_delta)
            if not _NAMES_A_FIELD.search(str(error)):
                raise
        done = await self._send(request, on_delta, extra=False)
        self._takes_extra = False  # only now is it known that the extra fields were what was refused
        return done

    async def _send(self, request: ChatRequest, on_delta: OnDelta | None, *, extra: bool) -> list[Completion]:
        body = request_arguments(request, self._model, tokens_field=self._tokens_field)
        body = {name: value for name, value in body.items() if name not in self._own_sampling}
        body |= self._server_fields(request)
        if extra:
            body |= self._extra_body
        prompt_length = sum(len(message.content) for message in request.messages)
        most = request.params.n * request.params.max_tokens
        if on_delta is None:
            done = await self.client.ask(body, prompt_length, most)
        else:
            body |= {"stream": True, **({"stream_options": {"include_usage": True}} if extra else {})}
            done = await self.client.stream(body, prompt_length, most, on_delta)
        return [with_alternatives(one, request.logprobs) for one in done]

    async def aclose(self) -> None:
        """Closes the connections; safe to call twice."""
        asking, self._asking = self._asking, None
        if asking is not None and asking.get_loop() is asyncio.get_running_loop():
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await self.client.aclose()


def _may_refuse_n(error: BackendError) -> bool:
    """Whether the server may have refused n: a client error may always mean it, a server error must name it."""
    if error.status in (400, 422):
        return True
    return error.status in (500, 501) and bool(_NAMES_N.search(str(error).partition("(HTTP")[2]))
