"""Allowance: what a key may use in a day, counted while its solves run."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from mathagent.errors import ResourceError
from mathagent.server.options import ServerKey
from mathagent.server.store import SolutionStore


class UsedUp(ResourceError):
    """A key has used what it may in a day; the next begins in ``retry_after_s`` seconds."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass
class _Use:
    """What a key has used in one day, and how many of the solves that count for that day still run."""

    solves: int = 0
    tokens: int = 0
    running: int = 0


class Allowance:
    """The day's use of all keys. Replies count when they come, so that solves at the same time share what is left.

    A solve is let in (``admit``), and counts for the day on which it begins, whenever it ends. One that never begins,
    since the server is busy or its client has gone, costs nothing.
    """

    def __init__(self, store: SolutionStore) -> None:
        self._store = store
        self._uses: dict[tuple[str, str], _Use] = {}
        self._waiting: Counter[str] = Counter()
        self._admitting = asyncio.Lock()

    async def admit(self, key: ServerKey) -> None:
        """Sets one solve of ``key`` aside, until it begins or is given back. Raises UsedUp, or StorageError."""
        async with self._admitting:  # of two that come at once, the second must see the first
            if _is_limited(key):
                await self._check(key)
            self._waiting[key.name] += 1

    def give_back(self, key: ServerKey) -> None:
        """A solve that was set aside does not begin."""
        self._waiting[key.name] -= 1

    def begin(self, key: ServerKey) -> str:
        """A solve that was set aside begins; returns the day that it counts for. ``note`` must follow."""
        self._waiting[key.name] -= 1
        day = today()
        use = self._use(key, day)
        use.solves += 1
        use.running += 1
        return day

    async def note(self, key: ServerKey, day: str) -> None:
        """Writes down that a solve has begun. Raises StorageError."""
        if _is_limited(key):
            await self._store.use(key.name, day, solves=1)

    def spend(self, key: ServerKey, day: str, tokens: int) -> bool:
        """Counts completion tokens as they come; whether ``key`` has some left."""
        use = self._use(key, day)
        use.tokens += tokens
        return key.tokens_per_day is None or use.tokens < key.tokens_per_day

    async def end(self, key: ServerKey, day: str, *, counted: int, used: int) -> None:
        """A solve ends: writes down what it has really used, of which ``counted`` was told to ``spend``."""
        self.spend(key, day, used - counted)
        self._use(key, day).running -= 1
        self._forget_days_before(today())
        if _is_limited(key):
            await self._store.use(key.name, day, tokens=used)

    async def _check(self, key: ServerKey) -> None:
        day = today()
        solves, tokens = await self._store.used(key.name, day)
        use = self._use(key, day)  # another server may have used some of it: both count what they know of
        use.solves, use.tokens = max(solves, use.solves), max(tokens, use.tokens)
        for what, used, most in (
            ("solves", use.solves + self._waiting[key.name], key.solves_per_day),
            ("completion tokens", use.tokens, key.tokens_per_day),
        ):
            if most is not None and used >= most:
                raise UsedUp(f"this key has used its {most} {what} of today (UTC)", _seconds_to_midnight())

    def _use(self, key: ServerKey, day: str) -> _Use:
        return self._uses.setdefault((key.name, day), _Use())

    def _forget_days_before(self, day: str) -> None:
        self._uses = {place: use for place, use in self._uses.items() if use.running or place[1] >= day}


def _is_limited(key: ServerKey) -> bool:
    return key.solves_per_day is not None or key.tokens_per_day is not None


def today() -> str:
    """The day that counts now (UTC)."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def _seconds_to_midnight() -> int:
    return math.ceil(86400 - time.time() % 86400)
