"""One connection to a sandbox server: requests out, replies matched to them, clocks of our own, and its one end.

What comes over the link is from a stranger. A reply that breaks the rules, one that does not come in time, and the end
of the stream all end the connection: every call that waits gets a ``Lost`` that says why. A connection never recovers;
its owner opens a new one.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Literal

from pydantic import Field

from mathagent.errors import SandboxError
from mathagent.sandbox import wire
from mathagent.sandbox.link import Link
from mathagent.types import Value


class Patience(Value):
    """How long, in seconds, a server is waited for before it counts as lost."""

    start_s: float = Field(default=60.0, gt=0, description="From the opened link to its hello.")
    grace_s: float = Field(default=15.0, gt=0, description="After the time of a started work, or after a cancel.")
    stall_s: float = Field(default=60.0, gt=0, description="While calls wait, none is at work, and nothing comes.")
    close_s: float = Field(default=5.0, gt=0, description="From the end of its input to its own end.")


class Lost(Value):
    """The answer to a call whose connection ended: ``overdue`` is the one that took too long, ``closed`` our wish."""

    cause: Literal["broke", "overdue", "closed"]
    reason: str
    started: bool


Answer = wire.Done | wire.Agreed | wire.Failed | Lost


class _Call:
    """A request that waits for its answer."""

    def __init__(self, request: wire.Wired, work_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self.number, self.work_s = request.id, work_s
        self.wants_execution = isinstance(request, wire.RunProgram | wire.RunCell)
        self.answer: asyncio.Future[Answer] = loop.create_future()
        self.started = False
        self.clock: asyncio.TimerHandle | None = None

    def settle(self, answer: Answer) -> None:
        if self.clock is not None:
            self.clock.cancel()
        if not self.answer.done():
            self.answer.set_result(answer)


class Connection:
    """Talks to the server behind ``link``. Call ``open`` first; ``hello`` is there then. ``lost`` says why it ended."""

    def __init__(self, link: Link, patience: Patience) -> None:
        self._link, self.patience = link, patience
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._calls: dict[int, _Call] = {}
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._stall: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self.hello: wire.Hello | None = None
        self.lost: str | None = None
        self._tasks = [asyncio.ensure_future(self._read()), asyncio.ensure_future(self._write())]

    @property
    def load(self) -> int:
        """How many calls wait for their answers."""
        return len(self._calls)

    async def open(self) -> None:
        """Waits for the server's hello. Raises SandboxError where none comes or it speaks another protocol."""
        try:
            await asyncio.wait([self._greeted], timeout=self.patience.start_s)
        except asyncio.CancelledError:
            self._fail("closed", "its start was cancelled")
            await self._ended()
            raise
        if not self._greeted.done():
            self._fail("overdue", f"it said nothing for {self.patience.start_s:g} s")
        if self.lost is not None:
            await self._ended()
            raise SandboxError(f"the sandbox server did not start: {self.lost}")

    def number(self) -> int:
        """A new number for a request."""
        return next(self._numbers)

    async def call(self, request: wire.Request, work_s: float) -> Answer:
        """Sends ``request`` and returns what was answered, or why there is no answer.

        The server gets ``work_s`` and the grace from when it says that it has started; waiting for a turn is not
        counted, as long as others are at work. Raises WireError where the request fits no frame. Cancelling the call
        cancels the work and waits for its end.
        """
        if self.lost is not None:
            return Lost(cause="broke", reason=self.lost, started=False)
        data = wire.frame(request)
        call = self._calls[request.id] = _Call(request, work_s, self._loop)
        self._outbox.put_nowait(data)
        self._watch_for_stall()
        try:
            await asyncio.wait([call.answer])
        except asyncio.CancelledError:
            self._outbox.put_nowait(wire.frame(wire.Cancel(id=call.number)))
            await asyncio.wait([call.answer], timeout=self.patience.grace_s)
            if not call.answer.done():
                self._fail("overdue", f"it did not stop a cancelled program in {self.patience.grace_s:g} s")
                await self._ended()
            raise
        finally:
            del self._calls[call.number]
        return call.answer.result()

    def post(self, request: wire.Request) -> None:
        """Sends ``request`` and does not wait for its answer."""
        self._outbox.put_nowait(wire.frame(request))

    async def aclose(self) -> None:
        """Ends the server, which ends its programs; calls that wait are ``Lost`` ("closed"). Safe to call twice."""
        self._fail("closed", "the sandbox was closed", grace_s=self.patience.close_s)
        await self._ended()

    async def _read(self) -> None:
        frames = wire.FrameReader(self._link.read)
        try:
            while (body := await frames.next()) is not None:
                self._receive(wire.parse_reply(body))
        except wire.WireError as error:
            self._fail("broke", f"it sent what is not of the protocol: {error}")
        except OSError as error:
            self._fail("broke", f"the connection broke: {error}")
        else:
            self._fail("broke", f"it ended ({await self._link.last_words()})")
        finally:  # nobody may wait for a reader that is gone, whatever ended it
            self._fail("broke", "its replies are not read any more")

    async def _write(self) -> None:
        try:
            while True:
                await self._link.write(await self._outbox.get())
        except OSError:
            pass  # the reader sees the end too, and knows more about it; else the stall clock does

    def _receive(self, reply: wire.Reply) -> None:
        """Passes ``reply`` on; one to a number that nobody waits for is ignored. Raises WireError."""
        if isinstance(reply, wire.Hello):
            self._greet(reply)
            return
        if not self._greeted.done():
            raise wire.WireError("its first message was not hello")
        call = self._calls.get(reply.id)
        if call is None or call.answer.done():
            return
        if isinstance(reply, wire.Started):
            if not call.started:
                call.started = True
                limit_s = call.work_s + self.patience.grace_s
                call.clock = self._loop.call_later(limit_s, self._overdue, call, limit_s)
            return
        if isinstance(reply, wire.Agreed if call.wants_execution else wire.Done):
            raise wire.WireError("an answer of the wrong kind")
        call.settle(reply)
        self._watch_for_stall()

    def _greet(self, hello: wire.Hello) -> None:
        if self._greeted.done():
            raise wire.WireError("it said hello twice")
        if hello.protocol != wire.PROTOCOL:
            reason = (
                f"it speaks protocol {hello.protocol}, we {wire.PROTOCOL}; install the same version on both sides"
            )
            self._fail("broke", reason)
            return
        self.hello = hello
        self._greeted.set_result(None)

    def _overdue(self, call: _Call, limit_s: float) -> None:
        reason = f"it did not answer within {limit_s:g} s"
        call.settle(Lost(cause="overdue", reason=reason, started=True))
        self._fail("broke", reason)

    def _watch_for_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
        self._stall = self._loop.call_later(self.patience.stall_s, self._stalled)

    def _stalled(self) -> None:
        waiting = [call for call in self._calls.values() if not call.answer.done()]
        if not waiting:
            return
        if any(call.started for call in waiting):  # their own clocks run
            self._watch_for_stall()
        else:
            self._fail("broke", f"it began no work for {self.patience.stall_s:g} s")

    def _fail(self, cause: Literal["broke", "overdue", "closed"], reason: str, grace_s: float = 0.0) -> None:
        """Ends the connection; the first reason counts."""
        if self.lost is not None:
            return
        self.lost = reason
        for call in self._calls.values():
            call.settle(Lost(cause=cause, reason=reason, started=call.started))
        if not self._greeted.done():
            self._greeted.set_result(None)
        if self._stall is not None:
            self._stall.cancel()
        self._ending = asyncio.ensure_future(self._end(grace_s))

    async def _end(self, grace_s: float) -> None:
        await self._link.aclose(grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _ended(self) -> None:
        if self._ending is not None:
            await asyncio.wait([self._ending])
