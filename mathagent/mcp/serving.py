"""Serving MCP over stdin and stdout, and over streamable HTTP."""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mathagent.agents.listening import (
    ANY_ADDRESS,
    LOOPBACK,
    bearer,
    check_reach,
    in_url,
    listen,
    url_of,
    usable_key,
)
from mathagent.errors import UsageError
from mathagent.mcp.service import MathService

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BODY_BYTES = 4 * 1024 * 1024
SHUTDOWN_S = 5


async def serve_stdio(service: MathService, close: Callable[[], Awaitable[None]]) -> None:
    """Serves one client on stdin and stdout until it closes stdin. What else is printed goes to stderr.

    ``close`` is called, and the process ended, where it is told to end (SIGTERM, SIGINT): the thread that reads stdin
    cannot be stopped, and would hold the process until the client says another thing.
    """
    from mathagent.mcp.app import build_server

    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    async def end(number: int) -> None:
        try:
            await asyncio.wait_for(close(), SHUTDOWN_S)
        finally:
            os._exit(128 + number)

    def told_to_end(number: int, _: object) -> None:
        if not ending:
            ending.append(loop.create_task(end(number)))

    with _stopping(told_to_end):
        await build_server(service).run_stdio_async()


async def serve_http(
    service: MathService,
    *,
    host: str = "127.0.0.1",
    port: int = 8766,
    key: str | None = None,
    allowed_hosts: Sequence[str] = (),
    on_listening: Callable[[str], None] = lambda url: None,
) -> None:
    """Serves many clients at ``http://host:port/mcp`` until the process is told to end.

    ``key`` is the bearer key that every request must carry; ``allowed_hosts`` are further names by which clients reach
    the server. ``on_listening`` hears the URL (``port`` 0: any free one). Raises UsageError where the server would be
    open to others without a key, ResourceError where the address cannot be listened at.
    """
    import uvicorn

    from mathagent.mcp.app import build_server

    app = http_app(build_server(service), host=host, key=key, allowed_hosts=allowed_hosts)
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_S, server_header=False
    )
    listener = listen(host, port)
    on_listening(f"{url_of(host, listener)}/mcp")
    server = uvicorn.Server(config)
    # Its own way with signals is to raise them again once it has stopped: nobody would clear up after SIGTERM.
    server.capture_signals = lambda: _stopping(server.handle_exit)  # type: ignore[method-assign]
    with listener:
        await server.serve(sockets=[listener])


def http_app(
    server: MCPServer[Any], *, host: str, key: str | None = None, allowed_hosts: Sequence[str] = ()
) -> ASGIApp:
    """The ASGI app behind ``serve_http``. Raises UsageError, see there."""
    from mcp.server.transport_security import TransportSecuritySettings

    if key is not None:
        key = usable_key(key, "the MCP server")
    check_reach(host, has_key=key is not None)
    if host in ANY_ADDRESS and not allowed_hosts:
        raise UsageError(
            f"{host or 'every address'} stands for all addresses: say by which names clients reach the server, with"
            " --allow-host NAME"
        )
    names = [
        *LOOPBACK[:2],
        "[::1]",
        *allowed_hosts,
        *(() if host in (*LOOPBACK, *ANY_ADDRESS) else (in_url(host),)),
    ]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[
            form
            for name in names
            for scheme in ("http", "https")
            for form in (f"{scheme}://{name}", f"{scheme}://{name}:*")
        ],
    )
    app = server.streamable_http_app(host=host, transport_security=security, max_request_body_size=MAX_BODY_BYTES)
    return app if key is None else RequireKey(app, key)


@contextmanager
def _stopping(told: Callable[[int, Any], None]) -> Iterator[None]:
    """Has ``told`` called (on the loop) when the process is told to end."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, told, number, None)
    try:
        yield
    finally:
        for number in signals:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)


class RequireKey:
    """Lets in HTTP requests that carry ``Authorization: Bearer KEY``; of the others nothing is read."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._wanted = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and not self._has_key(scope):
            from starlette.responses import JSONResponse

            refused = JSONResponse(
                {"error": "invalid_token", "error_description": "a bearer key is required"},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer", "Connection": "close"},
            )
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _has_key(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        key = bearer(given[0].decode("latin-1")) if len(given) == 1 else None
        return key is not None and hmac.compare_digest(key.encode("latin-1"), self._wanted)
