"""The process sandbox of Linux: a clone of a warm zygote for each run, walled in by the kernel, without root or Docker.

Who owns what: this side (trusted) owns the clock, the caps on output, the kill and the reading of results; the zygote
owns the warm libraries and the clones; the kernel owns the walls. Measured in docs/benchmarks.md, argued in
docs/decisions/5-process-sandbox.md, attacked in tests/abuse.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Layer, Limits
from mathagent.sandbox.cell_process import CellProcess
from mathagent.sandbox.clone_run import READY, CloneRun, numbers, payload
from mathagent.sandbox.outcome import conclude
from mathagent.sandbox.ready_clones import ReadyClones
from mathagent.sandbox.scratch import refused_name, remove_beside_loop
from mathagent.sandbox.session import LiveSession, open_session
from mathagent.sandbox.zygote_host import LAYERS, ZygoteHost, check, look
from mathagent.sandbox.zygote_link import memory_file
from mathagent.types import Execution

START_S = 30.0
SESSION_CPU = 100
"""A session's process may use so many times the CPU seconds of one cell."""


class ProcessSandbox:
    """Runs each program in a clone of a zygote that has SymPy, NumPy and mpmath loaded.

    At most ``max_parallel`` run at a time (default: one a CPU, at least 2); others wait, and their clock starts when
    they do. ``ready`` clones are made ahead of time: less waiting for one run, more CPU for many. ``preload``: see
    ZygoteHost. ``without`` leaves layers out (for tests); ``unsafe`` runs even where too few layers hold.
    Use it from one event loop.
    """

    name = "process"

    def __init__(
        self,
        max_parallel: int | None = None,
        ready: int = 0,
        without: Collection[str] = (),
        preload: tuple[str, ...] = (),
        unsafe: bool = False,
    ) -> None:
        if not set(without) <= LAYERS:
            raise SandboxError(f"no such layer: {', '.join(sorted(set(without) - LAYERS))}")
        self._slots = asyncio.Semaphore(max_parallel or max(2, os.cpu_count() or 1))
        self._without, self._preload, self._unsafe = frozenset(without), preload, unsafe
        self._ready = ReadyClones(ready)
        self._host: ZygoteHost | None = None
        self._starting = asyncio.Lock()
        self._runs: set[CloneRun] = set()
        self._sessions: set[LiveSession] = set()
        self._closed = False

    @classmethod
    def with_ready_clones(cls) -> ProcessSandbox:
        """For a person who waits: two clones stand ready."""
        return cls(ready=2)

    @property
    def label(self) -> str:
        """The name, and once it has started the tier that holds here."""
        return self.name if self._host is None else f"{self.name}/{self._host.tier}"

    def layers(self) -> list[Layer]:
        """What holds on this machine."""
        return list(look(self._without)[1]) if self._host is None else self._host.layers()

    async def start(self) -> None:
        """Starts the zygote (and the ready clones) now rather than at the first run. Raises SandboxError."""
        self._ready.refill(await self._zygote())

    async def run(
        self,
        code: str,
        limits: Limits | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        fetch: Sequence[str] = (),
    ) -> Execution:
        """Runs ``code`` as a fresh program; see ``Sandbox.run``. A file name outside the scratch is "refused"."""
        limits, files = limits or Limits(), files or {}
        refused = refused_name((*files, *fetch))
        if refused:
            return Execution(status="refused", error=refused, sandbox=self.name)
        async with self._slots:
            host = await self._zygote()
            run, folder = self._ready.take(code, limits, files, fetch), None
            try:
                if run is None:
                    run = CloneRun(limits)
                    scratch, folder = host.new_scratch()
                    source = memory_file(payload(code, files, fetch, limits, lower=False))
                    try:
                        run.prepare(host.link, source, scratch)
                    finally:
                        os.close(source)
                    run.begin(limits, fetch)
                self._runs.add(run)
                ended = await run.finish()
                self._ready.refill(host)
            except OSError as error:
                raise SandboxError(f"no program can be started: {error}; fewer at once will do") from error
            finally:
                if run is not None:
                    run.close()
                    self._runs.discard(run)
                if folder is not None:
                    await remove_beside_loop(folder)
        return conclude(ended, limits, f"{self.name}/{host.tier}", fetch)

    async def session(self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None) -> LiveSession:
        """Opens a session; see ``Sandbox.session``. Snapshots are forks and share the scratch folder."""
        forks = (await self._zygote()).link.hello.namespaces
        return await open_session(self._start_cells, self._slots, self._sessions, limits, files, forks=forks)

    async def aclose(self) -> None:
        """Ends every run (they return as "refused"), session and process; safe to call twice."""
        self._closed = True
        for session in list(self._sessions):
            await session.aclose()
        while self._runs:
            for run in self._runs:
                run.end("closed")
            await asyncio.sleep(0.002)
        self._ready.drop()
        if self._host is not None:
            host, self._host = self._host, None
            await host.aclose()

    async def _zygote(self) -> ZygoteHost:
        """The running zygote; a new one where there is none or it was lost."""
        async with self._starting:
            if self._closed:
                raise SandboxError("the sandbox is closed; open a new one")
            if self._host is not None and self._host.link.lost:
                self._ready.drop()
                host, self._host = self._host, None
                await host.aclose()
            if self._host is None:
                host = ZygoteHost(self._without, self._preload)
                await host.start()
                try:
                    check(host, self._unsafe)
                except SandboxError:
                    await host.aclose()
                    raise
                self._host = host
            return self._host

    async def _start_cells(self, limits: Limits, files: Mapping[str, bytes]) -> CellProcess:
        """A new process for a session."""
        host = await self._zygote()
        process = CellProcess(f"{self.name}/{host.tier}")
        try:
            scratch, process.folder = host.new_scratch()
            await _attach_clone(process, host, numbers(limits), scratch)
            if files:
                await process.cell("", files, (), limits)
        except BaseException:
            process.close()
            raise
        return process


async def _attach_clone(process: CellProcess, host: ZygoteHost, limits: dict[str, int], scratch: str) -> None:
    """Starts ``process`` as a clone. Raises SandboxError where it cannot be confined."""
    source = os.open(os.devnull, os.O_RDONLY)
    wide = limits | {"cpu_s": SESSION_CPU * limits["cpu_s"]}
    request = {"kind": "session", "limits": wide, "scratch": scratch, "prefault": False}
    try:
        process.attach(host.link.clone(request, [source, *process.their_fds]))
        async with asyncio.timeout(START_S):
            said = await process.greeting(READY)
        if said != READY:
            raise SandboxError(f"no session could be confined ({said.decode('utf-8', 'replace')})")
    except TimeoutError:
        raise SandboxError(f"no session was confined in {START_S:g} s; see `mathagent doctor`") from None
    finally:
        os.close(source)
