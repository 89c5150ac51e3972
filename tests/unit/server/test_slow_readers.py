"""Clients that open a stream and do not read it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from mathagent.server.options import ServeLimits
from tests.unit.server.served import FORTY_TWO, Waits, always, idle, served


@pytest.mark.parametrize("path", ["/v1/solve", "/v1/chat/completions"])
async def test_one_that_reads_nothing_is_left_and_its_solve_ended(
    tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend = Waits(always(FORTY_TWO))
    chat = {"model": "cot", "messages": [{"role": "user", "content": "6*7?"}], "stream": True}
    body = json.dumps({"problem": "6*7?", "strategy": "cot"} if path == "/v1/solve" else chat).encode()
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()  # its buffers are full, and stay so

    limits = ServeLimits(send_s=0.05, drain_s=0)
    async with served(tmp_path, backend, limits=limits) as server:
        await asyncio.wait_for(server.app(scope, receive, send), 30)
        await idle(server)
        listed = (await server.http.get("/v1/solutions")).json()["data"]
    assert [one["status"] for one in listed] == ["cancelled"]
    assert "did not read" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
