"""What every backend is wrapped in for one solve: Budgeted(Retrying(Limited(Journaled(Cached(Metered(raw)))))).

Only Metered, innermost, counts what was really asked: a cache hit costs nothing and a retry does. The wrappers are
cheap objects made for each solve; connection, semaphore and cache behind them are shared.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

from mathagent import telemetry
from mathagent.budget import Meter, Reservation
from mathagent.errors import BackendError, LimitReached
from mathagent.events import Event, Retried
from mathagent.models.base import (
    Backend,
    ChatRequest,
    OnDelta,
    PartialReply,
    on_sample,
)
from mathagent.models.cache import CompletionCache
from mathagent.models.remembering import Cached, Journal, Journaled
from mathagent.models.traced import Traced
from mathagent.models.wrapper import Wrapper, current_reservation
from mathagent.types import Completion


class Metered(Wrapper):
    """Adds the usage of every reply that really came from the backend to the meter."""

    def __init__(self, inner: Backend, meter: Meter) -> None:
        super().__init__(inner)
        self.meter = meter

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. A sample that is told before the others are there counts from then on: the request
        may be given up before it returns, and that sample is kept and was paid for."""
        outer, counted = on_sample.get(), set[int]()

        def told(index: int, completion: Completion) -> None:
            counted.add(index)
            self._count(completion)
            if outer is not None:
                outer(index, completion)

        token = on_sample.set(told)
        try:
            done = await self.inner.complete(request, on_delta)
        except PartialReply as error:
            self._count_new(error.arrived.items(), counted)
            raise
        finally:
            on_sample.reset(token)
        self._count_new(enumerate(done), counted)
        return done

    def _count_new(self, samples: Iterable[tuple[int, Completion]], counted: set[int]) -> None:
        for index, completion in samples:
            if index not in counted:
                self._count(completion)

    def _count(self, completion: Completion) -> None:
        self.meter.count(completion, current_reservation.get(), model=self.identity)


class Limited(Wrapper):
    """Lets at most as many requests through at once as the shared semaphore allows."""

    def __init__(self, inner: Backend, semaphore: asyncio.Semaphore) -> None:
        super().__init__(inner)
        self._semaphore = semaphore

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete."""
        async with self._semaphore:
            return await self.inner.complete(request, on_delta)


_JITTER = random.Random()
"""One for all: to seed one costs more than to wrap a backend."""


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
        self._rng, self._sleep = rng or _JITTER, sleep

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
        await self.meter.wait_for_room(request.params.n, request.params.max_tokens)
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
            current_reservation.set(reservation)
            return await self.inner.complete(request, on_delta)

        asked = asyncio.ensure_future(ask())
        interrupted = self.meter.interruption()
        try:
            await asyncio.wait(
                {asked, interrupted}, timeout=self.meter.seconds_left(), return_when=asyncio.FIRST_COMPLETED
            )
            in_time = asked.done()
        finally:
            interrupted.cancel()
            if not asked.done():
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
    journal: Journal | None = None,
) -> Backend:
    """The full stack around ``raw`` for one solve."""
    backend: Backend = Metered(Traced(raw) if telemetry.active() else raw, meter)
    if cache is not None:
        backend = Cached(backend, cache, meter, emit)
    if journal is not None:
        backend = Journaled(backend, journal, meter)
    return Budgeted(Retrying(Limited(backend, semaphore), emit), meter)
