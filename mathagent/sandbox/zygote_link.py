"""The trusted side's link to one zygote: it starts it, asks for clones, and hears how they ended."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from mathagent.errors import SandboxError
from mathagent.sandbox.jail import Jail, environment
from mathagent.sandbox.pipes import Pipe
from mathagent.sandbox.scratch import DROP_TO
from mathagent.types import Value

START_S = 60.0
END_S = 2.0
STATUS_S = 0.5
"""How long a process whose channel has closed may take to end."""
_MESSAGE_BYTES = 65_536
_STDERR_BYTES = 16_384
_PID = re.compile(r"^Pid:\s+(\d+)$", re.MULTILINE)


class Hello(Value):
    """What holds in the clones of a zygote; ``why`` says for a layer that does not hold what the kernel answered."""

    namespaces: bool
    landlock: int
    seccomp: bool
    rlimits: bool
    uid: int
    why: dict[str, str]


class CloneExit(Value):
    """How a clone ended, as its zygote was told by the kernel. ``lost``: the zygote ended first."""

    status: int = 0
    cpu_s: float = 0.0
    peak_kb: int = 0
    lost: bool = False
    failed: str = ""


class Clone:
    """One process of a zygote. ``exited`` is done when the kernel has reported its end."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[CloneExit] = loop.create_future()
        self.pidfd = -1
        self._killed = self._closed = False

    def kill(self) -> None:
        """Kills the process, and with it its PID namespace; at once when its pidfd has come, else then."""
        self._killed = True
        self.send(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process itself."""
        if self.pidfd >= 0 and not self.exited.done():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, number)

    def pid(self) -> int:
        """Its number as this process sees it; 0 if unknown."""
        return pid_of(self.pidfd)

    async def wait_status(self) -> int | None:
        """The wait status, once the zygote has told; None where it does not."""
        await asyncio.wait([self.exited], timeout=STATUS_S)
        how = self.exited.result() if self.exited.done() else CloneExit(lost=True)
        return None if how.lost else how.status

    def attach(self, pidfd: int) -> None:
        """Takes the pidfd over."""
        self.pidfd = pidfd
        if self._closed:
            self.close()
        elif self._killed:
            self.kill()

    def close(self) -> None:
        """Kills the process if it still runs, and closes the pidfd (one that is still to come, too)."""
        self._closed = True
        self.kill()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def end(self, how: CloneExit) -> None:
        """Notes the end; only the first counts."""
        if not self.exited.done():
            self.exited.set_result(how)


class ZygoteLink:
    """A running zygote. Open one with ``open``; ``lost`` turns true when it has ended."""

    def __init__(self, jail: Jail) -> None:
        self.jail = jail
        self.lost = False
        self.hello: Hello
        self._loop = asyncio.get_running_loop()
        self._hello: asyncio.Future[Hello] = self._loop.create_future()
        self._clones: dict[int, Clone] = {}
        self._count = 0
        self._stderr = Pipe(_STDERR_BYTES, lambda: None)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        try:
            self.process = subprocess.Popen(
                (*jail.command, str(theirs.fileno()), str(DROP_TO)),
                stdin=subprocess.DEVNULL,
                stdout=self._stderr.write_fd,  # a pipe, as in clones: Python's streams ask what they are
                stderr=self._stderr.write_fd,
                pass_fds=(theirs.fileno(),),
                env=environment(jail.scratch),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            self._stderr.close()
            raise SandboxError(f"the sandbox cannot be started: {error}") from error
        finally:
            theirs.close()
        self._stderr.start()
        ours.setblocking(False)
        self._loop.add_reader(ours, self._readable)

    @classmethod
    async def open(cls, jail: Jail, plan: dict[str, Any], filters: dict[str, bytes]) -> ZygoteLink:
        """Starts a zygote and waits until it can serve. Raises SandboxError."""
        link = cls(jail)
        try:
            fds = [memory_file(data) for data in filters.values()]
            try:
                link._send(plan | {"filter_names": list(filters)}, fds)
            finally:
                for fd in fds:
                    os.close(fd)
            async with asyncio.timeout(START_S):
                link.hello = await link._hello
        except (TimeoutError, EOFError) as error:
            await asyncio.wait([link._stderr.eof], timeout=0.5)
            link.close()
            slow = f"no sign of it in {START_S:g} s (is the machine overloaded?)"
            silent = slow if isinstance(error, TimeoutError) else "it ended without a message"
            said = bytes(link._stderr.data).decode("utf-8", "replace").strip().splitlines() or [silent]
            raise SandboxError(f"the sandbox did not start: {said[-1]}; see `mathagent doctor`") from None
        except BaseException:
            link.close()
            raise
        return link

    def clone(self, request: dict[str, Any], fds: list[int]) -> Clone:
        """Asks for a clone; ``fds`` stay the caller's. Raises SandboxError where the zygote has ended."""
        clone = Clone()
        self._count += 1
        self._clones[self._count] = clone
        self._send(request | {"id": self._count}, fds)
        return clone

    def close(self) -> None:
        """Ends the zygote with all its clones; blocks until the kernel has done so. Safe to call twice."""
        self.let_go()
        self.reap()

    def let_go(self) -> None:
        """Closes the channel, at which the zygote ends. From the event loop's own thread."""
        self._lose()
        self._stderr.close()

    def reap(self) -> None:
        """Waits until the zygote has ended, and with it every clone. Blocks; from any thread."""
        try:
            self.process.wait(END_S)  # a killed bubblewrap would not wait for what is inside
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _send(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], fds)
        except BlockingIOError:
            raise SandboxError("the sandbox does not take requests; fewer at once will do") from None
        except OSError as error:
            raise SandboxError(f"the sandbox has ended: {error}") from error

    def _readable(self) -> None:
        while not self.lost:
            try:
                data, fds, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:
                data, fds = b"", []
            if not data:
                self._lose()
                return
            self._take(json.loads(data), fds)

    def _take(self, message: dict[str, Any], fds: list[int]) -> None:
        if "hello" in message:
            self._hello.set_result(Hello.model_validate(message["hello"]))
            return
        clone = self._clones[message["id"]]
        if fds:
            clone.attach(fds[0])
            return
        del self._clones[message["id"]]
        if "failed" in message:
            clone.end(CloneExit(failed=message["failed"]))
        else:
            clone.end(CloneExit(status=message["status"], cpu_s=message["cpu_s"], peak_kb=message["peak_kb"]))

    def _lose(self) -> None:
        """The zygote is gone, or about to be: nothing more will be heard of its clones."""
        if self.lost:
            return
        self.lost = True
        self._loop.remove_reader(self._control)
        self._control.close()
        for clone in self._clones.values():
            clone.kill()
            clone.end(CloneExit(lost=True))
        self._clones.clear()
        if not self._hello.done():
            self._hello.set_exception(EOFError())
            self._hello.exception()  # whoever waits gets it; nobody may


def pid_of(pidfd: int) -> int:
    """The number of a pidfd's process in our PID namespace; 0 if it is not in it or has ended."""
    try:
        found = _PID.search(Path(f"/proc/self/fdinfo/{pidfd}").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def memory_file(data: bytes) -> int:
    """Descriptor of an unnamed file in memory that holds ``data``, at its start."""
    fd = os.memfd_create("mathagent", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
