"""Our chat requests in the OpenAI wire format. Pure."""

from __future__ import annotations

import base64
from typing import Any

from mathagent.models.base import ChatRequest
from mathagent.types import Image, Message


def request_arguments(request: ChatRequest, model: str, *, tokens_field: str) -> dict[str, Any]:
    """The JSON body of ``/chat/completions``; every sampling parameter is explicit.

    ``tokens_field`` is the server's name for the longest reply. A grammar, and a turn of the assistant to be gone on
    with, have no words in this format: see openai_servers.
    """
    params = request.params
    arguments: dict[str, Any] = {
        "model": model,
        "messages": [message_dict(message) for message in request.messages],
        "temperature": params.temperature,
        "top_p": params.top_p,
        "n": params.n,
        tokens_field: params.max_tokens,
    }
    if params.stop:
        arguments["stop"] = list(params.stop)
    if params.seed is not None:
        arguments["seed"] = request.sample_seed()
    if request.logprobs is not None:
        arguments["logprobs"] = True
        if request.logprobs:
            arguments["top_logprobs"] = request.logprobs
    if request.json_schema is not None:
        schema = {"name": "reply", "schema": request.json_schema, "strict": True}
        arguments["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.tools:
        arguments["tools"] = [{"type": "function", "function": tool.model_dump()} for tool in request.tools]
    return arguments


def message_dict(message: Message) -> dict[str, Any]:
    """One chat turn as the wire wants it."""
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        wire["content"] = [{"type": "text", "text": message.content}, *map(_image_part, message.images)]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return wire


def _image_part(image: Image) -> dict[str, Any]:
    data = base64.b64encode(image.data).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:{image.media_type};base64,{data}"}}
