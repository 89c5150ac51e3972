"""The trusted side's end of a program's outputs: read in the event loop, with a cap while reading."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress


class Pipe:
    """Reads a pipe in the loop up to ``cap`` bytes; the rest is not read, and ``overflow`` is called once."""

    def __init__(self, cap: int, overflow: Callable[[], None]) -> None:
        self.cap, self.overflow = cap, overflow
        self.data = bytearray()
        self.loop = asyncio.get_running_loop()
        self.eof = self.loop.create_future()
        self.read_fd, self.write_fd = os.pipe()

    def start(self) -> None:
        """Closes our copy of the writing end and begins to read."""
        os.close(self.write_fd)
        self.write_fd = -1
        if sys.platform == "win32":  # no loop there can wait for an anonymous pipe
            threading.Thread(target=self._read_in_thread, daemon=True).start()
        else:
            os.set_blocking(self.read_fd, False)
            self.loop.add_reader(self.read_fd, self._readable)

    def drain(self) -> bytes:
        """What has been written so far, with what is still in the pipe (not on Windows), and starts anew."""
        if sys.platform != "win32" and self.read_fd >= 0 and not self.eof.done():
            with suppress(BlockingIOError):
                while not self.eof.done():
                    self._feed(os.read(self.read_fd, 65_536))
        data = bytes(self.data)
        self.data.clear()
        return data

    def close(self) -> None:
        """Closes both ends; safe to call twice."""
        if self.read_fd >= 0 and sys.platform != "win32":
            self.loop.remove_reader(self.read_fd)
        for fd in (self.read_fd, self.write_fd):
            if fd >= 0:
                os.close(fd)
        self.read_fd = self.write_fd = -1
        if not self.eof.done():
            self.eof.set_result(None)

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            self._feed(os.read(self.read_fd, 65_536))

    def _read_in_thread(self) -> None:
        data = b"?"
        while data and len(self.data) < self.cap:
            data = os.read(self.read_fd, 65_536)
            self.loop.call_soon_threadsafe(self._feed, data)

    def _feed(self, data: bytes) -> None:
        room = self.cap - len(self.data)
        self.data += data[:room]
        if data and len(data) <= room:
            return
        if self.read_fd >= 0 and sys.platform != "win32":
            self.loop.remove_reader(self.read_fd)
        if len(data) > room:
            self.overflow()
        if not self.eof.done():
            self.eof.set_result(None)
