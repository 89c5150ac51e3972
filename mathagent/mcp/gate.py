"""How much may be done at the same time, and how much may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mathagent.errors import ResourceError


class Gate:
    """Lets ``at_once`` in and has ``waiting`` more wait, in order of coming; who comes then is sent away."""

    def __init__(self, what: str, *, at_once: int, waiting: int) -> None:
        self._what, self._at_once, self._most = what, at_once, waiting
        self._free = asyncio.Semaphore(at_once)
        self._waiting = 0

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """One piece of work. Raises ResourceError where too many wait already."""
        if self._free.locked():
            if self._waiting >= self._most:
                raise ResourceError(
                    f"the server is busy: {self._at_once} {self._what} run and {self._waiting} wait; try again later"
                )
            self._waiting += 1
            try:
                await self._free.acquire()
            finally:
                self._waiting -= 1
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()
