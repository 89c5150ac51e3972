"""What the routes of an app share, and how a request waits for its solve."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import Depends, Request
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from mathagent.server.api_errors import ApiError, as_api_error, ended, log_failure
from mathagent.server.desk import CANCEL_S, SolveDesk
from mathagent.server.job import Job
from mathagent.server.metrics import ServerMetrics
from mathagent.server.options import ServeOptions, ServerKey
from mathagent.types import Solution

logger = logging.getLogger("mathagent.server")
T = TypeVar("T")


@dataclass
class Parts:
    """The parts of one app."""

    options: ServeOptions
    desk: SolveDesk
    metrics: ServerMetrics
    began: int = field(default_factory=lambda: int(time.time()))


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.mathagent
    return parts


def _key(request: Request) -> ServerKey:
    key: ServerKey = request.state.key
    return key


SharedParts = Annotated[Parts, Depends(_parts)]
Key = Annotated[ServerKey, Depends(_key)]


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives; cancelled where the client goes away meanwhile."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ApiError(499, "the client has gone", code="client_closed_request")
        return working.result()
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({working})


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def ended_with(job: Job) -> AsyncIterator[None]:
    """Ends ``job`` where what is done within ends before it."""
    try:
        yield
    finally:
        if job.task is not None and not job.task.done():
            job.cancel()


async def finished(job: Job) -> Solution:
    """The solution of ``job``. Raises ApiError where it was cancelled, by whoever may."""
    try:
        return await job.solution()
    except asyncio.CancelledError as error:
        if job.was_ended:
            raise ended() from error
        raise


class _Stream(EventSourceResponse):
    """Leaves a client that does not read without the noise of a failure."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            logger.warning("a client did not read its stream, and was left")


def event_stream(parts: Parts, job: Job, pieces: AsyncGenerator[bytes]) -> EventSourceResponse:
    """The response that sends ``pieces``, which ``job`` gives rise to. A client that goes away, or does not read for
    ``send_s`` seconds, ends the job."""
    limits = parts.options.limits
    return _Stream(
        _closing(job, pieces),
        ping=15,
        send_timeout=limits.send_s,
        shutdown_event=anyio.Event(),
        shutdown_grace_period=limits.drain_s + 2 * CANCEL_S,
    )


async def _closing(job: Job, pieces: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with ended_with(job):
        async for piece in pieces:
            yield piece


def failure_body(error: BaseException, request: Request) -> dict[str, Any]:
    """What a stream that has begun tells of its failure, which is logged."""
    log_failure(error, getattr(request.state, "request_id", ""))
    return as_api_error(error).body()
