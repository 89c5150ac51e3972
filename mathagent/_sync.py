"""The one bridge from synchronous callers to our async code: a daemon thread with one event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

CLEANUP_S = 10.0
"""How long an interrupted call waits for its coroutine to close what it opened."""

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    with _lock:
        # A fork leaves the loop behind without its thread.
        if _loop is None or _thread is None or not _thread.is_alive():
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="mathagent-loop", daemon=True)
            _thread.start()
        return _loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs ``coroutine`` on the shared loop and returns its result.

    Works in Jupyter and in any thread but the loop's own, where it raises RuntimeError. An exception here (Ctrl-C
    included) cancels the coroutine and waits for its cleanup, at most ``CLEANUP_S`` seconds.
    """
    loop = _running_loop()
    if threading.current_thread() is _thread:
        coroutine.close()
        raise RuntimeError("this is mathagent's own event loop; await the async function instead of its sync form")
    tasks: list[asyncio.Task[T]] = []
    ended = threading.Event()

    def begin() -> None:
        tasks.append(loop.create_task(coroutine))
        tasks[0].add_done_callback(lambda _: ended.set())

    loop.call_soon_threadsafe(begin)
    try:
        ended.wait()
    except BaseException:
        loop.call_soon_threadsafe(lambda: tasks[0].cancel())
        ended.wait(CLEANUP_S)
        raise
    return tasks[0].result()


def iterate(source: AsyncIterator[T]) -> Iterator[T]:
    """Yields what ``source`` yields, one item at a time, from the shared loop; closes it when the caller stops."""

    async def step() -> tuple[bool, T | None]:
        try:
            return True, await anext(source)
        except StopAsyncIteration:
            return False, None

    try:
        while True:
            more, item = run(step())
            if not more:
                return
            yield item  # type: ignore[misc]
    finally:
        if isinstance(source, AsyncGenerator):
            run(source.aclose())
