"""Links: the pair of byte streams between a client and a sandbox server, and how to end the server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from mathagent.config import child_environment
from mathagent.errors import SandboxError

TAIL_BYTES = 8_192
"""How much of what a server writes to stderr is kept, for the message about its end."""
LAST_WORDS_S = 1.0
"""How long to wait for a server's exit code and the rest of its stderr once its stdout has ended."""


class Link(Protocol):
    """A byte stream to a server and one back. One task reads, another writes."""

    async def read(self, n: int) -> bytes:
        """1 to ``n`` bytes from the server; none at the end. Raises OSError where the link is broken."""
        ...

    async def write(self, data: bytes) -> None:
        """Sends all of ``data``. Raises OSError where the link is broken."""
        ...

    async def last_words(self) -> str:
        """What is known about why the server ended: one short line, from strangers. Call after the end of reading."""
        ...

    async def aclose(self, grace_s: float) -> None:
        """Ends the server's input, waits up to ``grace_s`` for its end, kills it then, and frees everything.

        Never raises for what the server does; safe to call twice.
        """
        ...


OpenLink = Callable[[], Awaitable[Link]]


class Tail:
    """The last bytes of a stream that nobody trusts, as one line of printable text."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        self._data = (self._data + data)[-TAIL_BYTES:]

    def line(self, max_chars: int = 300) -> str:
        """The last line that is not blank, with anything unprintable replaced; empty where there is none."""
        lines = self._data.decode("utf-8", "replace").strip().splitlines() or [""]
        return one_line(lines[-1][-max_chars:], max_chars)


def one_line(text: str, max_chars: int) -> str:
    """At most ``max_chars`` characters of a stranger's ``text``, each that does not print replaced."""
    return "".join(char if char.isprintable() else "�" for char in text[:max_chars])


class CommandLink:
    """A server that runs as a command of this machine, spoken to on its stdin and stdout."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._tail = Tail()
        self._listening = asyncio.ensure_future(self._listen())

    async def read(self, n: int) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.read(n)

    async def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        await self.process.stdin.drain()

    async def last_words(self) -> str:
        ending = asyncio.ensure_future(self.process.wait())
        await asyncio.wait([ending, self._listening], timeout=LAST_WORDS_S)
        ending.cancel()
        code = self.process.returncode
        known = "still running" if code is None else f"exit code {code}"
        return f"{known}: {said}" if (said := self._tail.line()) else known

    async def aclose(self, grace_s: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        ending = asyncio.ensure_future(self.process.wait())
        await asyncio.wait([ending], timeout=grace_s)
        if self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                if sys.platform == "win32":
                    self.process.kill()
                else:
                    os.killpg(self.process.pid, signal.SIGKILL)
        await ending
        self._listening.cancel()

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        while data := await self.process.stderr.read(TAIL_BYTES):
            self._tail.feed(data)


async def open_command(command: Sequence[str]) -> CommandLink:
    """Starts ``command``, which must run ``mathagent.sandbox.serve`` in the end (``ssh host …`` does too).

    It gets none of our environment but what a program needs to start. Raises SandboxError where it does not start.
    """
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=child_environment(), start_new_session=True
        )
    except OSError as error:
        raise SandboxError(f"the sandbox server {command[0]!r} does not start: {error}") from error
    return CommandLink(process)
