"""One running program and its pipes, seen from the trusted side: it reads with caps, watches, kills and reaps."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from mathagent.sandbox import process_tree
from mathagent.sandbox.base import Limits
from mathagent.sandbox.outcome import MAX_PROCESSES, Ended, EndReason
from mathagent.sandbox.pipes import Pipe

WATCH_S = 0.25
"""How often the tree's memory and number of processes are looked at; the first look, so short runs pay nothing."""
POLL_S = 0.01
"""How often a system without pidfd is asked whether the program has ended."""
REAP_S = 2.0
"""How long a killed tree may take to disappear."""
DRAIN_S = 0.5
"""How long a pipe may stay open after the end (only by a process that escaped the kill)."""
CONTROL_BYTES = 4096


class Child:
    """A program, from start to end. ``await`` ``ended`` for the reason, then ``finish`` for the facts.

    ``jail`` is the command prefix that makes namespaces (see ``process_tree``), empty for a plain process group.
    """

    def __init__(self, jail: tuple[str, ...], limits: Limits) -> None:
        self.jail, self.limits = jail, limits
        self.loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[EndReason] = self.loop.create_future()
        self.overflowed = ""
        self.token = os.urandom(16).hex()
        self.pipes: dict[str, Pipe] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.reaped = False
        self.root_exit: int | None = None
        self.cpu_s = self.killed_at_mb = 0.0
        self._pidfd = -1
        self._timers: list[asyncio.TimerHandle] = []

    def start(self, command: tuple[str, ...], env: dict[str, str], scratch: Path, report_bytes: int) -> None:
        """Starts ``command`` plus the numbers of its stderr and result pipes. Raises OSError."""
        output = self.limits.output_bytes
        caps = {"stdout": output, "stderr": output, "the result channel": report_bytes, "control": CONTROL_BYTES}
        for name, cap in caps.items():
            self.pipes[name] = Pipe(cap, partial(self._overflow, name))
        stdout, stderr, result, control = (pipe.write_fd for pipe in self.pipes.values())
        self.started_at = time.monotonic()
        if sys.platform == "win32":
            self.process = _spawn_windows(command, env, scratch, stdout, stderr, result, control)
        else:
            self.process = subprocess.Popen(
                (*self.jail, *command, str(stderr), str(result)),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=control,
                pass_fds=(stderr, result),
                env=env if self.jail else env | {process_tree.TOKEN_VARIABLE: self.token},
                cwd=scratch,
                start_new_session=True,
            )
        for pipe in self.pipes.values():
            pipe.start()
        self._later(self.limits.timeout_s, lambda: self.end("timeout"))
        if sys.platform == "linux":
            self._later(WATCH_S, self._watch)
            with suppress(OSError):  # a kernel without pidfd: poll
                self._pidfd = os.pidfd_open(self.process.pid)
                self.loop.add_reader(self._pidfd, self._poll)
        if self._pidfd < 0:
            self._later(POLL_S, self._poll)

    def end(self, reason: EndReason) -> None:
        """Says why the run is over; the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(reason)

    async def finish(self) -> Ended:
        """Kills what is left, reads what is left, and returns the facts. Call after ``ended`` is done."""
        wall_s = time.monotonic() - self.started_at
        reason = self.ended.result()
        if self.process is not None and not self.reaped:
            tree = process_tree.descendants(self.process.pid, MAX_PROCESSES)
            self.killed_at_mb = process_tree.peak_memory_mb(tree)
        self.kill()
        await self._reaped()
        await asyncio.wait([pipe.eof for pipe in self.pipes.values()], timeout=DRAIN_S)
        if reason == "exit" and self.overflowed:  # by what was still in the pipe
            reason = "output-limit"
        stdout, stderr, report, control = (bytes(pipe.data) for pipe in self.pipes.values())
        return Ended(
            reason=reason,
            detail=self.overflowed,
            root_exit=self.root_exit,
            stdout=stdout,
            stderr=stderr,
            report=report,
            control=control,
            wall_s=wall_s,
            cpu_s=self.cpu_s,
            killed_at_mb=self.killed_at_mb,
        )

    def kill(self) -> None:
        """Kills the program with its whole tree; does not wait."""
        if self.process is None:
            return
        if sys.platform == "win32":
            process_tree.kill_windows_tree(self.process.pid)
        elif self.jail:
            if not self.reaped:
                process_tree.kill_namespace(self.process.pid)
        else:
            process_tree.kill_group(self.process.pid, self.token)

    def reap(self) -> bool:
        """Whether the outermost process has ended; collects its exit code and resource use. Does not wait."""
        if self.reaped or self.process is None:
            return True
        if sys.platform == "win32":
            self.root_exit = self.process.poll()
            self.reaped = self.root_exit is not None
            return self.reaped
        try:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        except ChildProcessError:  # something in our process reaps all children
            self.process.returncode, self.reaped = 0, True
            return True
        if pid:
            self.root_exit = self.process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_s = usage.ru_utime + usage.ru_stime
            self.reaped = True
        return self.reaped

    def close(self) -> None:
        """Kills and reaps if need be, and closes every descriptor and timer; blocks at most REAP_S. Idempotent."""
        for timer in self._timers:
            timer.cancel()
        if not self.reaped and self.process is not None:
            self.kill()
            deadline = time.monotonic() + REAP_S
            while not self.reap() and time.monotonic() < deadline:
                time.sleep(0.001)
            if not self.reaped and sys.platform != "win32":
                os.killpg(self.process.pid, signal.SIGKILL)
        if self._pidfd >= 0:
            self.loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        for pipe in self.pipes.values():
            pipe.close()

    async def _reaped(self) -> None:
        for _ in range(int(REAP_S / 0.001)):
            if self.reap():
                return
            await asyncio.sleep(0.001)

    def _overflow(self, pipe: str) -> None:
        self.overflowed = self.overflowed or pipe
        self.end("output-limit")

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if timer.when() > self.loop.time()]
        self._timers.append(self.loop.call_later(seconds, call))

    def _poll(self) -> None:
        if self.reap():
            if self._pidfd >= 0:
                self.loop.remove_reader(self._pidfd)
            self.end("exit")
        elif self._pidfd < 0:
            self._later(POLL_S, self._poll)

    def _watch(self) -> None:
        """Ends a tree whose processes together are too many or too big: rlimits bound each of them alone."""
        if self.reaped or self.process is None or self.ended.done():
            return
        tree = process_tree.descendants(self.process.pid, MAX_PROCESSES)
        if len(tree) > MAX_PROCESSES:
            self.end("processes")
        elif len(tree) > 2 and process_tree.memory_mb(tree) > self.limits.memory_mb:
            self.end("memory")
        else:
            self._later(WATCH_S, self._watch)


if sys.platform == "win32":

    def _spawn_windows(
        command: tuple[str, ...],
        env: dict[str, str],
        scratch: Path,
        stdout: int,
        stderr: int,
        result: int,
        control: int,
    ) -> subprocess.Popen[bytes]:
        """Starts ``command`` on Windows, where pipes are inherited as handles."""
        import msvcrt

        handles = [msvcrt.get_osfhandle(fd) for fd in (stderr, result)]
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        return subprocess.Popen(
            (*command, *map(str, handles)),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=control,
            env=env,
            cwd=scratch,
            startupinfo=subprocess.STARTUPINFO(lpAttributeList={"handle_list": handles}),
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )
