"""A live process that runs the cells of a session, as the trusted side sees it: clock, caps, interrupt, kill, facts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mathagent.errors import SandboxError
from mathagent.sandbox import process_tree
from mathagent.sandbox.base import Limits
from mathagent.sandbox.outcome import (
    MAX_PROCESSES,
    Ended,
    EndReason,
    conclude,
    fetch_bytes,
    report_cap,
    value_chars,
)
from mathagent.sandbox.pipes import Pipe
from mathagent.sandbox.process_family import Branch, Family, ProcessHandle
from mathagent.sandbox.scratch import remove_folder
from mathagent.types import Execution

INTERRUPT_GRACE_S = 0.1
"""How long a cell past its time may take to heed the interrupt, before the process is killed."""
CPU_LOOK_S = 0.05
GREETING_BYTES = 4096
RECEIVE_BYTES = 2**16
LOOK_S = 0.25
INTERPRETER_MB = 64
END_S = 2.0
_PEAK = re.compile(rb"^VmHWM:\s+(\d+)", re.MULTILINE)
_CPU_CLOCK = 2  # CPUCLOCK_SCHED of include/linux/posix-timers_types.h


class CellProcess:
    """One process of a session. Its channel and outputs are open as long as it lives; ``close`` ends it."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._loop = asyncio.get_running_loop()
        self._reason: asyncio.Future[EndReason] = self._loop.create_future()
        self._overflowed = ""
        self._said_more = False
        self.folder: Path | None = None
        self._family: Family | None = None
        self._handle: ProcessHandle
        self._pid = 0
        self._channel, self._their_channel = socket.socketpair()
        self._channel.setblocking(False)
        self.pipes: dict[str, Pipe] = {}
        try:
            for name in ("stdout", "stderr"):
                self.pipes[name] = Pipe(0, partial(self._overflow, name))
        except OSError as error:
            self.close()
            raise SandboxError(f"no pipe can be made: {error}; close sessions that are not needed") from error

    @property
    def their_fds(self) -> tuple[int, int, int]:
        """The process's ends: stdout, stderr, channel. They stay ours until ``attach``."""
        return self.pipes["stdout"].write_fd, self.pipes["stderr"].write_fd, self._their_channel.fileno()

    def attach(self, handle: ProcessHandle, family: Family | None = None) -> None:
        """The process has been started: begins to read, and ends it with ``close`` from now on."""
        self._handle = handle
        self._family = family or Family(handle)
        self._family.members += 1
        self._their_channel.close()
        for pipe in self.pipes.values():
            pipe.start()

    @property
    def dead(self) -> bool:
        """Whether the process is of no more use: it has ended, or something in it speaks without being asked."""
        if self._said_more:
            return True
        try:
            self._channel.recv(1, socket.MSG_PEEK)
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True

    async def cell(
        self, code: str, files: Mapping[str, bytes], fetch: Sequence[str], limits: Limits
    ) -> tuple[Execution, bool]:
        """Runs one cell: what happened, and whether the process can go on."""
        for pipe in self.pipes.values():
            pipe.data.clear()
            pipe.cap = limits.output_bytes
        cpu_before, started_at = self._cpu_s(), time.monotonic()
        reason, report = await self._exchange(_frame(code, files, fetch, limits), limits, cpu_before, fetch)
        wall_s = time.monotonic() - started_at
        cpu_s = self._cpu_s() - cpu_before
        alive = bool(report)
        status: int | None = 0
        if reason == "exit" and not report:
            status = await self._handle.wait_status()  # before the kill, which would be the end that is told
            self._handle.kill()
        control = b"ready\n" if status is None else b"ready\nexit %d %d\n" % (status, self._peak_kb())
        output = {name: pipe.drain() for name, pipe in self.pipes.items()}
        if self._overflowed:
            reason, alive = "output-limit", False
        ended = Ended(
            reason=reason,
            detail=self._overflowed,
            report=report,
            control=control,
            wall_s=wall_s,
            cpu_s=max(0.0, cpu_s),
            **output,
        )
        if status is None and not alive and reason == "exit":
            ended = ended.model_copy(update={"root_exit": -signal.SIGKILL})
        return conclude(ended, limits, self.label, fetch), alive

    async def greeting(self, expected: bytes) -> bytes:
        """The first words of the process: ``expected``, or else all that it says before it ends."""
        said = bytearray()
        while len(said) < len(expected) or (said != expected and len(said) < GREETING_BYTES):
            try:
                piece = await self._loop.sock_recv(self._channel, len(expected))
            except OSError:
                break
            if not piece:
                break
            said += piece
        return bytes(said)

    async def fork(self) -> CellProcess:
        """A copy of the process as it stands. Raises SandboxError where none comes."""
        branch = CellProcess(self.label)
        request = json.dumps({"do": "snapshot"}).encode() + b"\n"
        try:
            socket.send_fds(self._channel, [len(request).to_bytes(4, "big") + request], branch.their_fds)
            async with asyncio.timeout(END_S):
                pidfd = await self._receive_fd()
        except (OSError, TimeoutError, ValueError) as error:
            branch.close()
            raise SandboxError(f"the session cannot be copied: {error or 'no answer in time'}") from error
        except BaseException:
            branch.close()
            raise
        branch.attach(Branch(pidfd), self._family)
        return branch

    def close(self) -> None:
        """Ends the process (its forks live on) and closes every descriptor; safe to call twice."""
        for pipe in self.pipes.values():
            pipe.close()
        if self._channel.fileno() >= 0:
            # A cancelled sock_recv takes its reader away a little later, by number: by then another socket's.
            self._loop.remove_reader(self._channel)
            self._loop.remove_writer(self._channel)
        self._channel.close()
        self._their_channel.close()
        if self._family is not None:
            family, self._family = self._family, None
            if family.root is not self._handle:
                self._handle.close()
            family.leave()
        if self.folder is not None:
            folder, self.folder = self.folder, None
            self._loop.run_in_executor(None, remove_folder, folder)

    async def _exchange(
        self, frame: bytes, limits: Limits, cpu_before: float, fetch: Sequence[str]
    ) -> tuple[EndReason, bytes]:
        """Sends a request and waits for its report; empty where the process had to be killed or has ended."""
        answer: asyncio.Future[Any] = asyncio.ensure_future(self._answer(frame, report_cap(limits, fetch)))
        waiting: list[asyncio.Future[Any]] = [answer, self._reason]
        deadline = self._loop.time() + limits.timeout_s
        try:
            while not answer.done() and not self._overflowed and self._loop.time() < deadline:
                left = min(deadline - self._loop.time(), self._cpu_left(limits, cpu_before), LOOK_S)
                if left <= 0:
                    break
                done, _ = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if not done and self._family_is_too_big(limits):
                    return "memory", b""
            if answer.done():
                return "exit", answer.result()
            if not self._overflowed:
                self._handle.send(signal.SIGINT)
                await asyncio.wait([answer], timeout=INTERRUPT_GRACE_S)
                if answer.done():
                    return "timeout", answer.result()
            return "output-limit" if self._overflowed else "timeout", b""
        finally:
            if not answer.done():
                answer.cancel()
                self._handle.kill()

    def _family_is_too_big(self, limits: Limits) -> bool:
        """Whether what a session's program has started takes too much together: rlimits bound each process alone."""
        assert self._family is not None
        root, members = self._family.root.pid(), self._family.members
        tree = [root, *process_tree.descendants(root, MAX_PROCESSES)] if root else []
        return len(tree) > members and process_tree.memory_mb(tree) > limits.memory_mb * members + INTERPRETER_MB

    def _cpu_left(self, limits: Limits, cpu_before: float) -> float:
        """When to look again at the cell's CPU time: one thread cannot use it up before; 0: it is used up."""
        left = limits.cpu_s - (self._cpu_s() - cpu_before)
        return max(left, CPU_LOOK_S) if left > 0 else 0.0

    async def _answer(self, frame: bytes, cap: int) -> bytes:
        """The report on ``frame``; empty where the process ended or wrote too much."""
        try:
            await self._loop.sock_sendall(self._channel, frame)
            data = bytearray()
            size = 0
            while len(data) < 4 + size:
                piece = await self._loop.sock_recv(self._channel, RECEIVE_BYTES)
                if not piece:
                    return b""
                data += piece
                size = int.from_bytes(data[:4], "big")
                if size > cap:
                    self._overflow("the result channel")
                    return b""
            self._said_more = len(data) > 4 + size
            return bytes(data[4 : 4 + size])
        except OSError:
            return b""

    async def _receive_fd(self) -> int:
        """The pidfd beside a reply. Raises OSError, ValueError."""
        readable: asyncio.Future[None] = self._loop.create_future()

        def note() -> None:
            if not readable.done():
                readable.set_result(None)

        self._loop.add_reader(self._channel, note)
        try:
            await readable
        finally:
            self._loop.remove_reader(self._channel)
        data, fds, _, _ = socket.recv_fds(self._channel, 4096, 1, socket.MSG_CMSG_CLOEXEC)
        if len(fds) != 1 or not data:
            for fd in fds:
                os.close(fd)
            raise ValueError("the process answered with something else")
        return fds[0]

    def _overflow(self, pipe: str) -> None:
        self._overflowed = self._overflowed or pipe
        if not self._reason.done():
            self._reason.set_result("output-limit")

    def _cpu_s(self) -> float:
        """CPU seconds of the process so far; 0 once it has ended."""
        self._pid = self._pid or self._handle.pid()
        if not self._pid:
            return 0.0
        try:
            return time.clock_gettime((~self._pid << 3) | _CPU_CLOCK)
        except OSError:
            return 0.0

    def _peak_kb(self) -> int:
        try:
            with open(f"/proc/{self._pid}/status", "rb", buffering=0) as file:  # noqa: PTH123 - at every cell
                found = _PEAK.search(file.read())
        except OSError:
            return 0
        return int(found[1]) if found else 0


def _frame(code: str, files: Mapping[str, bytes], fetch: Sequence[str], limits: Limits) -> bytes:
    source = code.encode("utf-8", "surrogatepass")
    header = {
        "do": "cell",
        "code": len(source),
        "files": {name: len(data) for name, data in files.items()},
        "fetch": list(fetch),
        "fetch_bytes": fetch_bytes(limits),
        "value_chars": value_chars(limits),
    }
    body = b"".join((json.dumps(header).encode(), b"\n", source, *files.values()))
    return len(body).to_bytes(4, "big") + body
