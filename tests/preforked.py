"""Processes of mathagent for tests, without the seconds that the imports of a new process take.

``run``, ``Popen`` and ``create_subprocess_exec`` take and give what their namesakes of ``subprocess`` and ``asyncio``
do, for ``[sys.executable, "-m", "mathagent", …]`` and for ``[sys.executable, "script.py", …]``. The process is forked
from a server that has imported mathagent from this checkout (preforked_server.py); each process of pytest has a server,
from the first use to its own end. All else is as in a new process: streams, environment, folder, arguments, signals and
exit code.

A new process is started after all where a fork would differ: on other systems than Linux, where a variable is set that
the interpreter itself reads at its start (PYTHON…, the locale), and everywhere if ``MATHAGENT_TESTS_NEW_PROCESSES``
is set. What is about the start itself (what it imports, that a command works with nothing imported before) says
``new=True``, or uses ``subprocess``: at least one test of each command does.
"""

from __future__ import annotations

import asyncio
import atexit
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, CompletedProcess, TimeoutExpired
from typing import IO, Any

SERVER = Path(__file__).with_name("preforked_server.py")
FORKS = sys.platform == "linux" and "MATHAGENT_TESTS_NEW_PROCESSES" not in os.environ
UTF8_MODE = ("PYTHONUTF8", "1")
"""The server has it: what is forked reads and writes UTF-8, as new processes do nearly everywhere."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""numpy starts no threads of its own: they would not be in a fork."""

Stream = int | IO[Any] | None


def read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that the interpreter and its C library read once, at their start."""
    names = ("PYTHON", "LC_", "LANG", "LD_")
    return {
        key: value for key, value in environment.items() if key.startswith(names) and (key, value) != UTF8_MODE
    }


class ForkServer:
    """The process that forks. It ends with this one, however this one ends."""

    def __init__(self) -> None:
        self.environment = dict(os.environ)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER), str(theirs.fileno())],
                stdin=DEVNULL,
                stderr=self._said,
                env=self.environment | ONE_THREAD | dict([UTF8_MODE]),
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        return self._process.pid

    def fork(self, request: dict[str, Any], streams: Sequence[int]) -> tuple[int, int, socket.socket]:
        """Starts a process with these streams: its id, a descriptor of it, and the socket that tells its end.

        Raises RuntimeError where the server has ended.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"+"], [theirs.fileno(), *streams])
            ours.sendall(json.dumps(request).encode() + b"\n")
            told, fds, _, _ = socket.recv_fds(ours, 32, 1)
        except OSError:
            fds = []
        if not fds:
            ours.close()
            code = self._process.wait(60)
            self._said.seek(0)
            raise RuntimeError(f"the fork server has ended (exit code {code}): {self._said.read().decode()}")
        os.set_inheritable(fds[0], False)
        return int(told), fds[0], ours

    def close(self) -> None:
        """Ends it, and what it has forked and still runs."""
        self._control.close()
        self._process.wait()
        self._said.close()


@cache
def server() -> ForkServer:
    """The fork server of this process, started at the first call."""
    return ForkServer()


def forks(arguments: Sequence[Any], environment: Mapping[str, str] | None) -> bool:
    """Whether a fork is as good as a new process for this."""
    if not FORKS or arguments[0] != sys.executable or str(arguments[1]) in ("-c", "-I", "-X"):
        return False
    given = os.environ if environment is None else environment
    return read_at_start(given) == read_at_start(server().environment)


@dataclass
class _Ends:
    """The ends of one standard stream: the descriptor that the child gets, and ours where there is a pipe."""

    child: int
    ours: int | None = None
    opened: bool = True

    @classmethod
    def of(cls, given: Stream, number: int, output: int = -1) -> _Ends:
        """Of what ``subprocess`` is given as stdin, stdout or stderr; ``output`` is where STDOUT leads to."""
        if given is None:
            return cls(number, opened=False)
        if given == PIPE:
            reading, writing = os.pipe()
            return cls(reading, writing) if number == 0 else cls(writing, reading)
        if given == DEVNULL:
            return cls(os.open(os.devnull, os.O_RDWR))
        if given == STDOUT:
            return cls(output, opened=False)
        return cls(given if isinstance(given, int) else given.fileno(), opened=False)


