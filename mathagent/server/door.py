"""What every request passes before anything of it is read: its size, the name it came by, its key. Plain ASGI."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mathagent.agents.listening import LOOPBACK, bearer
from mathagent.server.api_errors import ApiError
from mathagent.server.keys import ANYONE, who
from mathagent.server.options import ServeOptions

KEYED = ("/v1", "/metrics")
"""What needs a key, where there are keys: all that tells or does anything."""


class BodyLimit:
    """Refuses a body of more than ``most`` bytes: by its announced length before any of it is read, else as soon as
    more than that has come."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced[:19]) > self._most:
            await self._too_large().response()(scope, receive, send)
            return
        come = 0

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > self._most:
                error = self._too_large()
                raise HTTPException(413, str(error), dict(error.headers))  # FastAPI would make a 400 of any other
            return message

        await self._app(scope, counted, send)

    def _too_large(self) -> ApiError:
        message = f"the body has more than {self._most} bytes, which is the most that is taken"
        return ApiError(413, message, code="request_too_large", headers={"Connection": "close"})


class Door:
    """Lets in whom ``options`` allow, and notes in ``request.state.key`` who it is."""

    def __init__(self, app: ASGIApp, options: ServeOptions) -> None:
        self._app, self._keys = app, options.keys
        self._hosts = frozenset(name.lower() for name in (*LOOPBACK, *options.hosts))
        self._origins = frozenset(options.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._stranger(headers) if not self._keys else None
        if refused is None:
            refused = self._unknown(scope, headers)
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await refused.response()(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _stranger(self, headers: Mapping[str, str]) -> ApiError | None:
        """Where no key protects, a web page elsewhere must not reach us through its visitor's browser: neither by a
        name of its own that leads here (DNS rebinding) nor by a request that needs no permission."""
        if _hostname(f"//{headers.get('host', '')}") not in self._hosts:
            return ApiError(403, "this server is not known by that name", code="wrong_host")
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins and _hostname(origin) not in self._hosts:
            return ApiError(403, "pages of that origin may not use this server", code="wrong_origin")
        return None

    def _unknown(self, scope: Scope, headers: Mapping[str, str]) -> ApiError | None:
        state = scope.setdefault("state", {})
        if not self._keys:
            state["key"] = ANYONE
            return None
        found = who(self._keys, bearer(headers.get("authorization")))
        if found is not None:
            state["key"] = found
        elif any(_path(scope) == path or _path(scope).startswith(f"{path}/") for path in KEYED):
            message = "this server needs a key: send it as 'Authorization: Bearer KEY'"
            return ApiError(
                401,
                message,
                code="invalid_api_key",
                kind="authentication_error",
                headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
            )
        return None


def _path(scope: Scope) -> str:
    """The path within our app, wherever that is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _hostname(url: str) -> str:
    """The host in ``url``, in lower case; "" where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
