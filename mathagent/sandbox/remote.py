"""RemoteSandbox: a sandbox that runs behind a byte stream, in a server started by ``mathagent.sandbox.serve``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mathagent.errors import SandboxError
from mathagent.sandbox import wire
from mathagent.sandbox.base import Layer, Limits
from mathagent.sandbox.connection import Answer, Connection, Lost, Patience
from mathagent.sandbox.link import OpenLink
from mathagent.sandbox.remote_outcome import execution_of, failure, may_retry
from mathagent.types import Execution, ExecutionStatus

MAX_TRIES = 3
"""How often work that had not begun when its server was lost is given to a new one."""
NO_WORK_S = 60.0
"""The time of a request that runs no program: to open, copy or close a session."""

_FINISHED: frozenset[ExecutionStatus] = frozenset({"ok", "error"})


class RemoteSandbox:
    """Runs programs in ``links`` servers, each opened by ``open_link`` when first needed and replaced when lost.

    What the servers say is text from strangers: capped, checked against a schema, and overruled by our own clock. How
    well programs are locked up is the servers' affair; ``layers`` passes on what the first one claims.
    """

    def __init__(
        self, name: str, open_link: OpenLink, *, links: int = 1, patience: Patience | None = None
    ) -> None:
        self.name = name
        self._open_link, self._patience = open_link, patience or Patience()
        self._connections: list[Connection | None] = [None] * links
        self._opening = [asyncio.Lock() for _ in range(links)]
        self._wanted = [0] * links
        self._closed = False

    @property
    def label(self) -> str:
        """The name and what the server calls its own sandbox: "docker/process/C"; the bare name before the start."""
        hello = self._hello()
        return self.name if hello is None else f"{self.name}/{hello.label}"

    def layers(self) -> list[Layer]:
        """What the server says about itself, and our own clock."""
        clock = Layer(name="outer clock", active=True, detail="a server that does not answer in time is replaced")
        hello = self._hello()
        if hello is None:
            unknown = Layer(name="server", active=False, detail="not started yet: what holds there is not known")
            return [clock, unknown]
        return [clock, *(layer for layer in hello.layers if layer.name != clock.name)]

    async def run(
        self,
        code: str,
        limits: Limits | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        fetch: Sequence[str] = (),
    ) -> Execution:
        """Runs ``code`` as a fresh program; see ``Sandbox.run``.

        A server lost in the middle makes it "crashed"; one lost before the program began is replaced unnoticed.
        """
        limits = limits or Limits()
        body, given, wanted = code.encode("utf-8", "surrogatepass"), dict(files or {}), tuple(fetch)
        answer: Answer | None = None
        for _ in range(MAX_TRIES):
            connection = await self.connection()
            request = wire.RunProgram(id=connection.number(), code=body, limits=limits, files=given, fetch=wanted)
            try:
                answer = await connection.call(request, limits.timeout_s)
            except wire.WireError as error:
                return Execution(status="refused", error=f"the program cannot be sent: {error}")
            if not may_retry(answer):
                break
        assert answer is not None
        return self.execution(answer, limits, wanted)

    async def session(
        self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None
    ) -> RemoteSession:
        """Opens a session on a server; see ``Sandbox.session``."""
        session = RemoteSession(self, limits or Limits(), dict(files or {}))
        await session.open()
        return session

    async def aclose(self) -> None:
        """Ends the servers and with them every program (they return as "refused"); safe to call twice."""
        self._closed = True
        await asyncio.gather(*(one.aclose() for one in self._connections if one is not None))
        for opening in self._opening:
            async with opening:  # one whose link is just being opened closes itself
                pass

    async def connection(self) -> Connection:
        """The least busy connection, opened if need be. Raises SandboxError where there is none to be had."""
        loads = [
            wanted + (0 if one is None or one.lost else one.load)
            for wanted, one in zip(self._wanted, self._connections, strict=True)
        ]
        index = loads.index(min(loads))
        self._wanted[index] += 1
        try:
            async with self._opening[index]:
                return await self._open(index)
        finally:
            self._wanted[index] -= 1

    async def _open(self, index: int) -> Connection:
        if self._closed:
            raise SandboxError("the sandbox is closed; open a new one")
        current = self._connections[index]
        if current is not None and current.lost is None:
            return current
        if current is not None:
            await current.aclose()
        fresh = self._connections[index] = Connection(await self._open_link(), self._patience)
        if self._closed:
            await fresh.aclose()
        await fresh.open()
        return fresh

    def execution(self, answer: Answer, limits: Limits, fetch: Sequence[str]) -> Execution:
        """What ``answer`` says about a program. Raises SandboxError where no program could run."""
        return execution_of(answer, limits, fetch, self.name)

    def _hello(self) -> wire.Hello | None:
        return next((one.hello for one in self._connections if one is not None and one.hello), None)


class _Cell(NamedTuple):
    """A finished cell: enough to run it again, and how it ended."""

    code: bytes
    files: dict[str, bytes]
    status: ExecutionStatus


class RemoteSession:
    """A session on a server. Where its server is lost, the finished cells are run again on the next one.

    Files are shared with a snapshot, or copied for it, as by the sandbox that the server hosts.
    """

    def __init__(
        self, sandbox: RemoteSandbox, limits: Limits, files: Mapping[str, bytes], cells: Sequence[_Cell] = ()
    ) -> None:
        self._sandbox, self._limits, self._files = sandbox, limits, dict(files)
        self._cells = list(cells)
        self._connection: Connection | None = None
        self._number = 0
        self._turn = asyncio.Lock()
        self._closed = False

    async def open(self) -> None:
        """Opens it on a server, without its cells. Raises SandboxError."""
        connection = await self._sandbox.connection()
        number = connection.number()
        request = wire.OpenSession(id=number, session=number, limits=self._limits, files=self._files)
        await _open_on(connection, request, number, NO_WORK_S)
        self._connection, self._number = connection, number

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, *, fetch: Sequence[str] = ()
    ) -> Execution:
        """Runs one cell; see ``Session.run``. A server lost in the middle of it makes it "crashed"."""
        body, given, wanted = code.encode("utf-8", "surrogatepass"), dict(files or {}), tuple(fetch)
        async with self._turn:
            answer: Answer | None = None
            for _ in range(MAX_TRIES):
                refused = await self._restore()
                if refused is not None:
                    return refused
                try:
                    answer = await self._call(body, given, wanted)
                except wire.WireError as error:
                    return Execution(status="refused", error=f"the cell cannot be sent: {error}")
                if not may_retry(answer):
                    break
            assert answer is not None
            execution = self._sandbox.execution(answer, self._limits, wanted)
            if execution.status in _FINISHED:
                self._cells.append(_Cell(body, given, execution.status))
            return execution

    async def snapshot(self) -> RemoteSession:
        """A second session from the present state; see ``Session.snapshot``."""
        async with self._turn:
            refused = await self._restore()
            if refused is not None or self._connection is None:
                raise SandboxError(f"no snapshot: {refused.error if refused else 'the session has no server'}")
            copy = RemoteSession(self._sandbox, self._limits, self._files, self._cells)
            number = self._connection.number()
            request = wire.TakeSnapshot(id=number, session=self._number, copy_number=number)
            await _open_on(self._connection, request, number, NO_WORK_S + self._restoring_s())
            copy._connection, copy._number = self._connection, number
            return copy

    async def aclose(self) -> None:
        """Ends it; safe to call twice, and while a cell runs. Raises SandboxError where the server cannot."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None and connection.lost is None:
            request = wire.CloseSession(id=connection.number(), session=self._number)
            answer = await connection.call(request, NO_WORK_S)
            if isinstance(answer, wire.Failed):
                raise SandboxError(f"the session could not be closed: {failure(answer)}")

    async def _restore(self) -> Execution | None:
        """Makes the session alive, its finished cells run; or says why it cannot be. Raises SandboxError."""
        if self._closed:
            raise SandboxError("the session is closed; open a new one")
        if self._connection is not None and self._connection.lost is None:
            return None
        await self.open()
        for index, cell in enumerate(self._cells, 1):
            answer = await self._call(cell.code, cell.files, ())
            again = self._sandbox.execution(answer, self._limits, ())
            if again.status != cell.status:
                connection, self._connection = self._connection, None
                if connection is not None:
                    connection.post(wire.CloseSession(id=connection.number(), session=self._number))
                reason = (
                    f"the session was lost with its server, and its finished cells do not all run again: "
                    f"cell {index} of {len(self._cells)} was {cell.status!r} and is now {again.status!r}"
                )
                return Execution(status="refused", error=reason, sandbox=again.sandbox)
        return None

    async def _call(self, code: bytes, files: dict[str, bytes], fetch: tuple[str, ...]) -> Answer:
        connection = self._connection
        if connection is None:  # closed by another task
            return Lost(cause="closed", reason="the session was closed", started=False)
        number = connection.number()
        request = wire.RunCell(id=number, session=self._number, code=code, files=files, fetch=fetch)
        return await connection.call(request, self._limits.timeout_s + self._restoring_s())

    def _restoring_s(self) -> float:
        """The time that the server's own session may need to run its cells again after a death of its process."""
        return self._limits.timeout_s * len(self._cells)


async def _open_on(connection: Connection, request: wire.Request, number: int, work_s: float) -> None:
    """Asks for a session ``number``. Raises SandboxError; none is left behind then, nor where we are cancelled."""
    try:
        answer = await connection.call(request, work_s)
    except wire.WireError as error:
        raise SandboxError(f"the session's files cannot be sent: {error}") from error
    except asyncio.CancelledError:
        connection.post(wire.CloseSession(id=connection.number(), session=number))
        raise
    if not isinstance(answer, wire.Agreed):
        raise SandboxError(f"no session could be opened: {failure(answer)}")
