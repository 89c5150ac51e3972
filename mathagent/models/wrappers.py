"""What every backend is wrapped in for one solve: Budgeted(Retrying(Limited(Cached(Metered(raw))))).

Only Metered, innermost, counts what was really asked: a cache hit costs nothing and a retry does. The wrappers are
cheap objects made for each solve; connection, semaphore and cache behind them are shared.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from mathagent.budget import Meter
from mathagent.errors import BackendError, LimitReached
from mathagent.events import Event, Retried
from mathagent.models.base import Backend, ChatRequest, OnDelta, require_capabilities
from mathagent.models.cache import CompletionCache
from mathagent.types import Completion, Usage


class Wrapper:
    """Base of the wrappers: everything passes through to ``inner``."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.name = inner.name
        self.identity = inner.identity
        self.default_seed = inner.default_seed
        self.capabilities = inner.capabilities
        self.max_parallel = inner.max_parallel

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
        done = await self.inner.complete(request, on_delta)
        for completion in done:
            self.meter.add(completion.usage)
        return done


class Cached(Wrapper):
    """Answers from the cache what it holds, sample by sample, and asks ``inner`` only for the rest.

    Hits are noted on the meter as cached calls, so that a budget stops a replay where it stopped the run.
    """

    def __init__(self, inner: Backend, cache: CompletionCache, meter: Meter) -> None:
        super().__init__(inner)
        self.cache, self.meter = cache, meter

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        require_capabilities(self, request)
        found = self.cache.lookup(self.identity, request)
        missing = [index for index, completion in enumerate(found) if completion is None]
        if missing:
            start, count = missing[0], len(missing)
            if missing != list(range(start, start + count)):
                count = len(found) - start  # a hole in the middle: draw anew from the first missing one on
            rest = request.model_copy(
                update={
                    "params": request.params.model_copy(update={"n": count}),
                    "first_sample": request.first_sample + start,
                }
            )
            shifted = None if on_delta is None else lambda index, text: on_delta(start + index, text)
            drawn = await self.inner.complete(rest, shifted)
            self.cache.store(self.identity, rest, drawn)
            found[start : start + count] = drawn
        done = [completion for completion in found if completion is not None]
        for index, completion in enumerate(done):
            if completion.cached:
                self.meter.add(completion.usage + Usage(cached_calls=1))
                if on_delta is not None:
                    on_delta(index, completion.text)
        return done


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
    """Sends a request again after a passing failure: exponential backoff with full jitter, Retry-After honoured.

    The wait doubles from ``base_s`` to at most ``longest_s``; after ``attempts`` tries the last error is raised,
    as it is at once where the server asks for a longer wait than ``longest_s`` or the error is not a passing one.
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
                wait = max(asked, self._rng.uniform(backoff / 2, backoff))
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
        n = request.params.n
        allowed = self.meter.reserve(n, request.params.max_tokens)
        if allowed < request.params.max_tokens:
            params = request.params.model_copy(update={"max_tokens": allowed})
            request = request.model_copy(update={"params": params})
        try:
            return await self._until_limit(request, on_delta)
        finally:
            self.meter.release(n, allowed)

    async def _until_limit(self, request: ChatRequest, on_delta: OnDelta | None) -> list[Completion]:
        asked = asyncio.ensure_future(self.inner.complete(request, on_delta))
        interrupted = asyncio.ensure_future(self.meter.wait_interrupted())
        try:
            await asyncio.wait(
                {asked, interrupted}, timeout=self.meter.seconds_left(), return_when=asyncio.FIRST_COMPLETED
            )
            if asked.done():
                return asked.result()
            raise self.meter.limit_reached() or LimitReached("max_seconds", "the budget's seconds are used up")
        finally:
            asked.cancel()
            interrupted.cancel()


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
        backend = Cached(backend, cache, meter)
    return Budgeted(Retrying(Limited(backend, semaphore), emit), meter)
