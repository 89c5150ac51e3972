"""The link to a server in a container: the engine's attach socket, its multiplexed streams, and threads that block."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from mathagent.sandbox.link import LAST_WORDS_S, Tail

T = TypeVar("T")

KILL_S = 10.0
"""How long the engine may take to kill a container; the next start removes what it left."""

_STDOUT, _STDERR = 1, 2
_HEADER_BYTES = 8


class DaemonThread:
    """Runs blocking calls one after another in a thread that never holds up the end of the process."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(self, function: Callable[[], T]) -> T:
        """The result of ``function``. A cancelled call runs on, and its result is dropped."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)  # type: ignore[arg-type]
            else:
                future.set_exception(error)

        def work() -> None:
            result, failure = None, None
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - raised again where the call is awaited
                failure = error
            with suppress(RuntimeError):  # the loop has been closed: nobody waits
                loop.call_soon_threadsafe(settle, result, failure)

        self._calls.put(work)
        return await future

    def close(self) -> None:
        """Ends the thread after the calls that it has; safe to call twice."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


async def in_thread(function: Callable[[], T], name: str = "mathagent-docker") -> T:
    """The result of one blocking call in a daemon thread of its own."""
    thread = DaemonThread(name)
    try:
        return await thread.call(function)
    finally:
        thread.close()


class Demultiplexer:
    """Takes apart what the engine sends of a container without a terminal: chunks of stdout and stderr.

    A chunk is a header (the stream's number, three zero bytes, a big-endian length) and its bytes. Chunks are passed
    on as they come: a long one is never gathered.
    """

    def __init__(self) -> None:
        self.stderr = Tail()
        self._header = b""
        self._stream = self._left = 0

    def feed(self, data: bytes) -> bytes:
        """The bytes of stdout in ``data``. Raises ConnectionError for what is no such stream."""
        stdout = bytearray()
        while data:
            if self._left == 0:
                taken = _HEADER_BYTES - len(self._header)
                self._header, data = self._header + data[:taken], data[taken:]
                if len(self._header) == _HEADER_BYTES:
                    self._begin_chunk()
                continue
            chunk, data = data[: self._left], data[self._left :]
            self._left -= len(chunk)
            if self._stream == _STDOUT:
                stdout += chunk
            else:
                self.stderr.feed(chunk)
        return bytes(stdout)

    def _begin_chunk(self) -> None:
        self._stream, self._left = self._header[0], int.from_bytes(self._header[4:], "big")
        if self._stream not in (_STDOUT, _STDERR) or any(self._header[1:4]):
            raise ConnectionError("the engine's stream is not multiplexed as it should be")
        self._header = b""


def close_attached(attached: Any) -> None:
    """Closes the socket that the SDK gave for a container's streams, with all that hangs on it."""
    # The HTTP response hangs on the SDK's file object; it closes that too, and complains where it cannot any more.
    for end in (getattr(attached, "_response", attached), getattr(attached, "_sock", attached)):
        with suppress(OSError):
            end.close()


class ContainerLink:
    """The stdin and stdout of ``container``, through ``attached``, the socket that the SDK gave for them.

    Made before the container starts, so that nothing it says is missed. Two threads read and write, because on some
    platforms the socket can only block.
    """

    def __init__(self, container: Any, attached: Any) -> None:
        self.container = container
        self._attached = attached
        # The SDK gives a read-only file object around a socket; a named pipe on Windows is its own socket.
        self._socket = getattr(attached, "_sock", attached)
        self._socket.settimeout(None)  # else the SDK's own time-out ends a quiet connection
        self._reader, self._writer = DaemonThread("mathagent-docker-read"), DaemonThread("mathagent-docker-write")
        self._streams = Demultiplexer()
        self._ended = asyncio.Event()
        self._closed = False

    async def read(self, n: int) -> bytes:
        while True:
            data = await self._reader.call(lambda: self._socket.recv(n))
            if not data:
                self._ended.set()
                return b""
            if stdout := self._streams.feed(data):
                return stdout

    async def write(self, data: bytes) -> None:
        await self._writer.call(lambda: self._socket.sendall(data))

    async def last_words(self) -> str:
        said = self._streams.stderr.line()
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                state = await in_thread(self._state)
        except (TimeoutError, OSError):
            state = "the engine says nothing about it"
        return f"{state}: {said}" if said else state

    async def aclose(self, grace_s: float) -> None:
        if self._closed:
            return
        self._closed = True
        if grace_s > 0:
            with suppress(OSError, NotImplementedError):  # a Windows pipe has no half-close: it is killed then
                self._socket.shutdown(socket.SHUT_WR)
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._ended.wait()
        with suppress(OSError, NotImplementedError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes both threads; a mere close would not
        with suppress(TimeoutError):
            async with asyncio.timeout(KILL_S):
                await in_thread(self._kill)
        close_attached(self._attached)
        self._reader.close()
        self._writer.close()

    def _state(self) -> str:
        from docker.errors import DockerException

        try:
            self.container.reload()
        except DockerException:
            return "the container is gone"
        state = self.container.attrs.get("State", {})
        if state.get("OOMKilled"):
            return "the container ran out of memory"
        return f"the container is {state.get('Status')}, exit code {state.get('ExitCode')}"

    def _kill(self) -> None:
        from docker.errors import DockerException

        with suppress(DockerException, OSError):  # it has ended already; what is left, the next start removes
            self.container.kill()
