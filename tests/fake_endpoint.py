"""A small OpenAI-compatible server that misbehaves on request; it records every request body."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Behaviour:
    """How to answer. ``n``: "honour", "ignore" (one choice) or "refuse" (HTTP 400). ``refuse``: fields answered
    with 400 naming them. ``status``, ``raw``: this status, these bytes, instead of a completion. ``cut``: "body"
    closes the connection in the middle of the body, "stream" ends a stream half way and cleanly, "reset" half way
    and not; "drop" closes without an answer; "hang" stops half way, and stays open. ``delay_s``: wait first; None: for
    ever. ``stated_usage`` is what it says of tokens, right or wrong. ``streams``: else a stream is answered whole."""

    n: str = "honour"
    refuse: tuple[str, ...] = ()
    refuse_status: int = 400
    refuse_n_status: int = 400
    status: int = 200
    raw: bytes | None = None
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: str = ""
    delay_s: float | None = 0.0
    text: Callable[[dict[str, Any], int], str] = lambda body, index: f"reply {body.get('seed')} {index}"
    message: dict[str, Any] | None = None
    finish_reason: str | None = "stop"
    usage: bool = True
    stated_usage: Any = None
    shuffled: bool = False
    streams: bool = True
    key: str | None = None


class FakeEndpoint:
    """Answers each request by the next of ``script``, then by ``behaviour``. ``bodies`` holds what was asked."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.script: list[Behaviour] = []
        self.bodies: list[dict[str, Any]] = []
        self.answered: list[dict[str, Any]] = []
        self.models: Any = None  # what GET /models says; None: 404
        self.models_failures: list[int] = []  # statuses of its first answers
        self.models_delay_s: float | None = 0.0  # before it says so; None: until ``models_known`` is set
        self.models_known = asyncio.Event()
        self.asked_for_models = 0
        self.open = 0
        self.most_open = 0
        self.disconnected = 0
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str = "127.0.0.1", path: str = "/v1") -> FakeEndpoint:
        app = web.Application()
        app.router.add_post(f"{path}/chat/completions", self._answer)
        app.router.add_get(f"{path}/models", self._models)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def will(self, **changes: Any) -> None:
        """Changes the behaviour from now on."""
        self.behaviour = replace(self.behaviour, **changes)

    def next_behaviour(self, body: dict[str, Any]) -> Behaviour:
        """How this request is answered."""
        return self.script.pop(0) if self.script else self.behaviour

    async def _models(self, request: web.Request) -> web.Response:
        self.asked_for_models += 1
        if self.models_delay_s is None:
            await self.models_known.wait()
        else:
            await asyncio.sleep(self.models_delay_s)
        if self.models_failures:
            return _error(self.models_failures.pop(0), "not now")
        return _error(404, "no such path") if self.models is None else web.json_response(self.models)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        how = self.next_behaviour(body)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return await self._respond(request, body, how)
        except (asyncio.CancelledError, ConnectionResetError):
            self.disconnected += 1
            raise
        finally:
            self.open -= 1

    async def _respond(self, request: web.Request, body: dict[str, Any], how: Behaviour) -> web.StreamResponse:
        await asyncio.sleep(3600 if how.delay_s is None else how.delay_s)
        if how.key is not None and request.headers.get("Authorization") != f"Bearer {how.key}":
            return _error(401, "wrong key")
        if how.raw is not None or how.status != 200:
            return web.Response(
                status=how.status, body=how.raw or b"", content_type=how.content_type, headers=how.headers
            )
        refused = [name for name in how.refuse if name in body]
        if refused:
            return _error(how.refuse_status, f"Unrecognized request argument supplied: {refused[0]}")
        if how.n == "refuse" and body["n"] > 1:
            return _error(how.refuse_n_status, "Only n = 1 is supported")
        if how.cut == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        count = 1 if how.n == "ignore" else body["n"]
        if body.get("stream") and how.streams:
            return await self._stream(request, body, how, count)
        reply = json.dumps(_completion(body, how, count)).encode()
        if how.cut in ("body", "hang"):
            response = web.StreamResponse(headers={"Content-Length": str(len(reply))})
            response.content_type = how.content_type
            await response.prepare(request)
            await response.write(reply[: len(reply) // 2])
            if how.cut == "hang":
                await asyncio.sleep(3600)
            assert request.transport is not None
            request.transport.close()
            return response
        self.answered.append(body)
        return web.Response(body=reply, content_type=how.content_type, headers=how.headers)

    async def _stream(
        self, request: web.Request, body: dict[str, Any], how: Behaviour, count: int
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "text/event-stream"
        await response.prepare(request)
        chunks = list(_chunks(body, how, count))
        if how.cut:
            chunks = chunks[: len(chunks) // 2]
        for chunk in chunks:
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        if how.cut == "hang":
            await asyncio.sleep(3600)
        if how.cut == "reset":
            await asyncio.sleep(0.02)
            assert request.transport is not None
            request.transport.abort()
        elif how.cut != "stream":
            self.answered.append(body)
            await response.write(b"data: [DONE]\n\n")
        return response


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": status}}, status=status)


def _words(content: Any) -> list[str]:
    """Those of a turn's text, which may stand beside pictures."""
    parts = content if isinstance(content, list) else [{"text": content}]
    return [word for part in parts for word in part.get("text", "").split()]


def _usage(body: dict[str, Any], texts: list[str]) -> dict[str, int]:
    """Prompt tokens are words of the prompt, completion tokens words of the replies."""
    prompt = sum(len(_words(message["content"])) for message in body["messages"])
    return {"prompt_tokens": prompt, "completion_tokens": sum(len(text.split()) for text in texts)}


def _message(body: dict[str, Any], how: Behaviour, index: int) -> dict[str, Any]:
    if how.message is not None:
        return how.message
    return {"role": "assistant", "content": how.text(body, index)}


def _logprobs(body: dict[str, Any], text: str) -> dict[str, Any]:
    other = [{"token": "other", "logprob": -2.0}] * body.get("top_logprobs", 0)
    return {"content": [{"token": word, "logprob": -0.5, "top_logprobs": other} for word in text.split()]}


def _completion(body: dict[str, Any], how: Behaviour, count: int) -> dict[str, Any]:
    messages = [_message(body, how, index) for index in range(count)]
    texts = [message.get("content") or "" for message in messages]
    choices: list[dict[str, Any]] = [
        {"index": index, "message": message, "finish_reason": how.finish_reason}
        for index, message in enumerate(messages)
    ]
    if body.get("logprobs"):
        for choice, text in zip(choices, texts, strict=True):
            choice["logprobs"] = _logprobs(body, text)
    if how.shuffled:
        choices.reverse()
    reply: dict[str, Any] = {"id": "1", "object": "chat.completion", "choices": choices}
    if how.usage:
        reply["usage"] = _usage(body, texts) if how.stated_usage is None else how.stated_usage
    return reply


def _chunks(body: dict[str, Any], how: Behaviour, count: int) -> list[dict[str, Any]]:
    """The same completion in pieces of three characters, samples interleaved, the last one first."""
    whole = _completion(body, how, count)
    chunks: list[dict[str, Any]] = []
    for choice in reversed(whole["choices"]):
        index, message = choice["index"], choice["message"]
        text = message.get("content") or ""
        pieces = [{"content": text[at : at + 3]} for at in range(0, len(text), 3)]
        for call_index, call in enumerate(message.get("tool_calls") or ()):
            arguments = call["function"]["arguments"]
            first = {**call, "index": call_index, "function": {**call["function"], "arguments": ""}}
            pieces.append({"tool_calls": [first]})
            pieces += [
                {"tool_calls": [{"index": call_index, "function": {"arguments": character}}]}
                for character in arguments
            ]
        chunks.append({"choices": [{"index": index, "delta": {"role": "assistant", "content": None}}]})
        chunks += [{"choices": [{"index": index, "delta": piece}]} for piece in pieces]
        if "logprobs" in choice:
            chunks.append({"choices": [{"index": index, "delta": {}, "logprobs": choice["logprobs"]}]})
        chunks.append({"choices": [{"index": index, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    if body.get("stream_options", {}).get("include_usage") and "usage" in whole:
        chunks.append({"choices": [], "usage": whole["usage"]})
    return chunks
