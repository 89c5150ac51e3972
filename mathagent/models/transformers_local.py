"""The ``hf:`` backend: a causal chat model run by transformers on this machine's GPUs, or its CPU.

``hf:NAME_OR_FOLDER``, ``hf:FILE.gguf`` or a name of the catalog, with settings behind a ``?`` (see hf/settings). torch
is imported when the model is loaded, not before.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mathagent.errors import BackendError, UnsupportedOption, UsageError
from mathagent.models.base import (
    Capabilities,
    ChatRequest,
    ConnectOptions,
    OnDelta,
    PartialReply,
    on_sample,
    require_capabilities,
)
from mathagent.models.embedded_weights import file_stamp
from mathagent.models.hf.settings import HfSettings, read_settings, with_shaping
from mathagent.models.hf.source import Source, folder_stamp, source_of
from mathagent.models.pull import OnProgress
from mathagent.types import Completion

if TYPE_CHECKING:
    from mathagent.models.hf.constraints import Constraints
    from mathagent.models.hf.engine import Engine
    from mathagent.models.hf.jobs import Job

CAPABILITIES = Capabilities(
    n=True,
    logprobs=True,
    seed=True,
    json_schema=True,
    grammar=True,
    regex=True,
    continue_assistant=True,
    streaming=True,
)
"""What the batched engine does with any model. ``tool_calls`` are known once the chat template is."""


UNCONSTRAINED = {"json_schema": False, "grammar": False, "regex": False}


def connect(name: str, options: ConnectOptions) -> TransformersBackend:
    """Opens ``hf:NAME?settings``; loads nothing yet.

    Raises UsageError for a wrong name or setting, or where transformers and torch are not installed;
    UnsupportedOption for what cannot be had together.
    """
    for option in ("base_url", "api_key"):
        if getattr(options, option) is not None:
            raise UnsupportedOption(f"hf:{name}", option, "it runs on this machine; use openai:NAME")
    model, settings = read_settings(name)
    source = source_of(model)
    _check_weights(f"hf:{model}", source, settings)
    missing = [package for package in ("torch", "transformers") if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"hf: models need {' and '.join(missing)}: pip install 'mathagent[gpu]' (for a CPU alone, install torch's"
            " CPU build first); or use --model embedded:NAME, which needs neither"
        )
    return TransformersBackend(name, source, settings, on_progress=options.on_progress)


class TransformersBackend:
    """A Backend over an engine that all backends of this process with the same model and settings share.

    The first request, ``start`` or ``prepare`` loads the model. May be used from several event loops, one after the
    other or at the same time: the engine has a thread of its own.
    """

    def __init__(
        self, name: str, source: Source, settings: HfSettings, *, on_progress: OnProgress | None = None
    ) -> None:
        self.name = f"hf:{name}"
        self.default_seed: int | None = 0
        self.max_parallel = settings.rows
        self._stamps = [folder_stamp(Path(folder).expanduser()) for folder in settings.adapter_paths.values()]
        if settings.steering:
            self._stamps.append(_file_stamp(settings.steering))
        self.identity = with_shaping(source.identity, settings, self._stamps)
        self.capabilities = _capabilities(settings)
        self._source, self._settings = source, settings
        self._on_progress = on_progress
        self._engine: Engine | None = None
        self._constraints: Constraints | None = None
        self._opening: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """How the model runs and what it has done; empty before it is loaded."""
        return {} if self._engine is None else self._engine.facts

    async def start(self) -> None:
        """Loads the model where it is not yet, so that no request's deadline counts it; complete() does it too.

        Raises ModelFileError, UsageError and BackendError, see hf/loading. Cancelling it ends a download.
        """
        await self._open()

    async def prepare(self) -> None:
        """Loads the model, as ``start`` does: its template says whether it takes tools, its files which revision it
        is."""
        await self.start()

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. Raises BackendError (PartialReply where some samples arrived), UsageError.

        Cancelling it frees the samples' rows after the token that is being computed.
        """
        engine = await self._open()
        require_capabilities(self, request)
        from mathagent.models.hf.requests import completion, job_of

        arrived: dict[int, Completion] = {}
        told = on_sample.get()

        def ended(index: int, sample: Any) -> None:
            arrived[index] = completion(engine.loaded, request, sample)
            if on_delta is not None and request.tools and arrived[index].text:
                on_delta(index, arrived[index].text)
            if told is not None:
                told(index, arrived[index])

        # A call of a tool is text until its end is there: what is text for good is known only then.
        job: Job = job_of(
            engine, request, self._settings, self._constraints, ended, None if request.tools else on_delta
        )
        engine.submit(job)
        try:
            await job.finished
        except asyncio.CancelledError:
            engine.cancel(job)
            raise
        except BackendError as error:
            if arrived:
                raise PartialReply(error, arrived) from error
            raise
        return [arrived[index] for index in range(request.params.n)]

    async def _open(self) -> Engine:
        if self._engine is not None:
            return self._engine
        loop = asyncio.get_running_loop()
        if self._opening is None or self._opening[0] is not loop:
            self._opening = (loop, asyncio.Lock())
        async with self._opening[1]:
            if self._engine is not None:
                return self._engine
            gone = threading.Event()
            opening = asyncio.ensure_future(asyncio.to_thread(self._acquire, gone.is_set))
            try:
                engine, constraints, takes_tools = await asyncio.shield(opening)
            except asyncio.CancelledError:
                gone.set()
                opening.add_done_callback(self._release_unwanted)
                raise
            if self._engine is not None:  # another event loop's request was quicker
                await asyncio.to_thread(self._release)
                return self._engine
            self._engine, self._constraints = engine, constraints
            self.max_parallel = self._settings.rows if engine.kind == "batched" else 1
            self.capabilities = self.capabilities.model_copy(update={"tool_calls": takes_tools})
            if constraints is None:
                self.capabilities = self.capabilities.model_copy(update=UNCONSTRAINED)
            if engine.loaded.revision and self._source.revision is None and "@" not in self._source.identity:
                found = f"{self._source.identity}@{engine.loaded.revision[:16]}"
                self.identity = with_shaping(found, self._settings, self._stamps)
            return engine

    def _acquire(self, cancelled: Callable[[], bool]) -> tuple[Engine, Constraints | None, bool]:
        from mathagent.models.hf import constraints, engines
        from mathagent.models.hf.prompts import knows_tools

        engine = engines.acquire(self._source, self._settings, self._on_progress, cancelled)
        try:
            made: Constraints | None = None
            loaded = engine.loaded
            if self.capabilities.json_schema and constraints.available():
                with suppress(ValueError):  # not every tokenizer can be read: forms are refused by name then
                    made = constraints.Constraints(loaded.tokenizer, loaded.config.vocab_size, loaded.stop_ids)
            return engine, made, knows_tools(loaded.tokenizer)
        except BaseException:
            engines.release(self._source, self._settings)
            raise

    def _release_unwanted(self, opening: asyncio.Future[Any]) -> None:
        """Gives back an engine that came up after its caller had been cancelled."""
        if not opening.cancelled() and opening.exception() is None:
            threading.Thread(target=self._release).start()

    async def aclose(self) -> None:
        """Gives the engine back, which ends with its last user; safe to call twice."""
        engine, self._engine, self._constraints = self._engine, None, None
        if engine is not None:
            await asyncio.to_thread(self._release)

    def _release(self) -> None:
        from mathagent.models.hf import engines

        engines.release(self._source, self._settings)


def _check_weights(backend: str, source: Source, settings: HfSettings) -> None:
    """Raises UnsupportedOption where what is to be quantised is a GGUF file, UsageError for an assistant that is no
    model."""
    assistant = source_of(settings.assistant) if settings.assistant else None
    if settings.quantize != "none" and (source.gguf or (assistant and assistant.gguf)):
        advice = "transformers unpacks GGUF files; leave it out, or use the model's own repository"
        raise UnsupportedOption(backend, f"quantize={settings.quantize} with a GGUF file", advice)


def _file_stamp(path: str) -> str:
    """Tells a file from another in its place. Raises UsageError where there is none."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError(f"there is no steering vector {file}")
    return file_stamp(file)


def _capabilities(settings: HfSettings) -> Capabilities:
    """Drafts are checked several at a time, out of reach of what looks at each token."""
    found = CAPABILITIES.model_copy(update={"lora": bool(settings.lora)})
    if settings.engine == "speculative":
        return found.model_copy(update={"logprobs": False, **UNCONSTRAINED})
    return found
