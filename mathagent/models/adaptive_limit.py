"""AdaptiveLimit: how many requests an endpoint is sent at once, found out from when it asks to slow down.

Additive increase, multiplicative decrease (Chiu and Jain, 1989), as TCP does: a refusal halves what is in flight, each
success raises the bound a little. Without a refusal there is no bound: whoever asks has bounds of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

LONGEST_PAUSE_S = 30.0
"""An endpoint that asks for more is asked again after so long: what waits has deadlines of its own."""


class AdaptiveLimit:
    """Slots for requests, handed out first come, first served. For one event loop.

    ``bound`` is None while nothing was refused, and again once the bound has risen above ``peak``, the most that were
    ever in flight. ``clock`` is the event loop's.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self.bound: float | None = None
        self.in_flight = 0
        self.peak = 0
        self._round = 0
        self._paused_until = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._wake: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """Waits for its turn; yields the round that it began in, for ``refused``."""
        if self._waiting or not self._has_room():
            await self._turn()
        else:
            self._take()
        try:
            yield self._round
        finally:
            self.in_flight -= 1
            self._let_in()

    def refused(self, begun: int, retry_after_s: float | None = None) -> None:
        """The endpoint asked the request that began in round ``begun`` to slow down, and to wait so long.

        Requests of the same round that are refused as well tell nothing new: the bound is halved once a round.
        """
        if begun == self._round:
            self._round += 1
            self.bound = max(1.0, self.in_flight / 2)
        if retry_after_s:
            pause = min(retry_after_s, LONGEST_PAUSE_S)
            self._paused_until = max(self._paused_until, self._clock() + pause)

    def succeeded(self) -> None:
        """A reply came: the bound rises by one a round of as many successes."""
        if self.bound is not None:
            self.bound += 1 / self.bound
            if self.bound > self.peak:
                self.bound = None
            self._let_in()

    def _has_room(self) -> bool:
        return (self.bound is None or self.in_flight < max(1, int(self.bound))) and not self.pause_left()

    def pause_left(self) -> float:
        """Seconds until the endpoint wants to be asked again; 0 where it can be now."""
        return max(0.0, self._paused_until - self._clock())

    def _take(self) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in at the very moment of the cancellation
                self.in_flight -= 1
                self._let_in()
            raise

    def _let_in(self) -> None:
        pause = self.pause_left()  # once: were it over only behind the loop, nobody would be woken
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._take()
                turn.set_result(None)
        if self._waiting and pause and self._wake is None:
            self._wake = asyncio.get_running_loop().call_later(pause, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self._let_in()
