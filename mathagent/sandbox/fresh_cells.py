"""A session's process of the subprocess backend: a fresh Python that stays, with its supervisor around it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from mathagent.errors import SandboxError
from mathagent.sandbox import process_tree
from mathagent.sandbox.cell_process import CellProcess
from mathagent.sandbox.pipes import Pipe
from mathagent.sandbox.zygote_link import STATUS_S

START_S = 30.0
_CONTROL_BYTES = 4096
_EXIT = re.compile(rb"^exit (\d{1,6}) ", re.MULTILINE)


class FreshHandle:
    """The outermost process of a session (unshare, or the supervisor), which carries the program."""

    def __init__(self, process: subprocess.Popen[bytes], control: Pipe, token: str, jailed: bool) -> None:
        self._process, self._control, self._token, self._jailed = process, control, token, jailed

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the program itself."""
        pid = self.pid()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Ends the program and all below it; does not wait."""
        if self._jailed:
            if self._process.poll() is None:
                process_tree.kill_namespace(self._process.pid)
        else:
            process_tree.kill_group(self._process.pid, self._token)

    def close(self) -> None:
        """Ends it, and waits for that; safe to call twice."""
        self.kill()
        self._process.wait()
        self._control.close()

    def pid(self) -> int:
        """The program's number as this process sees it; 0 if unknown."""
        depth = 2 if self._jailed else 1
        pids = [self._process.pid]
        for _ in range(depth):
            pids = process_tree.children(pids[0])
            if not pids:
                return 0
        return pids[0]

    async def wait_status(self) -> int | None:
        """The wait status once the supervisor has told it; None where it does not."""
        await asyncio.wait([self._control.eof], timeout=STATUS_S)
        told = _EXIT.search(bytes(self._control.data))
        return int(told[1]) if told else None


async def attach_fresh(
    process: CellProcess, command: tuple[str, ...], env: dict[str, str], scratch: Path, jailed: bool
) -> None:
    """Starts ``command`` (a worker with its request) as ``process``. Raises OSError, SandboxError."""
    stdout, stderr, channel = process.their_fds
    token, control = os.urandom(16).hex(), Pipe(_CONTROL_BYTES, lambda: None)
    started = subprocess.Popen(  # noqa: ASYNC220 - the start itself; what it says is awaited
        (*command, str(stderr), str(channel)),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=control.write_fd,
        pass_fds=(stderr, channel),
        env=env if jailed else env | {process_tree.TOKEN_VARIABLE: token},
        cwd=scratch,
        start_new_session=True,
    )
    process.attach(FreshHandle(started, control, token, jailed))
    control.start()
    deadline = asyncio.get_running_loop().time() + START_S
    while not control.data.startswith(b"ready\n"):
        if control.eof.done() or asyncio.get_running_loop().time() > deadline:
            said = bytes(control.data).decode("utf-8", "replace").strip().splitlines() or ["no message"]
            raise SandboxError(f"the sandbox's Python did not start: {said[-1]}; see `mathagent doctor`")
        await asyncio.sleep(0.002)
