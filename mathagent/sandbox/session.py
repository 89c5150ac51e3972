"""Sessions: cells in a live process, snapshots of it, and replay where it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Limits
from mathagent.sandbox.cell_process import CellProcess
from mathagent.sandbox.scratch import refused_name
from mathagent.types import Execution, ExecutionStatus, Value

FINISHED: tuple[ExecutionStatus, ...] = ("ok", "error")


class Cell(Value):
    """A finished cell, kept to be run again."""

    code: str
    files: dict[str, bytes]
    status: ExecutionStatus


async def open_session(
    start: Callable[[Limits, Mapping[str, bytes]], Awaitable[CellProcess]],
    slots: asyncio.Semaphore,
    among: set[LiveSession],
    limits: Limits | None,
    files: Mapping[str, bytes] | None,
    *,
    forks: bool,
) -> LiveSession:
    """A session whose process has been started. Raises SandboxError."""
    chosen, laid_in = limits or Limits(), dict(files or {})
    refused = refused_name(laid_in)
    if refused:
        raise SandboxError(refused)
    session = LiveSession(lambda: start(chosen, laid_in), slots, among, chosen, forks=forks)
    try:
        await session.open()
    except BaseException:
        await session.aclose()
        raise
    return session


class LiveSession:
    """A session over processes of one backend. ``start`` makes a new process; ``slots`` bounds what computes at once.

    It is ``among`` the sandbox's sessions until it is closed. ``forks``: whether a process may be copied; else a
    snapshot replays.
    """

    def __init__(
        self,
        start: Callable[[], Awaitable[CellProcess]],
        slots: asyncio.Semaphore,
        among: set[LiveSession],
        limits: Limits,
        *,
        forks: bool,
        history: Sequence[Cell] = (),
        process: CellProcess | None = None,
    ) -> None:
        self._start, self._slots, self._limits, self._forks = start, slots, limits, forks
        self._history = list(history)
        self._process = process
        self._lock = asyncio.Lock()
        self._closed = False
        self._among = among
        among.add(self)

    async def open(self) -> None:
        """Starts the process now rather than at the first cell. Raises SandboxError."""
        async with self._lock:
            await self._ready()

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, *, fetch: Sequence[str] = ()
    ) -> Execution:
        """Runs one cell; see ``Session.run``."""
        refused = refused_name((*(files or {}), *fetch))
        if refused:
            return Execution(status="refused", error=refused)
        async with self._lock, self._slots:
            process = await self._ready()
            if isinstance(process, Execution):
                return process
            laid_in = dict(files or {})
            execution = await self._cell(process, code, laid_in, fetch)
            if self._process is not None and execution.status in FINISHED:
                self._history.append(Cell(code=code, files=laid_in, status=execution.status))
            return execution

    async def snapshot(self) -> LiveSession:
        """A second session from the present state; see ``Session.snapshot``. Copies of a process share its files."""
        async with self._lock:
            process = None
            if self._forks:
                ready = await self._ready()
                if isinstance(ready, Execution):
                    raise SandboxError(str(ready.error))
                process = await ready.fork()
            return LiveSession(
                self._start,
                self._slots,
                self._among,
                self._limits,
                forks=self._forks,
                history=self._history,
                process=process,
            )

    async def aclose(self) -> None:
        """Ends the session; a cell that runs is killed."""
        self._closed = True
        self._among.discard(self)
        self._drop()

    async def _ready(self) -> CellProcess | Execution:
        """The live process, restored where it was lost; an Execution where it cannot be."""
        if self._closed:
            raise SandboxError("the session is closed; open a new one")
        if self._process is not None and self._process.dead:
            self._drop()
        if self._process is not None:
            return self._process
        self._process = await self._start()
        for number, cell in enumerate(self._history, 1):
            again = await self._cell(self._process, cell.code, cell.files, ())
            talks = self._process is not None and self._process.dead
            if self._process is None or again.status != cell.status or talks:
                self._drop()
                said = "it speaks out of turn" if talks else again.error or again.status
                return Execution(
                    status="refused",
                    error=f"the session was lost and cell {number} did not run again as before ({said})",
                )
        return self._process

    async def _cell(
        self, process: CellProcess, code: str, files: Mapping[str, bytes], fetch: Sequence[str]
    ) -> Execution:
        try:
            execution, alive = await process.cell(code, files, fetch, self._limits)
        except BaseException:
            self._drop()
            raise
        if self._closed:
            return Execution(status="refused", error="stopped: the session was closed", sandbox=process.label)
        if not alive:
            self._drop()
        return execution

    def _drop(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
