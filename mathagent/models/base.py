"""The Backend protocol: one small door for every model, and a record of what stands behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from pydantic import Field, JsonValue, SecretStr

from mathagent.errors import BackendError, UnsupportedOption, UsageError
from mathagent.types import Completion, Image, Message, SamplingParams, Value

OnDelta = Callable[[int, str], None]
"""Called with (sample index, new text) while a reply is generated. After a retry, a sample starts anew."""


on_sample: ContextVar[Callable[[int, Completion], None] | None] = ContextVar("on_sample", default=None)
"""Who wants each sample of the present request (index, completion) as it is complete, before the others are: a
backend that can tell calls it, so that a process killed meanwhile has not paid for that sample in vain."""


class Capabilities(Value):
    """What a backend can do. ``n``: several samples from one request. ``continue_assistant``: the last message
    may be an unfinished assistant turn, which the reply continues. ``lora``: adapters of it are switched per request.
    ``embeddings``: it is an Embedder. ``images``: messages may carry pictures, and the model sees them."""

    n: bool = False
    logprobs: bool = False
    seed: bool = False
    json_schema: bool = False
    grammar: bool = False
    regex: bool = False
    lora: bool = False
    tool_calls: bool = False
    continue_assistant: bool = False
    embeddings: bool = False
    streaming: bool = False
    images: bool = False


class ToolSpec(Value):
    """A tool as a model sees it; ``parameters`` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


class ChatRequest(Value):
    """One request for ``params.n`` samples.

    ``role`` is the tag of the asking agent role; it is not sent to the model. ``first_sample`` is the index of the
    first sample among all that are drawn for this prompt: cache keys and seeds derive from it.
    ``logprobs`` is the number of alternatives wanted a token (0: the chosen token only; None: no log-probs).
    ``regex`` must match the whole reply (Python's syntax, without what looks around or back). ``lora`` is the scale of
    each adapter by its name, 0 for those that are not named; None: as the backend was opened.
    """

    messages: tuple[Message, ...]
    params: SamplingParams = SamplingParams()
    role: str = "solver"
    first_sample: int = 0
    tools: tuple[ToolSpec, ...] = ()
    json_schema: dict[str, JsonValue] | None = None
    grammar: str | None = None
    regex: str | None = None
    lora: dict[str, float] | None = None
    logprobs: int | None = Field(default=None, ge=0, le=20)
    continue_assistant: bool = False

    @property
    def images(self) -> tuple[Image, ...]:
        """All pictures of its messages."""
        return tuple(image for message in self.messages for image in message.images)

    def sample_seed(self, offset: int = 0) -> int | None:
        """Seed of sample ``first_sample + offset``: distinct for each sample, the same in every run."""
        seed = self.params.seed
        return None if seed is None else (seed + self.first_sample + offset) % 2**31

    def samples(self, offset: int, count: int) -> ChatRequest:
        """The request for ``count`` of its samples only, from ``first_sample + offset`` on; itself for all of them."""
        if (offset, count) == (0, self.params.n):
            return self
        params = self.params.model_copy(update={"n": count})
        return self.model_copy(update={"params": params, "first_sample": self.first_sample + offset})


class PartialReply(BackendError):
    """Some samples of a request arrived before another failed.

    ``arrived`` maps the offset of each to its completion: they are paid for, so Metered counts them and Cached
    keeps them. All else is as in the failure.
    """

    def __init__(self, failure: BackendError, arrived: Mapping[int, Completion]) -> None:
        super().__init__(
            str(failure),
            retryable=failure.retryable,
            status=failure.status,
            retry_after_s=failure.retry_after_s,
        )
        self.arrived = dict(arrived)


class PromptTooLong(BackendError):
    """The prompt leaves no room in the model's context; it is not one that waiting mends."""


