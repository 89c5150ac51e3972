"""Allowance: what a key may use in a day, counted while its solves run."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime

from mathagent.errors import ResourceError
from mathagent.server.options import ServerKey
from mathagent.server.store import SolutionStore


class UsedUp(ResourceError):
    """A key has used what it may in a day; the next begins in ``retry_after_s`` seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Allowance:
    """The day's use of all keys. Replies count when they come, so that solves at the same time share what is left."""

    def __init__(self, store: SolutionStore) -> None:
        self._store = store
        self._tokens: dict[tuple[str, str], int] = {}
        self._beginning = asyncio.Lock()

    async def begin(self, key: ServerKey) -> str:
        """Counts one more solve of ``key``; returns the day that it counts for. Raises UsedUp, or StorageError."""
        day = today()
        if key.solves_per_day is None and key.tokens_per_day is None:
            return day
        async with self._beginning:  # of two that come at once, the second must see the first
            await self._begin(key, day)
        return day

    async def _begin(self, key: ServerKey, day: str) -> None:
        solves, stored = await self._store.used(key.name, day)
        tokens = max(stored, self._tokens.get((key.name, day), 0))
        self._tokens = {place: count for place, count in self._tokens.items() if place[1] == day}
        self._tokens[key.name, day] = tokens
        for what, used, most in (
            ("solves", solves, key.solves_per_day),
            ("completion tokens", tokens, key.tokens_per_day),
        ):
            if most is not None and used >= most:
                raise UsedUp(f"this key has used its {most} {what} of today (UTC)", _seconds_to_midnight())
        await self._store.use(key.name, day, solves=1)

    def spend(self, key: ServerKey, day: str, tokens: int) -> bool:
        """Counts completion tokens as they come; whether ``key`` has some left."""
        if key.tokens_per_day is None:
            return True
        self._tokens[key.name, day] = spent = self._tokens.get((key.name, day), 0) + tokens
        return spent < key.tokens_per_day

    async def end(self, key: ServerKey, day: str, *, counted: int, used: int) -> None:
        """Writes down what a solve has really used, of which ``counted`` was told to ``spend``."""
        self.spend(key, day, used - counted)
        if key.solves_per_day is not None or key.tokens_per_day is not None:
            await self._store.use(key.name, day, tokens=used)


def today() -> str:
    """The day that counts now (UTC)."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def _seconds_to_midnight() -> int:
    return math.ceil(86400 - time.time() % 86400)
