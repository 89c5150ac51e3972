"""Open connections to an endpoint: whole replies and streams, over aiohttp alone.

The openai client builds half a dozen objects for each reply; posting the same JSON ourselves takes a small part of its
CPU time and does not need its import (figures: benchmarks/endpoint.py, docs/benchmarks.md). Of a stream it takes an
event without data, which servers send to keep a connection open, for a broken reply.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mathagent.config import proxy_for, settings
from mathagent.models.endpoint_url import is_loopback
from mathagent.models.server_events import EventReader, ServerEvent

if TYPE_CHECKING:
    import ssl

    import aiohttp

MAX_CONNECTIONS = 1000
KEEPALIVE_S = 5.0  # servers close an idle connection after 5 s or more
DRAIN_S = 0.5
"""How long the end of a stream is waited for behind its last event: its connection can then be used again."""
LAST_EVENT = "[DONE]"


def read_json(content: str | bytes) -> object:
    """The JSON value that ``content`` is. Raises json.JSONDecodeError where it is none, or holds more levels or digits
    than can be read, and UnicodeDecodeError."""
    try:
        return json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except (ValueError, RecursionError) as error:
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        raise json.JSONDecodeError(f"cannot be read ({error})", text, 0) from error


@dataclass(frozen=True)
class Response:
    """What the server answered, read to its end. The names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> object:
        """The reply's JSON. Raises json.JSONDecodeError or UnicodeDecodeError where it is none.

        Only JSON is always UTF-8; what calls itself something else is read in the charset it states.
        """
        kind, _, parameters = self.headers.get("content-type", "").partition(";")
        return read_json(self.content if kind.strip().endswith("json") else self._text(parameters))

    def error_body(self) -> object:
        """What a failure's body says: the value under "error", the JSON, or the text as it is."""
        text = self._text(self.headers.get("content-type", "").partition(";")[2]).strip()
        try:
            body = read_json(text)
        except json.JSONDecodeError:
            return text
        return body.get("error", body) if isinstance(body, dict) else body

    def _text(self, parameters: str) -> str:
        from email.message import Message

        stated = Message()
        stated["content-type"] = f"text/plain; {parameters}"
        try:
            return self.content.decode(str(stated.get_content_charset("utf-8")), "replace")
        except LookupError:  # a charset that does not exist
            return self.content.decode("utf-8", "replace")


class Answer:
    """What the server answers, while it is still arriving: ``whole`` or ``events`` reads it to its end, once."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._begun: bytes | None = None

    async def is_stream(self) -> bool:
        """Whether it is a success that comes as events: a page or a JSON value is none, whatever it calls itself."""
        begun = b""
        while not begun.strip() and not self._response.content.at_eof():
            begun += await self._response.content.readany()
        self._begun = begun
        return 200 <= self._response.status < 300 and begun.lstrip()[:1] not in (b"{", b"[", b"<")

    async def whole(self) -> Response:
        """All of it."""
        content = (self._begun or b"") + await self._response.content.read()
        return Response(self._response.status, _lowered(self._response.headers), content)

    async def events(self) -> AsyncGenerator[ServerEvent, None]:
        """Its events up to the one that says that it is done. Raises UnicodeDecodeError."""
        reader, content = EventReader(), self._response.content
        begun, self._begun = self._begun or await content.readany(), None
        while begun:
            for event in reader.feed(begun):
                if event.data.startswith(LAST_EVENT):
                    await self._drain()
                    return
                yield event
            begun = await content.readany()
        for event in reader.end():
            yield event

    async def _drain(self) -> None:
        import aiohttp

        try:
            async with asyncio.timeout(DRAIN_S):
                while await self._response.content.readany():
                    pass
        except (aiohttp.ClientError, TimeoutError):
            pass  # the reply is whole; only its connection is not


class OpenAISession:
    """Open connections to one ``path`` of an endpoint, in the running event loop.

    ``headers`` go with every request beside the key (None: the user's for OpenAI-compatible endpoints).
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        read_timeout_s: float,
        connect_timeout_s: float,
        path: str = "/chat/completions",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        import aiohttp

        self._base_url = base_url
        local = is_loopback(base_url)  # a proxy from the environment cannot reach our own machine's servers
        parts = urlsplit(base_url)
        self._url = self._address(path)
        self._proxy = None if local else proxy_for(self._url)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MAX_CONNECTIONS,
                keepalive_timeout=KEEPALIVE_S,
                ssl=True if parts.scheme == "http" else _tls_context(trust_env=not local),
            ),
            headers=_headers(base_url, api_key, settings().openai_headers if headers is None else headers),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=read_timeout_s, sock_connect=connect_timeout_s, sock_read=read_timeout_s
            ),
        )

    async def post(self, body: Mapping[str, Any]) -> Response:
        """Sends one request and reads the whole answer, whatever its status.

        Raises aiohttp.ClientError or TimeoutError where there is no whole answer, UnicodeEncodeError where
        ``body`` holds half a character.
        """
        async with self._session.post(self._url, data=_encoded(body), proxy=self._proxy) as response:
            return await _read(response)

    async def get(self, path: str) -> Response:
        """Reads what stands under ``path`` of the endpoint. Raises aiohttp.ClientError or TimeoutError."""
        async with self._session.get(self._address(path), proxy=self._proxy) as response:
            return await _read(response)

    def _address(self, path: str) -> str:
        parts = urlsplit(self._base_url)
        netloc, path = parts.netloc.rpartition("@")[2], f"{parts.path.rstrip('/')}{path}"
        return parts._replace(netloc=netloc, path=path, fragment="").geturl()

    @asynccontextmanager
    async def stream(self, body: Mapping[str, Any]) -> AsyncIterator[Answer]:
        """Sends one request and hands out the answer as it arrives. Raises as ``post`` does."""
        async with self._session.post(self._url, data=_encoded(body), proxy=self._proxy) as response:
            yield Answer(response)

    async def close(self) -> None:
        """Closes the connections; safe to call twice."""
        await self._session.close()


async def _read(response: aiohttp.ClientResponse) -> Response:
    answer = await response.read()
    return Response(response.status, _lowered(response.headers), answer)


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _headers(base_url: str, api_key: str, more: Mapping[str, str]) -> dict[str, str]:
    from mathagent import __version__

    headers = {
        "accept": "application/json",
        "authorization": f"Bearer {api_key}",
        "content-type": "application/json",
        "user-agent": f"mathagent/{__version__}",
    }
    headers |= {name.lower(): value for name, value in more.items()}
    parts = urlsplit(base_url)
    if parts.username is not None:  # stands for the key
        import base64

        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    return headers


def _tls_context(*, trust_env: bool) -> ssl.SSLContext:
    """Trusts the usual authorities (or those of SSL_CERT_FILE) and those that this machine's owner added."""
    import httpx

    context = httpx.create_ssl_context(trust_env=trust_env)
    context.load_default_certs()
    return context
