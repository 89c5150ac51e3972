"""/v1/problems/transcribe: a photo becomes a problem's text, under the same rules as a solve."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from mathagent.errors import BackendError
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.server.options import ServeLimits
from tests.unit.server.served import KEY, Served, Waits, always, idle, keys, served, until

PROBLEM = "Find $x$ with $x^2 = 2$."
PHOTO = base64.b64encode(b"\x89PNG\r\n\x1a\n photo").decode()
SEES = Capabilities(images=True)
ALICE = {"Authorization": f"Bearer {KEY}"}
PLACE = "/v1/problems/transcribe"


def seeing(reply: Any = PROBLEM) -> ScriptedBackend:
    return ScriptedBackend(always(reply) if isinstance(reply, str) else reply, capabilities=SEES)


async def sent(server: Served, image: str = PHOTO, **more: Any) -> httpx.Response:
    return await server.http.post(PLACE, json={"image": image, **more})


def told(response: httpx.Response) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


async def test_a_photo_becomes_text(tmp_path: Path) -> None:
    async with served(tmp_path, seeing()) as server:
        response = await sent(server, model="script:test")
        counted = (await server.http.get("/metrics")).text
    assert response.status_code == 200
    found = response.json()
    assert (found["text"], found["complete"], found["usage"]["calls"]) == (PROBLEM, True, 1)
    assert 'mathagent_model_calls_total{cached="false"} 1.0' in counted


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({}, 400, "missing_required_parameter", "image"),
        ({"image": ""}, 400, "invalid_value", "image"),
        ({"image": "é"}, 400, "invalid_value", "image"),
        ({"image": "data:image/png;base64,AAAA"}, 400, "invalid_value", "image"),
        ({"image": base64.b64encode(b"%PDF-1.7").decode()}, 400, "invalid_value", "image"),
        ({"image": PHOTO, "model": "openai:other"}, 404, "model_not_found", "model"),
        ({"image": PHOTO, "detail": "high"}, 400, "unknown_parameter", "detail"),
    ],
)
async def test_what_is_wrong_is_named(
    tmp_path: Path, body: dict[str, str], status: int, code: str, param: str
) -> None:
    async with served(tmp_path, seeing()) as server:
        assert told(await server.http.post(PLACE, json=body)) == (status, code, param)


async def test_a_model_that_sees_no_pictures_says_so_and_it_costs_nothing(tmp_path: Path) -> None:
    blind = ScriptedBackend(always(PROBLEM), capabilities=Capabilities())
    async with served(tmp_path, blind, keys=keys(solves_per_day=1), headers=ALICE) as server:
        for _ in range(2):
            response = await sent(server)
            assert told(response) == (400, "unsupported_parameter", "images")
        assert "script:test does not support images; no picture can be read" in response.json()["error"]["message"]
        assert (await server.http.post("/v1/solve", json={"problem": "x", "stream": False})).status_code == 200


async def test_a_picture_without_a_problem_is_told(tmp_path: Path) -> None:
    async with served(tmp_path, seeing("NONE")) as server:
        response = await sent(server)
    assert told(response) == (400, "invalid_value", None)
    assert "reads no problem in the picture" in response.json()["error"]["message"]


async def test_a_model_that_fails_is_told_without_its_words(tmp_path: Path) -> None:
    def fails(request: ChatRequest, sample: int) -> str:
        raise BackendError("http://secret.example says no", status=400)

    async with served(tmp_path, seeing(fails)) as server:
        response = await sent(server)
    assert told(response) == (502, "model_failed", None)
    assert "secret" not in response.text


async def test_it_needs_the_key_and_a_body_that_is_not_too_large(tmp_path: Path) -> None:
    limits = ServeLimits(drain_s=0, body_bytes=2048)
    async with served(tmp_path, seeing(), keys=keys(), limits=limits) as server:
        assert told(await sent(server))[:2] == (401, "invalid_api_key")
        large = await server.http.post(PLACE, json={"image": "A" * 4000}, headers=ALICE)
        assert told(large)[:2] == (413, "request_too_large")
        assert (await server.http.post(PLACE, json={"image": PHOTO}, headers=ALICE)).status_code == 200


async def test_it_counts_as_a_solve_of_the_key(tmp_path: Path) -> None:
    async with served(tmp_path, seeing(), keys=keys(solves_per_day=2), headers=ALICE) as server:
        statuses = [(await sent(server)).status_code for _ in range(3)]
        solve = await server.http.post("/v1/solve", json={"problem": "x", "stream": False})
    assert statuses == [200, 200, 429]
    assert told(solve)[:2] == (429, "insufficient_quota")


async def test_its_tokens_are_the_keys(tmp_path: Path) -> None:
    async with served(tmp_path, seeing(), keys=keys(tokens_per_day=3), headers=ALICE) as server:
        assert (await sent(server)).status_code == 200
        assert told(await sent(server))[:2] == (429, "insufficient_quota")


async def test_it_waits_for_its_turn_and_ends_in_time(tmp_path: Path) -> None:
    backend = Waits(always(PROBLEM), capabilities=SEES)
    limits = ServeLimits(drain_s=0, solves=1, waiting=0, seconds=0.2)
    async with served(tmp_path, backend, limits=limits) as server:
        first = asyncio.ensure_future(sent(server))
        await backend.asked.wait()
        assert told(await sent(server))[:2] == (429, "server_busy")
        assert told(await first)[:2] == (504, "deadline")
        backend.let.set()
        assert (await sent(server)).status_code == 200
        await idle(server)
    assert backend.left == 1


async def test_a_photo_that_never_had_its_turn_costs_nothing(tmp_path: Path) -> None:
    backend = Waits(always("\\boxed{1}"), capabilities=SEES)
    limits = ServeLimits(drain_s=0, solves=1, waiting=1)
    async with served(tmp_path, backend, limits=limits, keys=keys(solves_per_day=2), headers=ALICE) as server:
        solve = asyncio.ensure_future(server.solve(stream=False))
        await backend.asked.wait()
        waiting = asyncio.ensure_future(sent(server))
        await until(lambda: server.desk.gate.waiting == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await until(lambda: server.desk.gate.waiting == 0)
        backend.let.set()
        assert (await solve).status_code == 200
        assert (await sent(server)).status_code == 200
