"""Open connections to an endpoint: whole replies over aiohttp alone, streams over the openai client.

A benchmark of quick problems spends most of its time on whole replies. The openai client builds half a dozen objects
for each; posting the same JSON ourselves takes a small part of its CPU time and does not need its import (figures:
benchmarks/endpoint.py, docs/benchmarks.md).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mathagent.config import proxy_for, settings
from mathagent.models.endpoint_url import is_loopback

if TYPE_CHECKING:
    import ssl

    import aiohttp

MAX_CONNECTIONS = 1000
KEEPALIVE_S = 5.0  # servers close an idle connection after 5 s or more


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
        return json.loads(self.content if kind.strip().endswith("json") else self._text(parameters))

    def error_body(self) -> object:
        """What a failure's body says: the value under "error", the JSON, or the text as it is."""
        text = self._text(self.headers.get("content-type", "").partition(";")[2]).strip()
        try:
            body = json.loads(text)
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

        self._base_url, self._api_key = base_url, api_key
        self._timeouts_s = read_timeout_s, connect_timeout_s
        self._streams: Any = None  # the openai client, once a stream has been asked for
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
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        async with self._session.post(self._url, data=content, proxy=self._proxy) as response:
            return await _read(response)

    async def get(self, path: str) -> Response:
        """Reads what stands under ``path`` of the endpoint. Raises aiohttp.ClientError or TimeoutError."""
        async with self._session.get(self._address(path), proxy=self._proxy) as response:
            return await _read(response)

    def _address(self, path: str) -> str:
        parts = urlsplit(self._base_url)
        netloc, path = parts.netloc.rpartition("@")[2], f"{parts.path.rstrip('/')}{path}"
        return parts._replace(netloc=netloc, path=path, fragment="").geturl()

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[object, None]:
        """The chunks of one streamed reply, as plain JSON: the client's own models would let wrong types through.

        Raises openai.APIError, json.JSONDecodeError, UnicodeDecodeError or UnicodeEncodeError.
        """
        import openai

        if self._streams is None:
            self._streams = self._new_client()
        stream = await self._streams.post(
            "/chat/completions", cast_to=object, body=body, stream=True, stream_cls=openai.AsyncStream[object]
        )
        async with stream:
            async for chunk in stream:
                yield chunk

    def _new_client(self) -> Any:
        import openai

        read_timeout_s, connect_timeout_s = self._timeouts_s
        return openai.AsyncOpenAI(
            api_key=self._api_key,
            base_url=self._base_url,
            max_retries=0,
            timeout=openai.Timeout(read_timeout_s, connect=connect_timeout_s),
            http_client=openai.DefaultAioHttpClient(trust_env=not is_loopback(self._base_url)),
        )

    async def close(self) -> None:
        """Closes the connections; safe to call twice."""
        try:
            await self._session.close()
        finally:
            if self._streams is not None:
                await self._streams.close()


async def _read(response: aiohttp.ClientResponse) -> Response:
    answer = await response.read()
    return Response(response.status, {name.lower(): value for name, value in response.headers.items()}, answer)


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
