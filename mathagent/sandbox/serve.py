"""A sandbox served over a byte stream: ``python -m mathagent.sandbox.serve`` answers ``wire`` requests.

For places into which no file descriptor can be passed, such as a container on another machine: the whole local sandbox
runs there. Requests come on stdin, replies go to stdout, and nothing else does: whatever prints there by accident goes
to stderr. The server ends at the end of its input, having closed its sandbox and so every program. POSIX only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from mathagent.errors import MathagentError
from mathagent.sandbox import SANDBOXES, wire
from mathagent.sandbox.base import Sandbox, Session
from mathagent.types import Execution

CLOSE_S = 10.0
"""How long the sandbox may take to close at the end of input; then the process ends anyway."""


class Server:
    """Answers one client's requests with ``sandbox``, which it does not close.

    At most ``parallel`` programs and cells run at a time; others wait, and "started" is said when they do not any
    more. ``send`` takes the frame of a reply.
    """

    def __init__(self, sandbox: Sandbox, parallel: int, send: Callable[[bytes], Awaitable[None]]) -> None:
        self.sandbox, self._send = sandbox, send
        self._slots = asyncio.Semaphore(parallel)
        self._sessions: dict[int, Session] = {}
        self._works: dict[int, asyncio.Task[Execution | None]] = {}
        self._answers: set[asyncio.Task[None]] = set()

    async def hello(self) -> None:
        """Says what is served."""
        layers = tuple(self.sandbox.layers())
        await self._send(
            wire.frame(wire.Hello(id=0, protocol=wire.PROTOCOL, label=self.sandbox.label, layers=layers))
        )

    def receive(self, request: wire.Request) -> None:
        """Begins to work on ``request``, or cancels the work on an earlier one. Raises WireError for a used id."""
        if isinstance(request, wire.Cancel):
            if request.id in self._works:
                self._works[request.id].cancel()
            return
        if request.id in self._works:
            raise wire.WireError(f"the request {request.id} is still being worked on")
        # Two tasks: cancelling the work must not stop the answer that says so.
        self._works[request.id] = asyncio.ensure_future(self._work(request))
        answer = asyncio.ensure_future(self._answer(request.id))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    async def aclose(self) -> None:
        """Cancels what is being worked on and waits for its end."""
        for work in self._works.values():
            work.cancel()
        if self._answers:
            await asyncio.wait(self._answers)

    async def _work(self, request: wire.Request) -> Execution | None:
        match request:
            case wire.RunProgram():
                code = request.code.decode("utf-8", "surrogatepass")
                async with self._slots:
                    await self._started(request)
                    return await self.sandbox.run(code, request.limits, request.files, fetch=request.fetch)
            case wire.RunCell():
                session = self._session(request.session)
                code = request.code.decode("utf-8", "surrogatepass")
                async with self._slots:
                    await self._started(request)
                    return await session.run(code, request.files, fetch=request.fetch)
            case wire.OpenSession():
                await self._started(request)
                self._sessions[request.session] = await self.sandbox.session(request.limits, request.files)
            case wire.TakeSnapshot():
                await self._started(request)
                self._sessions[request.copy_number] = await self._session(request.session).snapshot()
            case wire.CloseSession():
                await self._started(request)
                session_or_none = self._sessions.pop(request.session, None)
                if session_or_none is not None:
                    await session_or_none.aclose()
        return None

    def _session(self, number: int) -> Session:
        if number not in self._sessions:
            raise wire.WireError(f"there is no session {number}")
        return self._sessions[number]

    async def _started(self, request: wire.Request) -> None:
        await self._send(wire.frame(wire.Started(id=request.id)))

    async def _answer(self, number: int) -> None:
        work = self._works[number]
        await asyncio.wait([work])
        del self._works[number]
        reply = _reply(number, work)
        try:
            data = wire.frame(reply)
        except wire.WireError as error:
            data = wire.frame(wire.Done(id=number, execution=_too_long(str(error))))
        with suppress(ConnectionError):  # the client is gone: the end of our input says so too
            await self._send(data)


def _reply(number: int, work: asyncio.Task[Execution | None]) -> wire.Reply:
    if work.cancelled():
        return wire.Failed(id=number, message="cancelled")
    error = work.exception()
    if error is None:
        execution = work.result()
        return wire.Agreed(id=number) if execution is None else wire.Done(id=number, execution=execution)
    if isinstance(error, MathagentError | wire.WireError | ConnectionError):
        return wire.Failed(id=number, message=str(error)[:2_000])
    traceback.print_exception(error)
    return wire.Failed(id=number, message=f"a fault in the sandbox: {type(error).__name__}: {error}"[:2_000])


def _too_long(reason: str) -> Execution:
    return Execution(status="output-limit", error=f"the result was dropped: {reason}")


async def serve(sandbox: Sandbox, parallel: int, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers what comes from ``requests`` until it ends, then closes ``sandbox``. Both are pipes or sockets.

    Raises WireError where the input is not of the protocol. A sandbox that does not close within ``CLOSE_S`` ends the
    process, whatever it hangs on.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), requests)
    flow = asyncio.StreamReaderProtocol(asyncio.StreamReader())  # only for its flow control
    transport, _ = await loop.connect_write_pipe(lambda: flow, replies)
    writer = asyncio.StreamWriter(transport, flow, None, loop)
    sending = asyncio.Lock()

    async def send(data: bytes) -> None:
        async with sending:  # one drain at a time: a client that does not read slows us down
            writer.write(data)
            await writer.drain()

    server = Server(sandbox, parallel, send)
    try:
        await sandbox.run(
            ""
        )  # what cannot work at all is told now, and the first program need not wait for warm-up
        await server.hello()
        frames = wire.FrameReader(reader.read)
        while (body := await frames.next()) is not None:
            server.receive(wire.parse_request(body))
    finally:
        deadline = threading.Timer(CLOSE_S, os._exit, (1,))
        deadline.daemon = True
        deadline.start()
        await sandbox.aclose()
        await server.aclose()
        transport.abort()
        deadline.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves on this process's stdin and stdout; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m mathagent.sandbox.serve", description="Serve a sandbox.")
    parser.add_argument("--sandbox", default="process", help="name, or module:object, of the sandbox to serve")
    parser.add_argument("--parallel", type=int, default=max(2, os.cpu_count() or 1), help="programs at a time")
    parser.add_argument("--contained", action="store_true", help="inside a wall: fewer layers of its own will do")
    chosen = parser.parse_args(arguments)
    options = {"max_parallel": chosen.parallel} | ({"unsafe": True} if chosen.contained else {})
    requests, replies = _take_streams()
    try:
        build: Callable[..., Sandbox] = SANDBOXES.load(chosen.sandbox)
        asyncio.run(_serve_new(build, options, requests, replies))
    except (
        MathagentError,
        ValueError,
        OSError,
    ) as error:  # WireError; streams that are no pipes; a client that broke off
        sys.stderr.write(f"sandbox server: {error}\n")
        return 1
    return 0


async def _serve_new(
    build: Callable[..., Sandbox], options: dict[str, Any], requests: BinaryIO, replies: BinaryIO
) -> None:
    await serve(build(**options), options["max_parallel"], requests, replies)


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Our own, not inherited copies of stdin and stdout; what else uses these reads nothing and writes to stderr."""
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(requests, "rb", buffering=0), os.fdopen(replies, "wb", buffering=0)


if __name__ == "__main__":
    sys.exit(main())
