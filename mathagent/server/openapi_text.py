"""What the OpenAPI document says of replies that FastAPI cannot see in the code."""

from __future__ import annotations

from typing import Any

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}


def _error(about: str) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": _ERROR}}}


ERRORS: dict[int | str, dict[str, Any]] = {
    400: _error("The request is wrong; `param` names the field."),
    401: _error("No key, or a wrong one."),
    403: _error("By this name, or from pages of this origin, the server is not to be used."),
    404: _error("There is no such model, strategy or solution."),
    409: _error("The solve runs, or cannot be resumed."),
    413: _error("The body is too large."),
    429: _error("Too many wait, or the key's allowance is used up: `Retry-After` says when to try again."),
    499: _error("The client has gone; nobody reads this."),
    502: _error("The model's endpoint failed."),
    503: _error("A part of the server failed, or it is shutting down."),
    504: _error("The solve did not end in time."),
}
CHAT_REPLY: dict[str, Any] = {
    "description": "OpenAI's chat completion, or its chunks where `stream` is set.",
    "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
}
SOLVE_REPLY: dict[str, Any] = {
    "description": "The events of the solve (docs/events.md), or the Solution where `stream` is false.",
    "content": {"text/event-stream": {}, "application/json": {"schema": {"type": "object"}}},
}
