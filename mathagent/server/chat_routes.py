"""``/v1/chat/completions``: solves for any client of OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from mathagent.events import SolveFinished
from mathagent.server.chat_order import order_of
from mathagent.server.chat_reply import ChatReply
from mathagent.server.chat_wire import ChatRequestBody
from mathagent.server.event_buffer import EventBuffer
from mathagent.server.job import Job
from mathagent.server.openapi_text import CHAT_REPLY, ERRORS
from mathagent.server.parts import Key, SharedParts, ended_with, event_stream, failure_body, finished, while_there
from mathagent.server.public_text import public_solution
from mathagent.server.reasoning import ReasoningText

router = APIRouter(tags=["chat"])


@router.post("/v1/chat/completions", responses={200: CHAT_REPLY, **ERRORS}, response_model=None)
async def chat_completions(body: ChatRequestBody, request: Request, parts: SharedParts, key: Key) -> Response:
    """Solves the last message's problem; the turns before it say what it refers to."""
    desk = parts.desk
    order = order_of(body, strategy=parts.options.strategy, default_model=desk.models.default)
    job = Job(desk.check(order), key)
    as_json = body.response_format is not None and body.response_format.type == "json_object"
    if body.stream:
        buffer = EventBuffer()
        job.listen(buffer.put)
        await while_there(request, desk.start(job))
        assert job.task is not None
        job.task.add_done_callback(lambda _: buffer.end())
        with_usage = body.stream_options is not None and body.stream_options.include_usage
        reply = ChatReply(job.solve_id, body.model, as_json=as_json)
        return event_stream(parts, job, _pieces(request, job, buffer, reply, with_usage=with_usage))
    reasoning, texts = ReasoningText(), list[str]()
    job.listen(lambda event: texts.append(reasoning.add(event)))
    async with ended_with(job):
        await while_there(request, desk.start(job))
        solution = await while_there(request, finished(job))
    solution = public_solution(solution, job.order.model)
    text = _beginning(job) + "".join((*texts, reasoning.end())).strip("\n")
    whole = ChatReply(job.solve_id, body.model, as_json=as_json).whole(solution, text, job.aside)
    return JSONResponse(whole)


async def _pieces(
    request: Request, job: Job, buffer: EventBuffer, reply: ChatReply, *, with_usage: bool
) -> AsyncGenerator[bytes]:
    reasoning = ReasoningText()
    yield _data(reply.first())
    if job.rewritten is not None:
        yield _data(reply.reasoning(_beginning(job)))
    try:
        async for event in buffer:
            text = reasoning.end() if isinstance(event, SolveFinished) else reasoning.add(event)
            if text:
                yield _data(reply.reasoning(text))
        solution = public_solution(await finished(job), job.order.model)
    except Exception as error:  # noqa: BLE001 - the stream ends with it, and the log has it
        yield _data(failure_body(error, request))
        return
    for piece in reply.last(solution):
        yield _data(piece)
    if with_usage:
        yield _data(reply.usage(solution.usage + job.aside))
    yield b"data: [DONE]\n\n"


def _beginning(job: Job) -> str:
    return "" if job.rewritten is None else f"Understood as: {job.rewritten}\n\n"


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
