"""The web page: the files of ``static/``, each with the policy that a browser must follow with it."""

from __future__ import annotations

from pathlib import Path, PurePath

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

FOLDERS = ("css", "img", "js", "vendor")
"""What ``index.html`` takes the rest of itself from. Each has its own place, so that a path of no route stays one."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Content-Security-Policy: files of this server only, no inline script or style, and no text ever read as markup
(trusted types): what a model writes stays text, even where a script of ours were careless with it."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-cache",  # asked for each time, and sent only where it has changed (ETag)
}

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""Told by us: what the machine's own table says of ``.js`` may be wrong, and with nosniff a page would not run."""


class PageFiles(StaticFiles):
    """Files with HEADERS and MEDIA_TYPES."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See StaticFiles."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        media_type = MEDIA_TYPES.get(PurePath(path).suffix)
        if media_type is not None and response.status_code == 200:
            response.headers["content-type"] = media_type
        return response


def mount_page(app: FastAPI, folder: Path) -> None:
    """Has ``app`` show the page in ``folder`` at ``/``; nothing where none is there. Nobody needs a key for it."""
    if not (folder / "index.html").is_file():
        return
    for name in FOLDERS:
        if (folder / name).is_dir():
            app.mount(f"/{name}", PageFiles(directory=folder / name), name=f"page-{name}")
    top = PageFiles(directory=folder)

    async def index(request: Request) -> Response:
        return await top.get_response("index.html", request.scope)

    app.add_api_route("/", index, methods=["GET", "HEAD"], include_in_schema=False, response_model=None)
