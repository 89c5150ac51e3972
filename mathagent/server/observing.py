"""Observing: an id, a line in the log and a count for every request. Plain ASGI."""

from __future__ import annotations

import logging
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mathagent.server.metrics import ServerMetrics

logger = logging.getLogger("mathagent.access")


class Observing:
    """Notes the id in ``request.state.request_id`` and sends it as ``X-Request-Id``. Queries, bodies and headers are
    not looked at."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.monotonic(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            seconds = time.monotonic() - began
            route = getattr(scope.get("route"), "path", "other")
            method = (
                scope["method"] if scope["method"] in ("GET", "POST", "DELETE", "OPTIONS", "HEAD") else "other"
            )
            self._metrics.requested(route, method, status, seconds)
            logger.info(
                "%s %s %s",
                method,
                route,
                status or "left",
                extra={
                    "request": request_id,
                    "key": getattr(scope["state"].get("key"), "name", None),
                    "seconds": round(seconds, 3),
                },
            )
