"""``/v1/solve``: a solve with its events, as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request, Response
from fastapi.responses import Response as Plain

from mathagent.events import TokenDelta
from mathagent.server.event_buffer import EventBuffer
from mathagent.server.job import Job, SolveOrder
from mathagent.server.openapi_text import ERRORS, SOLVE_REPLY
from mathagent.server.parts import (
    Key,
    Parts,
    SharedParts,
    ended_with,
    event_stream,
    failure_body,
    finished,
    while_there,
)
from mathagent.server.public_text import public_event, public_solution
from mathagent.server.solve_wire import Reading, SolveBody

router = APIRouter(tags=["solve"])


@router.post("/v1/solve", responses={200: SOLVE_REPLY, **ERRORS}, response_model=None)
async def solve(body: SolveBody, request: Request, parts: SharedParts, key: Key) -> Response:
    """Solves a problem. Without `stream`, gives the Solution; with it, each event as it happens, `solve-finished` with
    the Solution last, or `error`."""
    order = SolveOrder(
        problem=body.asked,
        strategy=body.strategy or parts.options.strategy,
        model=body.model or parts.desk.models.default,
        budget=body.budget,
        settings=body.settings,
        seed=body.seed,
        min_confidence=body.min_confidence,
        hints=body.hints,
        approve_code=body.approve_code,
        review_plans=body.review_plans,
    )
    return await answered(Job(parts.desk.check(order), key), body, request, parts)


async def answered(job: Job, how: Reading, request: Request, parts: Parts) -> Response:
    """The response that tells ``how`` the client wants to hear it what becomes of ``job``."""
    model = job.order.model
    if how.stream:
        buffer = EventBuffer()
        job.listen(lambda event: buffer.put(event) if how.pieces or not isinstance(event, TokenDelta) else None)
        await while_there(request, parts.desk.start(job))
        assert job.task is not None
        job.task.add_done_callback(lambda _: buffer.end())
        return event_stream(parts, job, _pieces(request, job, buffer))
    async with ended_with(job):
        await while_there(request, parts.desk.start(job))
        solution = await while_there(request, finished(job))
    return Plain(public_solution(solution, model).model_dump_json(), media_type="application/json")


async def _pieces(request: Request, job: Job, buffer: EventBuffer) -> AsyncGenerator[bytes]:
    number = 0
    async for event in buffer:
        shown = public_event(event, job.order.model)
        yield _event(shown.kind, shown.model_dump_json(), number)
        number += 1
    try:
        await finished(job)
    except Exception as error:  # noqa: BLE001 - the stream ends with it, and the log has it
        yield _event("error", json.dumps(failure_body(error, request), ensure_ascii=False), number)


def _event(kind: str, data: str, number: int) -> bytes:
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n".encode()