class _Forked:
    """A process of the fork server's: what the two classes below share."""

    def __init__(
        self,
        arguments: Sequence[Any],
        streams: tuple[Stream, Stream, Stream],
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        terminal: bool = False,
    ) -> None:
        self.args = arguments
        self._ends = [_Ends.of(streams[0], 0), _Ends.of(streams[1], 1)]
        self._ends.append(_Ends.of(streams[2], 2, self._ends[1].child))
        request = {
            "arguments": [str(one) for one in arguments[1:]],
            "cwd": str(Path.cwd() if cwd is None else Path(cwd).absolute()),
            "env": dict(os.environ if env is None else env),
            "terminal": terminal,
        }
        try:
            self.pid, self._process, self._channel = server().fork(request, [one.child for one in self._ends])
        finally:
            for one in self._ends:
                if one.opened:
                    os.close(one.child)
        self._code: int | None = None

    @property
    def returncode(self) -> int | None:
        return self._code

    def _ended(self, told: bytes) -> int:
        """Takes what the server said of the end: the exit code, or minus the signal."""
        if not told:
            raise RuntimeError("the fork server has ended before the process that it forked")
        self._code = int(told)
        self._channel.close()
        os.close(self._process)
        return self._code

    def send_signal(self, number: int) -> None:
        """Sends it to this process, and never to another that has got its id."""
        if self._code is None:
            with suppress(ProcessLookupError):  # it has ended, which will be told
                signal.pidfd_send_signal(self._process, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkedPopen(_Forked):
    """As a ``subprocess.Popen``."""

    def __init__(
        self,
        arguments: Sequence[Any],
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        text: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(arguments, (stdin, stdout, stderr), **options)
        kind, encoding = ("", "utf-8") if text else ("b", None)
        self.stdin, self.stdout, self.stderr = (
            None if one.ours is None else open(one.ours, mode + kind, encoding=encoding)  # noqa: PTH123, SIM115
            for one, mode in zip(self._ends, ("w", "r", "r"), strict=True)
        )

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            self._channel.settimeout(timeout)
            try:
                return self._ended(self._channel.recv(32))
            except (TimeoutError, BlockingIOError):
                raise TimeoutExpired(self.args, timeout or 0.0) from None
        return self._code

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """Once only, whether or not it timed out."""
        read: dict[str, Any] = {"stdout": None, "stderr": None}

        def feed(stream: IO[Any]) -> None:
            with suppress(BrokenPipeError), stream:  # it need not read all
                if input:
                    stream.write(input)

        def drain(stream: IO[Any], name: str) -> None:
            with stream:
                read[name] = stream.read()

        threads = [
            threading.Thread(target=drain, args=(stream, name), daemon=True)
            for name, stream in (("stdout", self.stdout), ("stderr", self.stderr))
            if stream is not None and not stream.closed
        ]
        if self.stdin is not None:
            threads.append(threading.Thread(target=feed, args=(self.stdin,), daemon=True))
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join()
        return read["stdout"], read["stderr"]

    def __enter__(self) -> ForkedPopen:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


class ForkedProcess(_Forked):
    """As an ``asyncio.subprocess.Process`` whose stdin is no pipe."""

    stdout: asyncio.StreamReader | None
    stderr: asyncio.StreamReader | None

    async def open(self) -> ForkedProcess:
        """Connects the pipes, and listens for the end."""
        loop = asyncio.get_running_loop()
        self._end: asyncio.Future[int] = loop.create_future()
        self._channel.setblocking(False)
        loop.add_reader(self._channel, self._hear, loop)
        self.stdout, self.stderr = [await _reader(loop, one.ours) for one in self._ends[1:]]
        return self

    def _hear(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._channel)
        try:
            self._end.set_result(self._ended(self._channel.recv(32)))
        except RuntimeError as error:
            self._end.set_exception(error)

    async def wait(self) -> int:
        return await asyncio.shield(self._end)

    async def communicate(self) -> tuple[bytes | None, bytes | None]:
        async def drain(stream: asyncio.StreamReader | None) -> bytes | None:
            return None if stream is None else await stream.read()

        out, err = await asyncio.gather(drain(self.stdout), drain(self.stderr))
        await self.wait()
        return out, err


async def _reader(loop: asyncio.AbstractEventLoop, fd: int | None) -> asyncio.StreamReader | None:
    if fd is None:
        return None
    reader = asyncio.StreamReader(loop=loop)
    pipe = os.fdopen(fd, "rb", 0)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), pipe)
    return reader


def Popen(arguments: Sequence[Any], *, terminal: bool = False, new: bool = False, **options: Any) -> Any:
    """``subprocess.Popen``; its stdin is a terminal that shall be its own (``terminal``); ``new`` forbids a fork."""
    if not new and forks(arguments, options.get("env")):
        return ForkedPopen(arguments, terminal=terminal, **options)
    if terminal:
        options |= {"start_new_session": True, "preexec_fn": _take_terminal}
    return subprocess.Popen(arguments, **options)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def run(
    arguments: Sequence[Any],
    *,
    input: Any = None,
    capture_output: bool = False,
    timeout: float | None = None,
    **options: Any,
) -> CompletedProcess[Any]:
    """``subprocess.run``, without ``check``; ``new`` (an option) forbids a fork."""
    if input is not None:
        options["stdin"] = PIPE
    if capture_output:
        options |= {"stdout": PIPE, "stderr": PIPE}
    with Popen(arguments, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    return CompletedProcess(arguments, process.returncode, out, err)


def mathagent(*arguments: object, new: bool = False) -> CompletedProcess[str]:
    """What ``mathagent ARGUMENTS`` does and says, without a terminal; ``new``: started as a person starts it."""
    command = [sys.executable, "-m", "mathagent", *map(str, arguments)]
    return run(command, stdin=DEVNULL, capture_output=True, text=True, timeout=240, new=new)


async def create_subprocess_exec(
    *arguments: Any,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    new: bool = False,
    **options: Any,
) -> Process | ForkedProcess:
    """``asyncio.create_subprocess_exec``; ``new`` forbids a fork."""
    if not new and stdin != PIPE and forks(arguments, options.get("env")):
        return await ForkedProcess(arguments, (stdin, stdout, stderr), **options).open()
    return await asyncio.create_subprocess_exec(*arguments, stdin=stdin, stdout=stdout, stderr=stderr, **options)
