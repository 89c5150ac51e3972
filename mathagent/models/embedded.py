"""The embedded backend: a model that comes by itself, run by llama.cpp on this machine's own processor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import httpx

from mathagent.config import settings
from mathagent.errors import BackendError, UnsupportedOption, UsageError
from mathagent.models import server_process
from mathagent.models.base import (
    ChatRequest,
    ConnectOptions,
    OnDelta,
    PartialReply,
    on_sample,
    require_capabilities,
)
from mathagent.models.embedded_options import EmbeddedOptions, split_options
from mathagent.models.embedded_weights import Weights, file_stamp, gguf_file, weights_of
from mathagent.models.llama_chat import stream_chat
from mathagent.models.llama_embeddings import embed_text
from mathagent.models.plain_chat import plain_template
from mathagent.models.pull import OnProgress
from mathagent.models.server_process import ServerOptions, ServerProcess, Speculation
from mathagent.models.slot_pool import SlotPool, TakenSlots
from mathagent.types import Completion

CACHE_MB = 64
"""RAM a slot for prompts that have left it: the more slots, the more conversations come back to find theirs gone."""
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 1800.0  # a long prompt on a slow processor is silent for minutes; budgets bound the rest


def connect(name: str, options: ConnectOptions) -> EmbeddedBackend:
    """Opens ``embedded:NAME`` or ``embedded:/path/to/file.gguf``, with ``?OPTIONS`` behind it (embedded_options);
    fetches and starts nothing yet.

    Raises UnknownName, UsageError where a file is no model or the runtime is not installed, UnsupportedOption.
    """
    for option in ("base_url", "api_key"):
        if getattr(options, option) is not None:
            raise UnsupportedOption(f"embedded:{name}", option, "it runs on this machine; use openai:NAME")
    model, chosen = split_options(name)
    weights = weights_of(model)
    draft = weights_of(chosen.draft) if chosen.draft else None
    if chosen.context and weights.longest and chosen.context > weights.longest:
        raise UsageError(f"embedded:{model}: context={chosen.context} is more than its {weights.longest} tokens")
    adapters = [one.model_copy(update={"path": str(gguf_file(one.path))}) for one in chosen.lora]
    if find_spec("xllamacpp") is None:
        raise UsageError(
            "embedded models need the llama.cpp runtime: pip install 'mathagent[embedded]';"
            " or use an endpoint: --model openai:NAME --base-url URL"
        )
    chosen = chosen.model_copy(update={"lora": tuple(adapters)})
    return EmbeddedBackend(weights, chosen, draft=draft, on_progress=options.on_progress)


@dataclass
class _LoopState:
    """What works in one event loop only."""

    loop: asyncio.AbstractEventLoop
    slots: SlotPool
    lock: asyncio.Lock
    client: httpx.AsyncClient | None = None
    server: ServerProcess | None = None


class EmbeddedBackend:
    """A Backend over a llama.cpp server of our own, in a child process that all backends of this process share.

    The first request fetches the weights where they are missing, and starts the server. A server that has died is
    started anew by the next request. One object serves one event loop at a time: after that loop has been closed,
    the next may use it.
    """

    def __init__(
        self,
        weights: Weights,
        chosen: EmbeddedOptions,
        *,
        draft: Weights | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.name = f"embedded:{weights.alias}{chosen.query}"
        self.identity = weights.identity + chosen.shaping([file_stamp(gguf_file(one.path)) for one in chosen.lora])
        self.default_seed: int | None = 0
        self.capabilities = chosen.capabilities
        self.max_parallel = chosen.slots or settings().slots
        self.context = chosen.context or weights.context
        self._weights, self._chosen, self._draft = weights, chosen, draft
        self._on_progress = on_progress
        self._options: ServerOptions | None = None
        self._state: _LoopState | None = None

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. Raises BackendError (PartialReply where some samples arrived), ModelFileError.

        Samples of one request are drawn together in as many slots as are free, the prompt being read once; the
        rest follow in the slots that become free, which know the prompt already.
        """
        if request.logprobs is not None and self._chosen.speculates:
            advice = "llama.cpp gives none for the tokens that it accepts; leave out lookup or draft"
            raise UnsupportedOption(self.name, "logprobs", advice)
        if request.images:
            advice = "the runtime is given no vision model beside the weights; name an endpoint's that sees"
            raise UnsupportedOption(self.name, "images", advice)
        require_capabilities(self, request)
        fields = self._chosen.fields(request, self.name)
        await self.start()
        slots, wanted = self._in_this_loop().slots, request.params.n
        arrived: dict[int, Completion] = {}
        tasks: list[asyncio.Task[None]] = []
        begun = 0
        try:
            while begun < wanted and not any(task.done() and task.exception() for task in tasks):
                taken = await slots.take(wanted - begun)
                tasks.append(asyncio.create_task(self._draw(request, begun, taken, arrived, on_delta, fields)))
                tasks[-1].add_done_callback(taken.give_back_all)
                begun += taken.count
            await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
        failure = next((error for task in tasks if (error := task.exception())), None)
        if failure is None:
            return [arrived[index] for index in range(wanted)]
        if arrived and isinstance(failure, BackendError):
            raise PartialReply(failure, arrived) from failure
        raise failure

    async def _draw(
        self,
        request: ChatRequest,
        start: int,
        taken: TakenSlots,
        arrived: dict[int, Completion],
        on_delta: OnDelta | None,
        fields: dict[str, Any],
    ) -> None:
        """Draws as many samples as slots are taken, from ``start`` on; gives each slot back as its sample ends."""
        listener = None if on_delta is None else lambda index, text: on_delta(start + index, text)
        told = on_sample.get()

        def finished(index: int, completion: Completion) -> None:
            taken.give_back()
            arrived[start + index] = completion  # also where the others of this stream will not come
            if told is not None:
                told(start + index, completion)

        server, client = await self._connection()
        try:
            await stream_chat(
                client,
                request.samples(start, taken.count),
                backend=self.name,
                model=self._weights.alias,
                on_delta=listener,
                on_finished=finished,
                count_prompt=start == 0,
                fields=fields,
            )
        except httpx.TransportError as error:
            raise await self._broken(server, error) from error

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See Embedder. A text takes a slot, and counts against no budget.

        Raises UnsupportedOption where the model was opened without ``embeddings=``, UsageError for an empty text,
        BackendError.
        """
        if self._chosen.embeddings is None:
            raise UnsupportedOption(self.name, "embeddings", "open it with ?embeddings=last (or mean)")
        if any(not text for text in texts):
            raise UsageError(f"{self.name}: an empty text has no vector; leave it out")
        await self.start()
        slots = self._in_this_loop().slots

        async def one(text: str) -> list[float]:
            taken = await slots.take(1)
            try:
                server, client = await self._connection()
                try:
                    return await embed_text(client, text, backend=self.name, model=self._weights.alias)
                except httpx.TransportError as error:
                    raise await self._broken(server, error) from error
            finally:
                taken.give_back_all()

        tasks = [asyncio.create_task(one(text)) for text in texts]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _broken(self, server: ServerProcess, error: httpx.TransportError) -> BackendError:
        await asyncio.sleep(0.2)  # a dying process closes its sockets a moment before it can be seen to be dead
        if not server.alive:
            return server.death()
        reason = " ".join(str(error).split()) or type(error).__name__
        return BackendError(f"{self.name}: the reply broke off ({reason}); trying again may help", retryable=True)

    async def start(self) -> None:
        """Fetches the weights and starts the server where need be; complete() does it too.

        Raises ModelFileError, BackendError. Cancelling it ends the download, which goes on the next time.
        """
        async with self._in_this_loop().lock:
            if self._options is not None:
                return
            gone = threading.Event()
            opening = asyncio.ensure_future(asyncio.to_thread(self._open, gone.is_set))
            try:
                self._options = await asyncio.shield(opening)
            except asyncio.CancelledError:
                gone.set()
                opening.add_done_callback(_release_unwanted)
                raise

    def _open(self, cancelled: Callable[[], bool]) -> ServerOptions:
        """Fetches, starts and acquires; returns what to release. Blocks."""
        chosen, draft = self._chosen, self._draft
        model = str(self._weights.fetch(self._on_progress, cancelled))
        options = ServerOptions(
            model=model,
            alias=self._weights.alias,
            context=self.context,
            slots=self.max_parallel,
            threads=chosen.threads or settings().threads or server_process.usable_threads(),
            cache_mb=CACHE_MB * self.max_parallel,
            kv_k=chosen.kv_k,
            kv_v=chosen.kv_v,
            speculation=Speculation(
                kind=chosen.lookup or ("draft-simple" if draft else "none"),
                ngram=chosen.lookup_ngram,
                tokens=chosen.lookup_tokens or chosen.draft_tokens,
                p_min=chosen.draft_p_min,
                draft=str(draft.fetch(self._on_progress, cancelled)) if draft else "",
            ),
            adapters=tuple((one.path, one.scale) for one in chosen.lora),
            pooling=chosen.embeddings or "",
            chat_template=plain_template() if chosen.template else "",
        )
        server_process.acquire(options)
        return options

    async def _connection(self) -> tuple[ServerProcess, httpx.AsyncClient]:
        """The living server, started anew where it has died, and a client for it. Raises BackendError."""
        state = self._in_this_loop()
        async with state.lock:
            if self._options is None:
                raise BackendError(f"{self.name} was closed while it was asked")
            if state.server is None or state.client is None or not state.server.alive:
                if state.client is not None:
                    await state.client.aclose()
                state.server = await asyncio.to_thread(server_process.running, self._options)
                state.client = _client(state.server)
            return state.server, state.client

    def _in_this_loop(self) -> _LoopState:
        loop = asyncio.get_running_loop()
        if self._state is None or (self._state.loop is not loop and self._state.loop.is_closed()):
            self._state = _LoopState(loop, SlotPool(self.max_parallel), asyncio.Lock())
        if self._state.loop is not loop:
            raise UsageError(f"{self.name} is open in another event loop; open one backend for each loop")
        return self._state

    async def aclose(self) -> None:
        """Closes the connections and gives the server back, which ends with its last user; safe to call twice."""
        state, self._state = self._state, None
        options, self._options = self._options, None
        if state is not None and state.client is not None and state.loop is asyncio.get_running_loop():
            await state.client.aclose()
        if options is not None:
            await asyncio.to_thread(server_process.release, options)


def _release_unwanted(opening: asyncio.Future[ServerOptions]) -> None:
    """Gives back a server that came up after its caller had been cancelled."""
    if not opening.cancelled() and opening.exception() is None:
        server_process.release(opening.result())


def _client(server: ServerProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=server.url,
        headers={"Authorization": f"Bearer {server.api_key}"},
        timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        # A connection for each request: llama.cpp closes kept ones after 5 s or 100 requests, often just as we ask.
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        trust_env=False,  # a proxy cannot reach our own loopback
    )
