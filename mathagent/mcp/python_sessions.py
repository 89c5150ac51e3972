"""Python sessions of MCP clients: namespaces that live on between calls, by an id that nobody can guess.

The protocol's newest version has no connections to hang a session on (2026-07-28: every request stands alone), and one
connection may serve several chats. So a session is a handle that a client asks for and names again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from mathagent.errors import MathagentError, UsageError
from mathagent.sandbox.base import Limits, Sandbox, Session
from mathagent.types import Execution

NEW = "new"
LEAST_WATCH_S = 0.01

logger = logging.getLogger("mathagent.mcp")


@dataclass
class _Open:
    session: Session
    used: float
    at_work: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class PythonSessions:
    """At most ``most`` sessions at a time; one that nobody has used for ``idle_s`` seconds is closed, whether or not
    anybody calls meanwhile: a process that idles keeps no memory of what was left behind.

    Where one too many is asked for, the one that was left alone longest makes room; it is gone, and the next call of it
    says so. ``limits`` hold for each cell.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits,
        *,
        most: int,
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sandbox, self._limits, self._most, self._idle_s, self._clock = sandbox, limits, most, idle_s, clock
        self._open: dict[str, _Open] = {}
        self._opening = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    async def run(self, name: str, code: str) -> tuple[str, Execution]:
        """Runs ``code`` in session ``name`` ("new": in a new one); returns the session's name and what happened.

        Raises UsageError for a session that does not exist (any more), SandboxError where none can be opened.
        """
        await self._close_idle()
        if name == NEW:
            name = await self._begin()
        one = self._open.get(name)
        if one is None:
            raise UsageError(
                "there is no such session (any more): sessions end when they are left alone, or make room for others;"
                f" begin another with session='{NEW}' and run again what it needs"
            )
        one.at_work += 1
        try:
            async with one.lock:
                return name, await one.session.run(code)
        finally:
            one.at_work -= 1
            one.used = self._clock()

    async def aclose(self) -> None:
        """Ends all sessions."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        async with AsyncExitStack() as closing:  # all of them, whatever one of them raises
            for name in self._open:
                closing.push_async_callback(self._close, name)

    async def _begin(self) -> str:
        async with self._opening:
            while len(self._open) >= self._most:
                left_alone = [(one.used, name) for name, one in self._open.items() if not one.at_work]
                if not left_alone:
                    raise UsageError(f"{self._most} sessions are at work, which is all there may be; try later")
                await self._close(min(left_alone)[1])
            session = await self._sandbox.session(self._limits)
            name = secrets.token_urlsafe(16)
            self._open[name] = _Open(session, self._clock())
            if self._watching is None or self._watching.done():
                self._watching = asyncio.create_task(self._watch())
            return name

    async def _watch(self) -> None:
        """Closes sessions as they become old, until there are none."""
        while self._open:
            oldest = min(self._clock() if one.at_work else one.used for one in self._open.values())
            await asyncio.sleep(max(LEAST_WATCH_S, oldest + self._idle_s - self._clock()))
            try:
                await self._close_idle()
            except MathagentError:
                logger.exception("a session that was left alone cannot be closed")

    async def _close_idle(self) -> None:
        old = self._clock() - self._idle_s
        for name in [name for name, one in self._open.items() if one.used < old and not one.at_work]:
            await self._close(name)

    async def _close(self, name: str) -> None:
        one = self._open.pop(name, None)
        if one is not None:
            await one.session.aclose()
