"""What Ctrl-C means: the first asks for the best so far, the second gives up, and at a prompt it is a key."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Interruptible:
    """Owns ``signals`` while it is entered (from a running event loop); outside ``run`` they do nothing.

    All mean the same. Where signals cannot be had (another thread than the main one), ``run`` just runs.
    """

    def __init__(self, signals: Sequence[signal.Signals] = (signal.SIGINT,)) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signals = signals
        self._previous: dict[signal.Signals, Any] = {}
        self._task: asyncio.Task[Any] | None = None
        self._interrupt = asyncio.Event()
        self._on_interrupt: Callable[[], None] = lambda: None

    def __enter__(self) -> Interruptible:
        if threading.current_thread() is threading.main_thread():
            loop = self._loop = asyncio.get_running_loop()
            for one in self._signals:
                self._previous[one] = signal.getsignal(one)
                try:
                    loop.add_signal_handler(one, self.received)
                except NotImplementedError:  # Windows: wake the loop by hand
                    signal.signal(one, lambda *_: loop.call_soon_threadsafe(self.received))
        return self

    def __exit__(self, *exception: object) -> None:
        if self._loop is None:
            return
        loop, self._loop = self._loop, None
        for one, previous in self._previous.items():
            try:
                loop.remove_signal_handler(one)
            except NotImplementedError:
                pass
            finally:
                signal.signal(one, previous)

    async def run(
        self, start: Callable[[asyncio.Event], Coroutine[Any, Any, T]], on_interrupt: Callable[[], None]
    ) -> T | None:
        """The result of ``start(interrupt)``, or None where a second Ctrl-C cancelled it.

        The first Ctrl-C sets ``interrupt`` and calls ``on_interrupt``. Being cancelled itself cancels the work.
        """
        self._interrupt, self._on_interrupt = asyncio.Event(), on_interrupt
        self._task = asyncio.ensure_future(start(self._interrupt))
        try:
            await asyncio.wait({self._task})
            return None if self._task.cancelled() else self._task.result()
        finally:
            self._task.cancel()
            self._task = None

    def give_up(self) -> None:
        """Cancels the work, as a second Ctrl-C does."""
        if self._task is not None:
            self._task.cancel()

    def received(self) -> None:
        """Ctrl-C was pressed (or another of the signals came); for who reads keys, to whom it comes as one."""
        if self._task is None:
            return
        if self._interrupt.is_set():
            self.give_up()
            return
        self._interrupt.set()
        self._on_interrupt()
