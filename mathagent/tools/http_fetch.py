"""One HTTP request to a service that nobody trusts: bounded in time, size and tries, and never led elsewhere."""

from __future__ import annotations

import asyncio
from typing import Literal

import httpx
from pydantic import Field, JsonValue

from mathagent.errors import ResourceError, UsageError
from mathagent.types import Value

TOTAL_S = 20.0
CONNECT_S = 5.0
READ_S = 10.0
MAX_BYTES = 1_000_000
TRIES = 3
LONGEST_WAIT_S = 3.0
"""A service that asks to wait longer than this is given up."""
USER_AGENT = "mathagent"


class HttpRequest(Value):
    """``service`` and ``advice`` (what to do where it refuses us) are for messages. No secret stands in a message."""

    service: str
    url: str
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, str] = Field(default_factory=dict, repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    body: JsonValue = None
    advice: str = "check its key"
    accepted: tuple[int, ...] = (200,)


class HttpReply(Value):
    """Status and body, at most MAX_BYTES of it."""

    status: int
    body: bytes


async def fetch(request: HttpRequest, *, total_s: float = TOTAL_S, wait_s: float = 0.5) -> HttpReply:
    """The reply, after at most TRIES tries, the second ``wait_s`` after the first, in ``total_s`` seconds in all.

    Redirects are not followed: a key must not travel on, and no address but the configured one is asked. Raises
    UsageError where the service refuses our key or address, ResourceError where it cannot be reached, breaks off,
    is too slow or answers too much.
    """
    timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers}
    try:
        async with asyncio.timeout(total_s), httpx.AsyncClient(timeout=timeout, headers=headers) as client:
            for left in reversed(range(TRIES)):
                try:
                    return await _once(client, request)
                except _TryAgain as failure:
                    wait = max(wait_s, failure.after_s)
                    if left == 0 or wait > LONGEST_WAIT_S:
                        raise ResourceError(f"{request.service} cannot be used now: {failure}") from failure
                    await asyncio.sleep(wait)
                    wait_s *= 2
    except TimeoutError:
        raise ResourceError(f"{request.service} did not answer in {total_s:g} s") from None
    raise AssertionError("the last try returns or raises")


class _TryAgain(Exception):
    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


async def _once(client: httpx.AsyncClient, request: HttpRequest) -> HttpReply:
    try:
        async with client.stream(
            request.method, request.url, params=request.params or None, json=request.body
        ) as response:
            _check(response, request)
            return HttpReply(status=response.status_code, body=await _body(response, request))
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise UsageError(f"the address of {request.service} is wrong: {error}") from error
    except httpx.TransportError as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _TryAgain(f"it cannot be reached ({reason})") from error


def _check(response: httpx.Response, request: HttpRequest) -> None:
    status = response.status_code
    if status in request.accepted:
        return
    if status == 429 or status >= 500:
        asked = response.headers.get("retry-after", "")
        raise _TryAgain(
            f"it answered HTTP {status}", float(asked) if asked.isdecimal() and len(asked) < 7 else 0.0
        )
    if status in (401, 403):
        raise UsageError(f"{request.service} refuses the request (HTTP {status}): {request.advice}")
    if 300 <= status < 400:
        raise UsageError(
            f"{request.service} answered with a redirect (HTTP {status}): configure its final address"
        )
    raise ResourceError(f"{request.service} answered HTTP {status}")


async def _body(response: httpx.Response, request: HttpRequest) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise ResourceError(f"{request.service} compressed its reply, which was not asked for")  # may be a bomb
    body = bytearray()
    async for block in response.aiter_raw():
        body += block
        if len(body) > MAX_BYTES:
            raise ResourceError(f"{request.service} answered more than {MAX_BYTES:,} bytes")
    return bytes(body)
