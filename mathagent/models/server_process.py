"""The child processes that hold embedded models: one for each model of a process, shared, started when needed."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import secrets
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

import httpx

from mathagent.config import child_environment, python_executable
from mathagent.errors import BackendError, UsageError
from mathagent.types import Value

PROGRAM = Path(__file__).with_name("embedded_server.py")
START_TIMEOUT_S = 600.0
"""Reading gigabytes from a slow disk may take minutes; a server that is not up after this is stuck."""
HEALTH_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 3.0
LOG_TAIL_BYTES = 4096


def usable_threads() -> int:
    """How many threads this process may really run, where that is fewer than the machine has; else 0.

    A container with a quota of 2 on a machine of 64 processors must not start 64 threads.
    """
    total = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        usable = min(usable, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):
        pass  # no such control group, or no quota ("max")
    return usable if usable < total else 0


class Speculation(Value):
    """How tokens are proposed that the model only confirms: ``kind`` in llama.cpp's words, "none" for not at all.
    ``draft`` is the draft model's file; None: llama.cpp decides."""

    kind: str = "none"
    ngram: int | None = None
    tokens: int | None = None
    p_min: float | None = None
    draft: str = ""


class ServerOptions(Value):
    """What a server is started with: see ``embedded_server.server_params``. ``threads`` 0: llama.cpp decides;
    ``chat_template`` "": the model's own."""

    model: str
    alias: str
    context: int
    slots: int
    threads: int = 0
    cache_mb: int = 256
    kv_k: str = "f16"
    kv_v: str = "f16"
    speculation: Speculation = Speculation()
    adapters: tuple[tuple[str, float], ...] = ()
    pooling: str = ""
    chat_template: str = ""


class ServerProcess:
    """A running server, and how to reach it. Raises BackendError from the constructor where it does not start."""

    def __init__(self, options: ServerOptions) -> None:
        self.api_key = secrets.token_urlsafe(24)
        self._model = options.model
        # A file without a name: it is gone with the last process that has it open.
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="mathagent-")  # noqa: SIM115 - lives as long as we do
        self._process = subprocess.Popen(
            [python_executable(), "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # On a shared CPU threads that spin while they wait made one token take a second.
            env=child_environment(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0"),
        )
        try:
            self.url = self._start(options)
            self._check_identity()
            self._check_draft(options.speculation)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _errors(self) -> list[str]:
        """The errors among the last lines that llama.cpp logged, without time and level."""
        start = max(0, os.fstat(self._log.fileno()).st_size - LOG_TAIL_BYTES)
        if hasattr(os, "pread"):  # the file position is shared with the child: leave it alone
            tail = os.pread(self._log.fileno(), LOG_TAIL_BYTES, start)
        else:
            self._log.seek(start)
            tail = self._log.read(LOG_TAIL_BYTES)
        lines = tail.decode("utf-8", "replace").splitlines()
        found = [re.fullmatch(r"[\d.]+ E (.+)", line.strip()) for line in lines]
        return [" ".join(match[1].split())[:300] for match in found if match] or lines[-1:]

    def stop(self) -> None:
        """Ends the process; safe to call twice."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):  # it may have died with our options unread in the pipe
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _start(self, options: ServerOptions) -> str:
        """Hands over the options and waits for the line that says where it listens."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(START_TIMEOUT_S, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            line = json.dumps(options.model_dump() | {"api_key": self.api_key}) + "\n"
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
            reply = self._process.stdout.readline()
        except BrokenPipeError:
            reply = b""
        finally:
            watchdog.cancel()
        if not reply:
            self._process.wait()
            # The cause is logged first, what follows from it after; the next try would go the same way.
            errors = self._errors()
            raise BackendError(f"the embedded model does not start: its process {self._how_it_ended(errors[:1])}")
        return str(json.loads(reply)["url"])

    def death(self) -> BackendError:
        """The error that says how the process ended after it had run."""
        self._process.wait()
        return BackendError(
            f"the embedded model's process {self._how_it_ended(self._errors()[-1:])}; the next request starts it anew",
            retryable=True,
        )

    def _how_it_ended(self, errors: list[str]) -> str:
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        said = f" ({errors[0]})" if errors and code != -9 else ""
        short = code == -9 or re.search(r"memory|allocat", said)
        return f"{how}{said}" + (
            "; is memory short? a smaller MATHAGENT_SLOTS or model needs less" if short else ""
        )

    def _check_draft(self, speculation: Speculation) -> None:
        """A draft model that does not fit is only logged, and the model then runs without it."""
        failed = [line for line in self._errors() if "speculative" in line] if speculation.draft else []
        if failed:
            reason = failed[-1].rpartition("speculative decoding context: ")[2]
            raise UsageError(
                f"{speculation.draft} cannot be the draft of {self._model}: {reason}; choose a smaller model of the"
                " same family, or leave out draft"
            )

    def _check_identity(self) -> None:
        """Waits until it answers, and makes sure that who answers is ours: knows our key, and refuses others."""
        deadline = time.monotonic() + HEALTH_TIMEOUT_S
        with httpx.Client(base_url=self.url, trust_env=False, timeout=HEALTH_TIMEOUT_S) as client:
            while True:
                try:
                    if client.get("/health").status_code == 200:
                        break
                except httpx.TransportError:
                    if not self.alive:
                        raise self.death() from None
                if time.monotonic() > deadline:
                    raise BackendError("the embedded model's server does not answer", retryable=True)
                time.sleep(0.05)
            refused = client.get("/props").status_code == 401
            props = client.get("/props", headers={"Authorization": f"Bearer {self.api_key}"})
        if not refused or props.status_code != 200 or props.json().get("model_path") != self._model:
            raise BackendError("another server answers at the embedded model's port; try again", retryable=True)


class _Shared:
    """The server for one set of options, and how many use it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.server: ServerProcess | None = None


_table_lock = threading.Lock()
_table: dict[tuple[int, ServerOptions], _Shared] = {}


def _shared(options: ServerOptions) -> _Shared:
    key = (os.getpid(), options)  # after a fork the child starts its own: the parent's is not its to end
    with _table_lock:
        if not _table:
            atexit.register(stop_all)
        return _table.setdefault(key, _Shared())


def acquire(options: ServerOptions) -> ServerProcess:
    """The running server for ``options``, started if need be. Blocks. Each call needs one ``release``.

    Safe in any thread and event loop. Raises BackendError where it does not start (nothing is acquired then).
    """
    shared = _shared(options)
    with shared.lock:
        server = _running(shared, options)
        shared.users += 1
        return server


def running(options: ServerOptions) -> ServerProcess:
    """The server that the caller has acquired, started anew where it has died. Blocks. Raises BackendError."""
    shared = _shared(options)
    with shared.lock:
        return _running(shared, options)


def release(options: ServerOptions) -> None:
    """Undoes one ``acquire``; the last one ends the server. Blocks for a moment."""
    shared = _shared(options)
    with shared.lock:
        shared.users = max(0, shared.users - 1)
        if shared.users == 0 and shared.server is not None:
            server, shared.server = shared.server, None
            server.stop()


def stop_all() -> None:
    """Ends every server of this process."""
    with _table_lock:
        mine = [shared for (pid, _), shared in _table.items() if pid == os.getpid()]
    for shared in mine:
        if shared.server is not None:
            shared.server.stop()


def _running(shared: _Shared, options: ServerOptions) -> ServerProcess:
    if shared.server is not None and not shared.server.alive:
        shared.server.stop()
        shared.server = None
    if shared.server is None:
        shared.server = ServerProcess(options)
    return shared.server
