"""What every backend is wrapped in for one solve: Budgeted(Retrying(Limited(Cached(Metered(raw))))).

Only Metered, innermost, counts what was really asked: a cache hit costs nothing and a retry does. The wrappers are
cheap objects made for each solve; connection, semaphore and cache behind them are shared.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Any

from mathagent.budget import Meter, Reservation
from mathagent.errors import BackendError, LimitReached, StorageError
from mathagent.events import Event, Retried, Warned
from mathagent.models.base import (
    Backend,
    Capabilities,
    ChatRequest,
    OnDelta,
    PartialReply,
    require_capabilities,
)
from mathagent.models.cache import CompletionCache, sample_keys
from mathagent.types import Completion, Usage

_reservation: ContextVar[Reservation | None] = ContextVar("reservation", default=None)
"""What Budgeted set aside for the request that the current task serves: usage comes out of it."""


class Wrapper:
    """Base of the wrappers: everything passes through to ``inner``."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.name = inner.name
        self.identity = inner.identity
        self.default_seed = inner.default_seed
        self.max_parallel = inner.max_parallel

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        return await self.inner.complete(request, on_delta)

    async def aclose(self) -> None:
        """Wrappers own nothing: who opened the raw backend closes it."""


class Metered(Wrapper):
    """Adds the usage of every reply that really came from the backend to the meter."""

    def __init__(self, inner: Backend, meter: Meter) -> None:
        super().__init__(inner)
        self.meter = meter

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        try:
            done = await self.inner.complete(request, on_delta)
        except PartialReply as error:
            self._count(error.arrived.values())
            raise
        self._count(done)
        return done

    def _count(self, completions: Iterable[Completion]) -> None:
        for completion in completions:
            self.meter.add(completion.usage, _reservation.get())


class Cached(Wrapper):
    """Answers from the cache what it holds, sample by sample, and asks ``inner`` only for the rest.

    Hits are noted on the meter as cached calls, so that a budget stops a replay where it stopped the run. A cache
    that fails costs no reply: the solve is warned once and goes on without it.
    """

    def __init__(
        self, inner: Backend, cache: CompletionCache, meter: Meter, emit: Callable[[Event], None]
    ) -> None:
        super().__init__(inner)
        self.cache, self.meter, self._emit = cache, meter, emit
        self._works = True
        self._paid: dict[str, Completion] = {}  # by key: arrived in a partial reply, counted, not yet returned

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        require_capabilities(self, request)
        keys = sample_keys(self.identity, request)
        found = self._lookup(keys, request)
        hits = [index for index, completion in enumerate(found) if completion is not None]
        for start, count in _gaps(found):
            found[start : start + count] = await self._draw(request.samples(start, count), start, on_delta)
        for index in hits:
            completion = found[index]
            if self._paid.pop(keys[index], None) is None:
                self.meter.add(completion.usage + Usage(cached_calls=1), _reservation.get())
            if on_delta is not None:
                on_delta(index, completion.text)
        return found

    async def _draw(self, request: ChatRequest, start: int, on_delta: OnDelta | None) -> list[Completion]:
        shifted = None if on_delta is None else lambda index, text: on_delta(start + index, text)
        try:
            drawn = await self.inner.complete(request, shifted)
        except PartialReply as error:
            for offset, completion in error.arrived.items():
                sample = request.samples(offset, 1)
                self._paid[sample_keys(self.identity, sample)[0]] = completion
                self._store(sample, [completion])
            raise
        return self._store(request, drawn)

    def _lookup(self, keys: list[str], request: ChatRequest) -> list[Any]:
        found: list[Completion | None] = [None] * len(keys)
        if self._works:
            try:
                found = self.cache.lookup(self.identity, request)
            except StorageError as error:
                self._give_up(error)
        return [self._paid.get(key, completion) for key, completion in zip(keys, found, strict=True)]

    def _store(self, request: ChatRequest, completions: list[Completion]) -> list[Completion]:
        if self._works:
            try:
                return self.cache.store(self.identity, request, completions)
            except StorageError as error:
                self._give_up(error)
        return completions

    def _give_up(self, error: StorageError) -> None:
        self._works = False
        self._emit(Warned(message=f"{error}; going on without the cache"))


