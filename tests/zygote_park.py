"""Zygotes that tests share: the start of one takes most of a second of CPU, and every sandbox of a test needs one.

Each process of pytest has a park, a thread that starts zygotes and lends each to one sandbox at a time: to those of
its own tests and of the processes that preforked.py starts for them. A zygote never sees a program (inside/zygote.py),
so the next one finds it as the last one did. One that is not given back clean (its user was killed, a clone of it would
not end) is ended. Tests that are about zygotes themselves are marked ``own_zygotes``;
``MATHAGENT_TESTS_NEW_PROCESSES`` switches the park off.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mathagent.errors import SandboxError
from mathagent.sandbox.cgroup import Cgroup
from mathagent.sandbox.jail import Jail
from mathagent.sandbox.zygote_host import ZygoteHost
from mathagent.sandbox.zygote_link import Hello, ZygoteLink

ADDRESS = "MATHAGENT_TESTS_ZYGOTES"
"""The variable that holds the path of the park's socket."""
MOST_PARKED = 4
CLEAN_S = 2.0
"""How long the clones of a sandbox that closes may take to end."""

start_own, close_own = ZygoteHost.start, ZygoteHost.aclose


class Park:
    """The zygotes of this process, and the thread that starts and lends them."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mathagent-tests-")
        self.address = str(Path(self._folder.name) / "zygotes")
        self._parked: dict[str, list[ZygoteHost]] = {}
        self._lent = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        serving = asyncio.start_unix_server(self._serve, self.address)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()

    def close(self) -> None:
        """Ends what is parked; what is lent ends with who has it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for hosts in self._parked.values():
            for host in hosts:
                host.link.let_go()
                host._clean_up()
        self._folder.cleanup()

    def empty(self) -> None:
        """Ends what is parked, for tests that look at all processes below them."""

        async def end() -> None:
            for hosts in self._parked.values():
                while hosts:
                    await close_own(hosts.pop())

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Lends one zygote for as long as the connection lasts: request, answer with its channel, ``clean`` or end."""
        line = await reader.readline()
        if not line:
            return
        wanted = json.loads(line)
        host = None
        try:
            host = await self._taken(wanted)
            self._lent += 1
            control = host.link._control
            answer = {
                "base": str(host.base),
                "jail": host.jail.model_dump(mode="json"),
                "hello": host.link.hello.model_dump(mode="json"),
                "cgroup": None if host.cgroup is None else [str(folder) for folder in host.cgroup.folders],
                "first": self._lent << 32,
                "pid": host.link.process.pid,
            }
            host.link._loop.remove_reader(control)  # whoever has it hears what it says
            await _send_fd(writer, json.dumps(answer).encode() + b"\n", control.fileno())
            is_clean = await reader.read() == b"clean"
        except SandboxError as error:
            writer.write(json.dumps({"error": str(error)}).encode() + b"\n")
            is_clean = False
        except OSError:
            is_clean = False
        with suppress(OSError):
            writer.close()
        if host is None:
            return
        parked = self._parked.setdefault(_key(wanted), [])
        if is_clean and host.link.process.poll() is None and len(parked) < MOST_PARKED:
            parked.append(host)
        else:
            await close_own(host)

    async def _taken(self, wanted: dict[str, Any]) -> ZygoteHost:
        parked = self._parked.get(_key(wanted), [])
        while parked:
            host = parked.pop()
            if host.link.process.poll() is None:
                return host
            await close_own(host)
        preload = wanted["preload"]
        host = ZygoteHost(wanted["without"], None if preload is None else tuple(preload))
        await start_own(host)
        return host


async def _send_fd(writer: asyncio.StreamWriter, data: bytes, fd: int) -> None:
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as plain:
        socket.send_fds(plain, [data], [fd])


def _key(wanted: dict[str, Any]) -> str:
    return json.dumps([wanted["without"], wanted["preload"]])


class BorrowedLink(ZygoteLink):
    """A link to a zygote of the park: ``let_go`` and ``reap`` give it back."""

    def __init__(self, told: dict[str, Any], control: socket.socket, lender: socket.socket) -> None:
        self.jail = Jail.model_validate(told["jail"])
        self.hello = Hello.model_validate(told["hello"])
        self.lost = False
        self.process = _Process(told["pid"])  # type: ignore[assignment]
        self._lender = lender
        self._clones = {}
        self._count = told["first"]  # no clone of an earlier user has such a number
        self._loop = asyncio.get_running_loop()
        self._hello = self._loop.create_future()
        self._hello.set_result(self.hello)
        self._control = control
        self._kept: socket.socket | None = None
        self._ending: set[int] = set()
        control.setblocking(False)
        self._loop.add_reader(control, self._readable)

    def let_go(self) -> None:
        """Kills the clones, and hears nothing more in the loop."""
        if not self.lost:
            self._kept, self._ending = self._control.dup(), set(self._clones)
        self._lose()

    def reap(self) -> None:
        """Waits for the clones' ends and gives the zygote back; one that has ended, or whose clones go on, unclean."""
        kept, self._kept = self._kept, None
        with self._lender:
            if kept is None:
                return
            with kept, suppress(OSError):
                self._wait_for_ends(kept)
                self._lender.sendall(b"clean")

    def _wait_for_ends(self, control: socket.socket) -> None:
        """Raises OSError where the zygote or a clone does not do its part."""
        until = time.monotonic() + CLEAN_S
        control.setblocking(True)
        while self._ending:
            control.settimeout(max(0.01, until - time.monotonic()))
            data, fds, _, _ = socket.recv_fds(control, 65_536, 1, socket.MSG_CMSG_CLOEXEC)
            if not data:
                raise OSError("it has ended")
            for fd in fds:  # it was asked for just before: killed as it comes
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(fd, signal.SIGKILL)
                os.close(fd)
            if not fds:
                self._ending.discard(json.loads(data)["id"])
        control.setblocking(False)


