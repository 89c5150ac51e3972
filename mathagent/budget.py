"""Budget: limits as a value. Meter: what one solve has used, and the only place that compares the two."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import Field

from mathagent.errors import LimitReached
from mathagent.types import Completion, Usage, Value


class Budget(Value):
    """Limits of one solve; None means unlimited. Tokens are completion tokens, seconds wall clock."""

    max_tokens: int | None = Field(default=None, ge=1)
    max_calls: int | None = Field(default=None, ge=1)
    max_seconds: float | None = Field(default=None, gt=0)

    def seconds_used_up(self) -> LimitReached:
        """What ends a solve once ``max_seconds`` have passed."""
        return LimitReached("max_seconds", f"the budget of {self.max_seconds:g} seconds is used up")


@dataclass
class Reservation:
    """What one request may use: ``max_tokens`` a sample; ``calls`` and ``tokens`` are still set aside for it."""

    max_tokens: int
    calls: int
    tokens: int


class Meter:
    """Counts the usage of one solve against its budget.

    A request reserves its tokens and its call before it is sent, so that requests in flight together
    cannot overdraw. Cached replies count too: a replayed solve then stops where the first one did. A resumed solve
    begins with the ``usage`` (in all, and ``by_model``) and the ``seconds`` that it had used.
    """

    def __init__(
        self,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        usage: Usage | None = None,
        seconds: float = 0.0,
        by_model: Mapping[str, Usage] = MappingProxyType({}),
    ) -> None:
        self.budget = budget or Budget()
        self.usage = usage or Usage()
        self.by_model = dict(by_model)
        self._clock = clock
        self._start = clock() - seconds
        self._paused_at: float | None = None
        self._reserved_tokens = 0
        self._reserved_calls = 0
        self._queue = asyncio.Lock()
        self._released = asyncio.Event()
        self.interrupted = False
        self._listening: set[asyncio.Future[Any]] = set()
        if (noted := _noted.get()) is not None:
            noted.append(self)

    def interrupt(self) -> None:
        """Ends the budget now, from the loop of the solve: requests in flight end as at a deadline."""
        self.interrupted = True
        for future in list(self._listening):
            if not future.done():
                future.set_result(None)
        self._released.set()  # who waits for room learns of it at once

    def interruption(self) -> asyncio.Future[Any]:
        """Is done once ``interrupt`` has been called; who needs it no more cancels it."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.interrupted:
            future.set_result(None)
        else:
            self._listening.add(future)
            future.add_done_callback(self._listening.discard)
        return future

    def limit_reached(self) -> LimitReached | None:
        """The limit that allows no further request; None where one more may be sent."""
        calls, tokens, seconds = self.budget.max_calls, self.budget.max_tokens, self.seconds_left()
        if self.interrupted:
            return LimitReached("interrupted", "interrupted; the best so far is kept")
        if seconds is not None and seconds <= 0:
            return self.budget.seconds_used_up()
        if calls is not None and self.usage.calls + self._reserved_calls >= calls:
            return LimitReached("max_calls", f"the budget of {calls} calls is used up")
        if tokens is not None and self.usage.completion_tokens + self._reserved_tokens >= tokens:
            return LimitReached("max_tokens", f"the budget of {tokens} completion tokens is used up")
        return None

    @property
    def seconds(self) -> float:
        """Wall-clock seconds since the solve began, less the pauses."""
        now = self._clock() if self._paused_at is None else self._paused_at
        return now - self._start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops the clock: while a person thinks, the solve's seconds do not run."""
        self._paused_at = self._clock()
        try:
            yield
        finally:
            self._start += self._clock() - self._paused_at
            self._paused_at = None

    def seconds_left(self) -> float | None:
        limit = self.budget.max_seconds
        return None if limit is None else limit - self.seconds

    def add(self, usage: Usage, reservation: Reservation | None = None, *, model: str = "") -> None:
        """Counts ``usage`` of ``model`` (a backend's identity), taking it out of the reservation of its request."""
        self.usage += usage
        self.by_model[model] = self.by_model.get(model, Usage()) + usage
        if reservation is not None:
            self._take(reservation, min(usage.calls, reservation.calls), usage.completion_tokens)

    def count(self, completion: Completion, reservation: Reservation | None = None, *, model: str = "") -> None:
        """Counts what ``completion``, a reply of ``model``, used; that of each model where several wrote it."""
        for name, used in completion.counted(model).items():
            self.add(used, reservation, model=name)

    async def wait_for_room(self, n: int, max_tokens: int) -> None:
        """Returns once n samples of ``max_tokens`` can be reserved whole, or nobody else holds tokens.

        A request seldom uses all that it has reserved. Near the end of a token budget one that would be cut short, or
        refused, only because of those in flight takes its turn after them. Turns come in the order of asking: small
        requests, one behind the other, do not keep a large one waiting until nothing is left. Who returns must reserve
        before anything else is awaited.
        """
        if self.budget.max_tokens is None:
            return
        async with self._queue:
            while self._crowded(n, max_tokens):
                self._released.clear()
                await self._released.wait()

    def _crowded(self, n: int, max_tokens: int) -> bool:
        tokens = self.budget.max_tokens
        if tokens is None or self._reserved_tokens <= 0 or self.interrupted:
            return False
        return tokens - self.usage.completion_tokens - self._reserved_tokens < n * max_tokens

    def reserve(self, n: int, max_tokens: int) -> Reservation:
        """Sets aside n samples of at most ``max_tokens``, or of as many as are left for each.

        Raises LimitReached where not even one token a sample, or fewer than n calls, are left.
        """
        reached = self.limit_reached()
        if reached is not None:
            raise reached
        calls, tokens = self.budget.max_calls, self.budget.max_tokens
        if calls is not None and self.usage.calls + self._reserved_calls + n > calls:
            raise LimitReached("max_calls", f"the budget of {calls} calls does not allow {n} more")
        if tokens is not None:
            each = (tokens - self.usage.completion_tokens - self._reserved_tokens) // n
            if each < 1:
                raise LimitReached("max_tokens", f"the budget of {tokens} completion tokens is used up")
            max_tokens = min(max_tokens, each)
        self._reserved_calls += n
        self._reserved_tokens += n * max_tokens
        return Reservation(max_tokens, n, n * max_tokens)

    def affordable(self, n: int, max_tokens: int) -> int:
        """How many of n samples may be asked for at once, each with all of ``max_tokens``; never less than 1.

        One sample more may still be cut short, or refused, by ``reserve``.
        """
        calls, tokens = self.budget.max_calls, self.budget.max_tokens
        if calls is not None:
            n = min(n, calls - self.usage.calls - self._reserved_calls)
        if tokens is not None:
            n = min(n, (tokens - self.usage.completion_tokens - self._reserved_tokens) // max_tokens)
        return max(1, n)

    def release(self, reservation: Reservation) -> None:
        """Gives back what is left of a reservation, whatever became of the request."""
        self._take(reservation, reservation.calls, reservation.tokens)
        self._released.set()

    def _take(self, reservation: Reservation, calls: int, tokens: int) -> None:
        tokens = min(tokens, reservation.tokens)
        reservation.calls -= calls
        reservation.tokens -= tokens
        self._reserved_calls -= calls
        self._reserved_tokens -= tokens


_noted: ContextVar[list[Meter] | None] = ContextVar("noted_meters", default=None)


@contextmanager
def noting_meters() -> Iterator[list[Meter]]:
    """The meters that are made within, by this task and those that it starts.

    Who gives a solve up has no solution that says what it used: its meter does, whatever became of it.
    """
    meters: list[Meter] = []
    token = _noted.set(meters)
    try:
        yield meters
    finally:
        _noted.reset(token)
