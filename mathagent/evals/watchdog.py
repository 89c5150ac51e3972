"""Watchdog: ends code that blocks the whole program without ever waiting, which no deadline of asyncio can."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from typing import Any

BLOCKED_S = 120.0
"""Nothing of ours computes so long in one go; imports take seconds, on a very slow machine tens of them."""


class Blocked(Exception):
    """Raised within the code that blocks."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"it blocked the whole program for {seconds:.0f} seconds and was ended")


class Watchdog:
    """While it is entered (in the main thread, from a running loop), a task that has kept the loop from going on for
    ``limit_s`` seconds gets the exception Blocked; again, should it go on.

    A thread watches, and wakes the main thread by a signal. It ends Python code and system calls that wait; a C
    function that computes is ended only when it returns. Elsewhere (another thread, Windows) it does nothing.
    """

    def __init__(self, limit_s: float = BLOCKED_S) -> None:
        self._limit_s = limit_s
        self._seen = 0.0
        self._left = threading.Event()
        self._beating: asyncio.TimerHandle | None = None
        self._previous: Any = None

    def __enter__(self) -> Watchdog:
        if threading.current_thread() is threading.main_thread() and sys.platform != "win32":
            self._loop = asyncio.get_running_loop()
            self._previous = signal.signal(signal.SIGUSR2, self._bark)
            self._beat()
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._left.set()
        if self._beating is not None:
            self._beating.cancel()
            signal.signal(signal.SIGUSR2, self._previous)

    def _beat(self) -> None:
        self._seen = time.monotonic()
        self._beating = self._loop.call_later(self._limit_s / 10, self._beat)

    def _watch(self) -> None:
        main = threading.main_thread().ident
        while not self._left.wait(self._limit_s / 10):
            if main is not None and time.monotonic() - self._seen > self._limit_s:
                signal.pthread_kill(main, signal.SIGUSR2)

    def _bark(self, *arguments: object) -> None:
        """In the main thread, wherever it is; only a task may be ended, never the loop itself."""
        blocked_s = time.monotonic() - self._seen
        if blocked_s > self._limit_s and not self._left.is_set() and asyncio.current_task(self._loop) is not None:
            self._seen = time.monotonic()  # what does not end by this has as long again
            raise Blocked(blocked_s)
