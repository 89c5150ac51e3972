"""The events of a solve as an async iterator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from mathagent.events import Event


async def events_of(
    solve: Callable[[Callable[[Event], None]], Coroutine[Any, Any, object]],
) -> AsyncGenerator[Event]:
    """The events that ``solve`` tells the callback which it is given, as they happen, wherever it is called.

    Raises what ends the solve. Closing the generator cancels it and waits until it has cleaned up.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Event | None] = asyncio.Queue()

    def on_event(event: Event) -> None:
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is loop:
            queue.put_nowait(event)
        else:
            loop.call_soon_threadsafe(queue.put_nowait, event)

    task = asyncio.ensure_future(solve(on_event))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (event := await queue.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # it is nobody's business any more where the iterator was closed