class Backend(Protocol):
    """Turns messages into completions. Implementations are async and safe for concurrent use in one event loop."""

    max_parallel: int
    """How many requests it answers well at the same time."""
    default_seed: int | None
    """The seed sent where the caller gives none; None where seeds are not everywhere understood."""

    @property
    def name(self) -> str:
        """``backend:model``, as the user may write it."""
        ...

    @property
    def identity(self) -> str:
        """What the cache and records key on: the name and all else that decides which model answers."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, as far as known: an endpoint that turns out to refuse n loses ``n``."""
        ...

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """Returns exactly ``request.params.n`` completions.

        Raises UnsupportedOption for an option outside ``capabilities`` (but n, which is then drawn one by
        one) and BackendError where the model cannot be reached or its reply cannot be read.
        """
        ...

    async def aclose(self) -> None:
        """Releases connections and processes; safe to call twice."""
        ...


@runtime_checkable
class Prepared(Protocol):
    """A Backend that learns what it can do from the server that it will ask, before it is asked."""

    async def prepare(self) -> None:
        """Finds out what can be known; nothing where it is known, or cannot be reached now. ``capabilities`` and
        ``identity`` may differ from then on. Raises UsageError for a setting that the server cannot follow."""
        ...


@runtime_checkable
class Started(Protocol):
    """A Backend that fetches or loads its model before it can reply; its first request does it, too."""

    async def start(self) -> None:
        """Fetches and loads what is missing. Raises ModelFileError, BackendError."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """A Backend that also turns texts into vectors, where its capabilities say ``embeddings``."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, all of the same length and of norm 1. Raises UnsupportedOption, BackendError."""
        ...


@runtime_checkable
class Composed(Protocol):
    """A Backend that answers by others: the stages and roles of a router, two models that write together."""

    @property
    def models(self) -> tuple[Backend, ...]:
        """Those that it asks, each once."""
        ...


def models_of(backend: Backend) -> tuple[Backend, ...]:
    """The models that ``backend`` asks, each once, down to those that answer by themselves."""
    if not isinstance(backend, Composed):
        return (backend,)
    every = {id(one): one for inner in backend.models for one in models_of(inner)}
    return tuple(every.values())


async def prepare(backend: Backend, within_s: float | None = None) -> None:
    """Lets ``backend`` find out what it can do, where that is not known before; what it has not learned ``within_s``
    seconds is not known yet."""
    if isinstance(backend, Prepared):
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await backend.prepare()


_ADVICE = {
    "images": "name a model that sees pictures; where this one does, say so with images = true under"
    ' [capabilities."MODEL"] in config.toml, or let `mathagent probe` find out'
}
"""What to do about a refusal, beside leaving the option out."""


def require_capabilities(backend: Backend, request: ChatRequest) -> None:
    """Refuses, by name, each option of ``request`` that ``backend`` lacks. Raises UsageError for two forms at once."""
    wanted = {
        "logprobs": request.logprobs is not None,
        "seed": request.params.seed is not None,
        "json_schema": request.json_schema is not None,
        "grammar": request.grammar is not None,
        "regex": request.regex is not None,
        "lora": request.lora is not None,
        "tool_calls": bool(request.tools),
        "continue_assistant": request.continue_assistant,
        "images": bool(request.images),
    }
    for option, is_wanted in wanted.items():
        if is_wanted and not getattr(backend.capabilities, option):
            raise UnsupportedOption(backend.name, option, _ADVICE.get(option, ""))
    held_to = [form for form in ("json_schema", "grammar", "regex") if wanted[form]]
    if len(held_to) > 1:
        raise UsageError(f"a reply can be held to one form only: {' and '.join(held_to)} are given; leave out one")


class PullProgress(Value):
    """How far a model's download is. ``total_bytes`` is 0 while unknown; ``message`` is one line for a person."""

    model: str
    done_bytes: int
    total_bytes: int
    message: str = ""


class ConnectOptions(Value):
    """What the caller knows about how to reach a backend. A backend refuses by name what it has no use for."""

    base_url: str | None = None
    api_key: SecretStr | None = None
    on_progress: Callable[[PullProgress], None] | None = Field(default=None, exclude=True)


Connect = Callable[[str, ConnectOptions], "Backend"]
"""What a row of the BACKENDS table holds: opens ``name`` (the part behind ``backend:``), cheaply and lazily."""