class _Process:
    """What is asked of the ``Popen`` of another process's child."""

    def __init__(self, pid: int) -> None:
        self.pid = pid


async def start(host: ZygoteHost) -> None:
    """``ZygoteHost.start`` with a zygote of the park, where there is one."""
    address = os.environ.get(ADDRESS)
    if not address:
        await start_own(host)
        return
    lender = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lender.connect(address)
        wanted = {"without": sorted(host._without), "preload": host._preload}
        lender.sendall(json.dumps(wanted).encode() + b"\n")
        told, control = await asyncio.get_running_loop().run_in_executor(None, _received, lender)
    except BaseException:
        lender.close()
        raise
    host.base = Path(told["base"])
    host.link = BorrowedLink(told, control, lender)
    host.jail = host.link.jail
    host.cgroup = None if told["cgroup"] is None else Cgroup([Path(folder) for folder in told["cgroup"]])


def _received(lender: socket.socket) -> tuple[dict[str, Any], socket.socket]:
    data, fds, _, _ = socket.recv_fds(lender, 1 << 20, 1, socket.MSG_CMSG_CLOEXEC)
    told = json.loads(data or b'{"error": "the park of zygotes has ended"}')
    if "error" in told:
        raise SandboxError(told["error"])
    return told, socket.socket(fileno=fds[0])


async def close(host: ZygoteHost) -> None:
    """``ZygoteHost.aclose``: a borrowed zygote goes back as it was, with its folder and its cgroup."""
    if not isinstance(host.link, BorrowedLink):
        await close_own(host)
        return
    host.link.let_go()
    await asyncio.get_running_loop().run_in_executor(None, host.link.reap)


def borrow() -> None:
    """From now on the sandboxes of this process borrow their zygotes where ``ADDRESS`` names a park."""
    ZygoteHost.start, ZygoteHost.aclose = start, close  # type: ignore[method-assign]


_park: list[Park] = []


def open_park() -> None:
    """From now on the sandboxes of this process, and of those that preforked.py forks, borrow from a park in it."""
    if sys.platform == "linux" and "MATHAGENT_TESTS_NEW_PROCESSES" not in os.environ and not _park:
        borrow()
        _park.append(Park())
        os.environ[ADDRESS] = _park[0].address


@contextmanager
def none_lent() -> Iterator[None]:
    """Within it sandboxes start zygotes of their own, and none of the park's runs."""
    for park in _park:
        park.empty()
    address = os.environ.pop(ADDRESS, None)
    try:
        yield
    finally:
        if address is not None:
            os.environ[ADDRESS] = address


def close_park() -> None:
    """Ends it; safe to call twice."""
    while _park:
        _park.pop().close()
