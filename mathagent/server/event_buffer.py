"""EventBuffer: the events of a solve on their way to one client, who may read slowly."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from mathagent.events import Event, ModelReplied, TokenDelta


class _Waiting:
    """An event that waits to be read; of a piece of a reply, with the pieces that came behind it."""

    def __init__(self, event: Event) -> None:
        self.event, self.more = event, list[str]()


class EventBuffer:
    """Keeps what is not read yet. Pieces of the same reply that wait are joined, so that a reader who is slow gets
    fewer and larger ones, and what is kept is bounded by what the solve writes."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._last: dict[tuple[str, int], _Waiting] = {}
        self._news = asyncio.Event()
        self._ended = False

    def put(self, event: Event) -> None:
        """Adds ``event``."""
        if isinstance(event, TokenDelta):
            last = self._last.get((event.role, event.sample))
            if last is not None:
                last.more.append(event.text)
                return
        one = _Waiting(event)
        self._waiting.append(one)
        if isinstance(event, TokenDelta):
            self._last[event.role, event.sample] = one
        elif isinstance(event, ModelReplied):
            self._last.pop((event.role, event.sample), None)
        self._news.set()

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._news.set()

    def __len__(self) -> int:
        return len(self._waiting)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while self._waiting:
                yield self._take()
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()

    def _take(self) -> Event:
        one = self._waiting.popleft()
        if isinstance(one.event, TokenDelta):
            key = (one.event.role, one.event.sample)
            if self._last.get(key) is one:
                del self._last[key]
            if one.more:
                return one.event.model_copy(update={"text": "".join((one.event.text, *one.more))})
        return one.event
