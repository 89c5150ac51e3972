"""Gate: how much of a server's work runs at the same time, how much waits, and what those hear who come then."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mathagent.errors import ResourceError

FIRST_GUESS_S = 5.0
"""How long a piece of work is taken to last before the first has ended."""
SMOOTHING = 0.2


class Busy(ResourceError):
    """Too many wait already; trying again after ``retry_after_s`` seconds may help."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Closing(Busy):
    """The server is being shut down."""


class Gate:
    """Lets ``at_once`` in and has ``waiting`` more wait, in order of coming, at most ``longest_s`` seconds (None:
    as long as it takes). ``what`` are they, in the plural."""

    def __init__(
        self, what: str = "solves", *, at_once: int, waiting: int, longest_s: float | None = None
    ) -> None:
        self._what, self._at_once, self._most, self._longest_s = what, at_once, waiting, longest_s
        self._free = asyncio.Semaphore(at_once)
        self._usual_s = FIRST_GUESS_S
        self._closed = asyncio.Event()
        self.running = 0
        self.waiting = 0

    def check(self) -> None:
        """Raises Busy where nobody more is let in, Closing where nobody is."""
        if self._closed.is_set():
            raise Closing("the server is shutting down; try again later", 5)
        if self._free.locked() and self.waiting >= self._most:
            turns = (self.waiting + 1) / self._at_once
            raise Busy(
                f"the server is busy: {self.running} {self._what} run and {self.waiting} wait; try again later",
                max(1, math.ceil(turns * self._usual_s)),
            )

    @property
    def is_closed(self) -> bool:
        return self._closed.is_set()

    def close(self) -> None:
        """Lets nobody in any more; who waits is sent away. Those inside stay."""
        self._closed.set()

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """One turn. Raises as ``check`` does."""
        self.check()
        await self._turn()
        self.running += 1
        began = time.monotonic()
        try:
            yield
        finally:
            self.running -= 1
            self._usual_s += SMOOTHING * (time.monotonic() - began - self._usual_s)
            self._free.release()

    async def _turn(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        self.waiting += 1
        acquiring = asyncio.ensure_future(self._free.acquire())
        closing = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait({acquiring, closing}, timeout=self._longest_s, return_when=asyncio.FIRST_COMPLETED)
            if self._closed.is_set():
                raise Closing("the server is shutting down; try again later", 5)
            if not acquiring.done():
                raise Busy(f"no turn came within {self._longest_s:g} seconds; try again later", 30)
        except BaseException:
            if acquiring.done() and not acquiring.cancelled():
                self._free.release()
            acquiring.cancel()
            raise
        finally:
            closing.cancel()
            self.waiting -= 1
