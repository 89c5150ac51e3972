"""Errors as clients get them: OpenAI's form, a status that fits, nothing of this machine in them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mathagent.agents.gate import Busy, Closing
from mathagent.errors import BackendError, MathagentError, UnknownName, UnsupportedOption, UsageError
from mathagent.server.allowance import UsedUp
from mathagent.server.public_text import public_text

logger = logging.getLogger("mathagent.server")

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}


class ApiError(Exception):
    """What a client did wrong, or is told. ``param`` names the field of its request."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        kind: str = "invalid_request_error",
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.kind, self.param = status, code, kind, param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON that is sent."""
        return {
            "error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code},
        }

    def response(self) -> JSONResponse:
        """The whole answer."""
        return JSONResponse(self.body(), status_code=self.status, headers=self.headers)


def unsupported(param: str, advice: str) -> ApiError:
    """The refusal, by name, of a parameter that cannot be honoured."""
    return ApiError(400, f"'{param}' is not supported: {advice}", code="unsupported_parameter", param=param)


def ended() -> ApiError:
    """What those hear who wait for a solve that somebody has cancelled."""
    return ApiError(
        503, "the solve was ended; it may be resumed, unless it was deleted", code="ended", kind="server_error"
    )


def as_api_error(error: BaseException) -> ApiError:
    """What a client is told of ``error``; what only the log may hold is left out."""
    match error:
        case ApiError():
            return error
        case Closing():
            retry = {"Retry-After": str(error.retry_after_s)}
            return ApiError(503, str(error), code="shutting_down", kind="server_error", headers=retry)
        case Busy():
            retry = {"Retry-After": str(error.retry_after_s)}
            return ApiError(429, str(error), code="server_busy", kind="rate_limit_error", headers=retry)
        case UsedUp():
            retry = {"Retry-After": str(error.retry_after_s)}
            return ApiError(429, str(error), code="insufficient_quota", kind="insufficient_quota", headers=retry)
        case UnknownName() if error.kind == "unfinished solve":  # its message lists those of others
            return ApiError(409, "this solve cannot be resumed", code="not_resumable")
        case UnknownName() if error.kind in ("strategy", "model"):
            return ApiError(404, public_text(str(error)), code="model_not_found", param="model")
        case UnsupportedOption():
            message = public_text(str(error))
            return ApiError(400, message, code="unsupported_parameter", param=error.option)
        case UsageError():
            return ApiError(400, public_text(str(error)), code="invalid_value")
        case BackendError():
            return ApiError(502, "the model's endpoint failed", code="model_failed", kind="server_error")
        case MathagentError():
            return ApiError(503, "a part of the server failed", code="part_failed", kind="server_error")
        case TimeoutError():
            return ApiError(504, "the solve did not end in time", code="deadline", kind="server_error")
        case asyncio.CancelledError():
            return ended()
    return ApiError(500, "the server failed; its log says why", code="internal_error", kind="server_error")


def log_failure(error: BaseException, request_id: str) -> None:
    """Writes to the log what the client is not told."""
    if isinstance(error, ApiError | UsageError | Busy | UsedUp | asyncio.CancelledError):
        return
    if isinstance(error, MathagentError | TimeoutError):
        logger.warning("request failed: %s: %s", type(error).__name__, error, extra={"request": request_id})
    else:
        logger.error("request failed", exc_info=error, extra={"request": request_id})


def install(app: FastAPI) -> None:
    """Has ``app`` answer every error like this."""

    async def told(request: Request, error: Exception) -> JSONResponse:
        log_failure(error, getattr(request.state, "request_id", ""))
        return as_api_error(error).response()

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return _invalid(error).response()

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = _CODES.get(error.status_code, "http_error")
        return ApiError(error.status_code, str(error.detail), code=code, headers=error.headers).response()

    for kind in (ApiError, MathagentError, TimeoutError):
        app.add_exception_handler(kind, told)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, told)


def _invalid(error: RequestValidationError) -> ApiError:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    param = ".".join(place) or None
    if first["type"] == "extra_forbidden":
        return ApiError(400, f"Unrecognized request argument: {param}", code="unknown_parameter", param=param)
    if first["type"] == "json_invalid":
        return ApiError(400, "the body is not JSON", code="invalid_json")
    code = "missing_required_parameter" if first["type"] == "missing" else "invalid_value"
    return ApiError(400, f"{param or 'the request'}: {first['msg']}", code=code, param=param)
