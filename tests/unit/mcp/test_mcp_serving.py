"""Who may reach the HTTP server: keys, addresses, names."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from mcp.server import MCPServer

from mathagent.errors import UsageError
from mathagent.mcp.serving import RequireKey, http_app

KEY = "a-key-of-20-letters!"


async def answers(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"Authorization": f"bearer  {KEY}"}, 200),
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": KEY}, 401),
        ({"Authorization": f"Basic {KEY}"}, 401),
        ({"Authorization": f"Bearer {KEY}é".encode()}, 401),
        ([("Authorization", f"Bearer {KEY}"), ("Authorization", "Bearer x")], 401),
    ],
)
async def test_the_key(header: Any, status: int) -> None:
    transport = httpx.ASGITransport(RequireKey(answers, KEY))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        reply = await client.post("/mcp", headers=header, content=b"{}")
    assert reply.status_code == status
    assert (reply.headers.get("www-authenticate") == "Bearer") == (status == 401)
    assert KEY not in reply.text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"host": "192.0.2.1"}, "MATHAGENT_SERVER_KEY"),
        ({"host": "0.0.0.0"}, "MATHAGENT_SERVER_KEY"),
        ({"host": "0.0.0.0", "key": KEY}, "--allow-host"),
        ({"host": "127.0.0.1", "key": "short"}, "fewer than 16 characters"),
    ],
)
def test_what_would_be_open_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        http_app(MCPServer("x"), **options)


def test_what_is_closed_is_allowed() -> None:
    http_app(MCPServer("x"), host="127.0.0.1")
    assert isinstance(http_app(MCPServer("x"), host="192.0.2.1", key=KEY), RequireKey)
    assert isinstance(http_app(MCPServer("x"), host="0.0.0.0", key=KEY, allowed_hosts=["math.local"]), RequireKey)


async def test_blanks_around_the_key_are_no_part_of_it() -> None:
    app = http_app(MCPServer("x"), host="127.0.0.1", key=f" {KEY}\n")
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        reply = await client.get("/nowhere", headers={"Authorization": f"Bearer {KEY}"})
    assert reply.status_code == 404