def _gaps(found: Sequence[Completion | None]) -> list[tuple[int, int]]:
    """The runs of samples that are missing, as (first, count)."""
    missing = [index for index, completion in enumerate(found) if completion is None]
    starts = [index for index in missing if index - 1 not in missing]
    ends = [index for index in missing if index + 1 not in missing]
    return [(start, end - start + 1) for start, end in zip(starts, ends, strict=True)]


class Limited(Wrapper):
    """Lets at most as many requests through at once as the shared semaphore allows."""

    def __init__(self, inner: Backend, semaphore: asyncio.Semaphore) -> None:
        super().__init__(inner)
        self._semaphore = semaphore

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        async with self._semaphore:
            return await self.inner.complete(request, on_delta)


class Retrying(Wrapper):
    """Sends a request again after a passing failure: exponential backoff with jitter, Retry-After honoured.

    The wait doubles from ``base_s`` to at most ``longest_s`` and is cut by up to half at random; a wait that the
    server asks for is lengthened by as much, so that waiting clients do not come back all at once. After
    ``attempts`` tries the last error is raised, as it is at once where the server asks for a longer wait than
    ``longest_s`` or the error is not a passing one.
    """

    def __init__(
        self,
        inner: Backend,
        emit: Callable[[Event], None],
        *,
        attempts: int = 5,
        base_s: float = 0.5,
        longest_s: float = 30.0,
        rng: random.Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(inner)
        self._emit, self._attempts, self._base_s, self._longest_s = emit, attempts, base_s, longest_s
        self._rng, self._sleep = rng or random.Random(), sleep

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        attempt = 1
        while True:
            try:
                return await self.inner.complete(request, on_delta)
            except BackendError as error:
                asked = error.retry_after_s or 0.0
                if not error.retryable or attempt >= self._attempts or asked > self._longest_s:
                    raise
                backoff = min(self._longest_s, self._base_s * 2 ** (attempt - 1))
                jitter = self._rng.uniform(0, backoff / 2)
                wait = max(asked + jitter, backoff - jitter)
                self._emit(Retried(attempt=attempt, wait_s=round(wait, 3), error=str(error)))
            await self._sleep(wait)
            attempt += 1


class Budgeted(Wrapper):
    """Keeps requests within the budget: cuts max_tokens to what is left, ends a request at the deadline.

    Outermost, so that the cache sees the request as it is really sent. Raises LimitReached.
    """

    def __init__(self, inner: Backend, meter: Meter) -> None:
        super().__init__(inner)
        self.meter = meter

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        reservation = self.meter.reserve(request.params.n, request.params.max_tokens)
        params = request.params.model_copy(update={"max_tokens": reservation.max_tokens})
        try:
            return await self._until_limit(request.model_copy(update={"params": params}), on_delta, reservation)
        finally:
            self.meter.release(reservation)

    async def _until_limit(
        self, request: ChatRequest, on_delta: OnDelta | None, reservation: Reservation
    ) -> list[Completion]:
        async def ask() -> list[Completion]:
            _reservation.set(reservation)
            return await self.inner.complete(request, on_delta)

        asked = asyncio.ensure_future(ask())
        interrupted = asyncio.ensure_future(self.meter.wait_interrupted())
        try:
            await asyncio.wait(
                {asked, interrupted}, timeout=self.meter.seconds_left(), return_when=asyncio.FIRST_COMPLETED
            )
            in_time = asked.done()
        finally:
            interrupted.cancel()
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)  # until its connection is closed
        if in_time or not (asked.cancelled() or asked.exception()):
            return asked.result()
        raise self.meter.limit_reached() or LimitReached("max_seconds", "the budget's seconds are used up")


def wrap(
    raw: Backend,
    *,
    meter: Meter,
    cache: CompletionCache | None,
    semaphore: asyncio.Semaphore,
    emit: Callable[[Event], None],
) -> Backend:
    """The full stack around ``raw`` for one solve."""
    backend: Backend = Metered(raw, meter)
    if cache is not None:
        backend = Cached(backend, cache, meter, emit)
    return Budgeted(Retrying(Limited(backend, semaphore), emit), meter)
