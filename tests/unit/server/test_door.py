"""Who is let in, by which name, with how much."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from mathagent.server.options import ServeLimits
from tests.unit.server.served import FORTY_TWO, KEY, OTHER_KEY, always, keys, served

BODY = {"model": "cot", "messages": [{"role": "user", "content": "What is 6*7?"}]}


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer ü"],
)
async def test_without_the_right_key_nothing_is_told(tmp_path: Path, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode()}
    async with served(tmp_path, always(FORTY_TWO), keys=keys()) as server:
        for method, path in (
            ("POST", "/v1/chat/completions"),
            ("POST", "/v1/solve"),
            ("GET", "/v1/models"),
            ("GET", "/v1/solutions"),
            ("GET", "/v1/no-such-route"),
            ("GET", "/metrics"),
        ):
            response = await server.http.request(method, path, headers=headers)
            assert response.status_code == 401
            assert response.json()["error"]["code"] == "invalid_api_key"
            assert response.headers["www-authenticate"] == "Bearer"
            assert KEY not in response.text
        assert (await server.http.get("/health", headers=headers)).status_code == 200


async def test_each_of_several_keys_opens(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), keys=keys()) as server:
        for key in (KEY, OTHER_KEY):
            for scheme in ("Bearer", "bearer"):
                response = await server.http.get("/v1/models", headers={"Authorization": f"{scheme} {key}"})
                assert response.status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8765", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("LOCALHOST", 200),
        ("math.internal", 200),
        ("evil.example.com", 403),
        ("localhost.evil.example.com", 403),
        ("127.0.0.1.evil.example.com:8765", 403),
        ("", 403),
        ("[::1", 403),
    ],
)
async def test_names_that_lead_here_by_rebinding_are_refused(tmp_path: Path, host: str, status: int) -> None:
    async with served(tmp_path, always(FORTY_TWO), hosts=("math.internal",)) as server:
        response = await server.http.get("/v1/models", headers={"Host": host})
    assert response.status_code == status


async def test_with_keys_any_name_will_do(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), keys=keys()) as server:
        headers = {"Host": "math.example.com", "Authorization": f"Bearer {KEY}"}
        assert (await server.http.get("/v1/models", headers=headers)).status_code == 200


async def test_pages_of_others_may_not_use_it_unless_allowed(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), origins=("https://app.example.org",)) as server:
        answers = {}
        for origin in ("https://evil.example.com", "https://app.example.org", "http://localhost:3000", "null"):
            response = await server.http.post("/v1/chat/completions", json=BODY, headers={"Origin": origin})
            answers[origin] = (response.status_code, response.headers.get("access-control-allow-origin"))
    assert answers == {
        "https://evil.example.com": (403, None),
        "https://app.example.org": (200, "https://app.example.org"),
        "http://localhost:3000": (200, None),
        "null": (403, None),
    }


async def test_no_cors_by_default(tmp_path: Path) -> None:
    headers = {"Origin": "https://evil.example.com", "Access-Control-Request-Method": "POST"}
    async with served(tmp_path, always(FORTY_TWO), keys=keys()) as server:
        response = await server.http.options("/v1/chat/completions", headers=headers)
    assert response.status_code in (401, 405)
    assert "access-control-allow-origin" not in response.headers


async def test_a_body_that_is_announced_too_large_is_not_read(tmp_path: Path) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 2**20
            yield b"x" * 2**20

    async with served(tmp_path, always(FORTY_TWO)) as server:
        headers = {"Content-Type": "application/json", "Content-Length": str(100 * 2**20)}
        response = await server.http.post("/v1/chat/completions", content=body(), headers=headers)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert response.headers["connection"] == "close"
    assert read == 0


async def test_a_body_that_grows_too_large_is_left(tmp_path: Path) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 2**20
            yield b"x" * 2**20

    async with served(tmp_path, always(FORTY_TWO)) as server:
        headers = {"Content-Type": "application/json"}
        response = await server.http.post("/v1/chat/completions", content=body(), headers=headers)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert read <= 3 * 2**20


async def test_mounted_in_another_app_it_asks_for_the_key_all_the_same(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), keys=keys()) as server:
        outer = FastAPI()
        outer.mount("/math", server.app)
        transport = httpx.ASGITransport(outer, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost/math") as http:
            for path in ("/v1/models", "/metrics", "/v1/solutions"):
                assert (await http.get(path)).status_code == 401
            headers = {"Authorization": f"Bearer {KEY}"}
            assert (await http.get("/v1/models", headers=headers)).status_code == 200
            reply = await http.post("/v1/chat/completions", json=BODY, headers=headers)
            assert reply.json()["choices"][0]["message"]["content"] == "42"


@pytest.mark.parametrize("length", ["-1", "abc", "1e9", "9" * 40])
async def test_nonsense_for_a_length(tmp_path: Path, length: str) -> None:
    async with served(tmp_path, always(FORTY_TWO), limits=ServeLimits(body_bytes=2048, drain_s=0)) as server:
        headers = {"Content-Length": length, "Content-Type": "application/json"}
        response = await server.http.post("/v1/solve", content=b"{}", headers=headers)
    assert response.status_code == 413
