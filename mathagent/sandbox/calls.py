"""CallPool: runs pure functions of ours that may hang (SymPy on untrusted input) in killable worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import JsonValue

from mathagent.config import child_environment, python_executable
from mathagent.errors import WorkerError
from mathagent.sandbox import call_worker

T = TypeVar("T")

WARM_UP = "mathagent.answers.equality:warm_up"
START_S = 60.0
MAX_CALLS = 1_000
RECYCLE_MB = 400
"""A warm worker holds about 60 MB; one that grew beyond this is replaced."""
MEMORY_MB = 1_024
"""Address space of a worker, where the platform has such a limit."""

FUNCTION_NAME = re.compile(r"^mathagent(?:\.[a-z][a-z0-9_]*)+:[a-z][a-z0-9_]*$")
"""How a call names a function of ours."""


class CallPool:
    """Runs named functions in up to ``workers`` processes, each killed at its call's deadline and replaced.

    Workers start when first needed, are kept warm, and end with this process however it ends. Safe for many
    concurrent calls in one event loop, and for several loops one after another. It guards against hanging and
    memory, not against malice: only functions of this package run, on arguments that nobody trusts.
    """

    def __init__(self, workers: int = 1) -> None:
        self._size = workers
        self._idle: deque[_Worker] = deque()
        self._busy: set[_Worker] = set()
        self._gate: asyncio.Semaphore | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: ThreadPoolExecutor | None = None

    async def call(self, function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
        """The result of ``function`` ("module:function" of this package) on JSON arguments.

        ``timeout_s`` bounds the run itself in wall-clock seconds; waiting for a free worker and its start are
        not counted. Raises WorkerError where the call ran past it (``timed_out``), failed, or could not run. A
        cancelled call's worker is killed.
        """
        if not FUNCTION_NAME.match(function):
            raise WorkerError(f"'{function}' is not a public function of mathagent; name it module:function")
        body = json.dumps({"function": function, "args": args, "timeout_s": timeout_s}, allow_nan=False).encode()
        if len(body) > call_worker.MAX_FRAME:
            raise WorkerError(f"the arguments take {len(body)} bytes; at most {call_worker.MAX_FRAME} fit a call")
        async with self._turn():
            worker = await self._ready_worker()
            try:
                reply = await self._within(lambda: worker.exchange(body), timeout_s)
            except TimeoutError:
                self._discard(worker)
                raise WorkerError(f"{function} ran past {timeout_s:g} s", timed_out=True) from None
            except BaseException:
                self._discard(worker)
                raise
            self._release(worker, reply)
        if "error" in reply:
            raise WorkerError(f"{function} failed: {reply['error']}")
        return cast("JsonValue", reply["result"])

    async def aclose(self) -> None:
        """Kills every worker; safe to call twice. A later call starts anew."""
        for worker in (*self._idle, *self._busy):
            worker.kill()
        self._idle.clear()
        self._busy.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None

    def _turn(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if self._gate is None or self._loop is not loop:
            self._gate, self._loop = asyncio.Semaphore(self._size), loop
        return self._gate

    async def _ready_worker(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive():
                self._busy.add(worker)
                return worker
            worker.kill()
        worker = _Worker()
        self._busy.add(worker)
        body = json.dumps({"function": WARM_UP, "args": [], "timeout_s": START_S}).encode()
        try:
            reply = await self._within(lambda: worker.exchange(body), START_S)
        except TimeoutError:
            self._discard(worker)
            raise WorkerError(f"a worker process was not ready after {START_S:g} s") from None
        except BaseException:
            self._discard(worker)
            raise
        if "error" in reply:
            self._discard(worker)
            raise WorkerError(f"a worker process could not start: {reply['error']}")
        return worker

    async def _within(self, work: Callable[[], T], timeout_s: float) -> T:
        """Runs blocking ``work`` in a thread of ours. Raises TimeoutError; killing the worker frees the thread."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(max_workers=self._size + 4, thread_name_prefix="mathagent-call")
        async with asyncio.timeout(timeout_s):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _release(self, worker: _Worker, reply: dict[str, Any]) -> None:
        worker.calls += 1
        spent = bool(reply.get("spent")) or reply.get("peak_mb", 0) > RECYCLE_MB
        if spent or worker.calls >= MAX_CALLS or worker not in self._busy:
            self._discard(worker)
            return
        self._busy.discard(worker)
        self._idle.append(worker)

    def _discard(self, worker: _Worker) -> None:
        worker.kill()
        self._busy.discard(worker)


class _Worker:
    """One process and its two pipes."""

    def __init__(self) -> None:
        root = str(Path(call_worker.__file__).parents[2])
        command = [python_executable(), "-s", "-P", call_worker.__file__, root, str(MEMORY_MB), str(os.getpid())]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # A fixed hash seed: SymPy's order of terms, and so its path, depends on it.
                env=child_environment(PYTHONHASHSEED="0"),
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerError(f"a worker process could not start: {error}") from error
        self.calls = 0

    def alive(self) -> bool:
        return self._process.poll() is None

    def exchange(self, body: bytes) -> dict[str, Any]:
        """Sends a request and waits for its reply. Blocks; killing the process from elsewhere ends the wait."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(struct.pack(">I", len(body)) + body)
            stdin.flush()
            head = stdout.read(4)
            reply = stdout.read(struct.unpack(">I", head)[0]) if len(head) == 4 else b""
        except (OSError, ValueError) as error:  # ValueError: the pipe was closed by kill()
            raise WorkerError("a worker process broke off; try the call again") from error
        if not reply:
            raise WorkerError("a worker process died during the call")
        return cast("dict[str, Any]", json.loads(reply))

    def kill(self) -> None:
        """Kills the process and all it started, and takes note of its end. Safe to call twice."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if sys.platform == "win32":
                    self._process.kill()
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # closing flushes what the dead process did not read
                if pipe is not None:
                    pipe.close()
