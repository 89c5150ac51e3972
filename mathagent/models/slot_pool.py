"""Who may use the server's slots: in the order of asking, as many as are free.

llama.cpp runs a request for n samples only when n slots are free at the same moment: under a stream of single
requests it waited for ever (40 s and 86 others here). So a request takes what is free, never more.
"""

from __future__ import annotations

import asyncio
from collections import deque


class TakenSlots:
    """``count`` slots that one request holds until it gives them back, one by one or all that are left."""

    def __init__(self, pool: SlotPool, count: int) -> None:
        self.count = count
        self._pool, self._held = pool, count

    def give_back(self) -> None:
        """Frees one of them; nothing where none is left."""
        if self._held:
            self._held -= 1
            self._pool.free(1)

    def give_back_all(self, _: object = None) -> None:
        """Frees what is left; fit for a done-callback."""
        left, self._held = self._held, 0
        self._pool.free(left)


class SlotPool:
    """``size`` slots, handed out first come, first served. For one event loop."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[tuple[asyncio.Future[TakenSlots], int]] = deque()

    async def take(self, up_to: int) -> TakenSlots:
        """Waits for its turn, then takes at least one and at most ``up_to`` slots."""
        if self._free and not self._waiting:
            return self._grant(up_to)
        turn: asyncio.Future[TakenSlots] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, up_to))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                turn.result().give_back_all()  # granted in the very moment of the cancellation
            raise

    def free(self, count: int) -> None:
        """Frees ``count`` slots and lets the next ones in."""
        self._free += count
        while self._free and self._waiting:
            turn, up_to = self._waiting.popleft()
            if not turn.cancelled():
                turn.set_result(self._grant(up_to))

    def _grant(self, up_to: int) -> TakenSlots:
        count = min(up_to, self._free)
        self._free -= count
        return TakenSlots(self, count)
