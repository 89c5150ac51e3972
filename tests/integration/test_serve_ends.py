"""How ``mathagent serve`` ends, told to or killed, and what it tells OpenTelemetry until then."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from pathlib import Path
from typing import Any

from aiohttp import web
from fake_endpoint import Behaviour
from serve_process import EndpointThread, serving

SOLVE = {"problem": "What is 6*7?", "strategy": "cot"}


async def test_told_to_end_it_gives_the_best_so_far_and_sends_away_who_waits(tmp_path: Path) -> None:
    options = ("--drain-seconds", "0.1", "--max-solves", "1")
    with serving(tmp_path, *options, behaviour=Behaviour(delay_s=None)) as server, server.http() as http:
        with http.stream("POST", "/v1/solve", json=SOLVE) as stream:
            server.endpoint.until(lambda fake: fake.open == 1)
            body = {**SOLVE, "stream": False}
            waiting = asyncio.create_task(asyncio.to_thread(http.post, "/v1/solve", json=body))
            while (await asyncio.to_thread(http.get, "/health")).json()["waiting"] != 1:
                pass
            server.process.send_signal(signal.SIGTERM)
            lines = await asyncio.to_thread(list, stream.iter_lines())
        sent_away = await waiting
        assert await asyncio.to_thread(server.end) == 0
    assert (sent_away.status_code, sent_away.json()["error"]["code"]) == (503, "shutting_down")
    assert sent_away.headers["retry-after"]
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    finished = events[-1]
    assert finished["kind"] == "solve-finished"
    assert finished["solution"]["stopped"] == "interrupted"
    assert finished["solution"]["resumable"]
    kept = (tmp_path / "home" / "solves").glob("*.db")
    assert [path.stem for path in kept] == [finished["solution"]["solve_id"]]


def test_killed_without_a_word_its_solves_can_be_resumed(tmp_path: Path) -> None:
    endpoint = EndpointThread(Behaviour(text=lambda body, index: "It is 42."))
    endpoint.fake.script = [Behaviour(text=lambda body, index: "Let me think."), Behaviour(delay_s=None)]
    try:
        with (
            serving(tmp_path, at=endpoint) as server,
            server.http() as http,
            http.stream("POST", "/v1/solve", json=SOLVE) as stream,
        ):
            lines = stream.iter_lines()  # kept: httpx closes the connection of one that is dropped
            first = next(line for line in lines if line.startswith("data: "))
            endpoint.until(lambda fake: fake.open == 1 and not fake.script)
            asked = len(endpoint.fake.bodies)
            server.end(signal.SIGKILL)
        solve_id = json.loads(first.removeprefix("data: "))["solve_id"]
        with serving(tmp_path, at=endpoint) as server, server.http() as http:
            place = f"/v1/solutions/{solve_id}"
            assert http.get(place).json()["status"] == "cancelled"
            resumed = http.post(f"{place}/resume", json={"stream": False}).json()
            assert (resumed["solve_id"], resumed["answer"]) == (solve_id, "42")
            assert len(endpoint.fake.bodies) == asked + 1  # the first reply was kept
    finally:
        endpoint.stop()


class Collector:
    """Where OpenTelemetry's traces and metrics go: keeps the bodies by path."""

    def __init__(self) -> None:
        self.thread = EndpointThread(Behaviour())
        self.bodies: dict[str, list[bytes]] = {}
        self.url = self.thread.do(self._start())

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_post("/v1/{kind}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.setdefault(request.match_info["kind"], []).append(body)
        return web.Response(body=b"", content_type="application/x-protobuf")

    def stop(self) -> None:
        self.thread.do(self._runner.cleanup())
        self.thread.stop()


def test_what_can_finish_is_let_finish_and_traced_without_what_was_asked(tmp_path: Path) -> None:
    collector = Collector()
    slow = Behaviour(delay_s=1.0, text=lambda body, index: "\\boxed{42}")
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    replies: list[Any] = []
    try:
        with (
            serving(tmp_path, "--drain-seconds", "30", behaviour=slow, **variables) as server,
            server.http() as http,
        ):
            body = {**SOLVE, "stream": False}
            asking = threading.Thread(target=lambda: replies.append(http.post("/v1/solve", json=body)))
            asking.start()
            server.endpoint.until(lambda fake: fake.open == 1)
            assert server.end() == 0
            asking.join()
        traces, metrics = (b"".join(collector.bodies[kind]) for kind in ("traces", "metrics"))
    finally:
        collector.stop()
    assert replies[0].json()["answer"] == "42"
    for name in (b"invoke_agent cot", b"chat m", b"/v1/solve", b"mathagent.solve.id"):
        assert name in traces
    assert b"gen_ai.client.token.usage" in metrics
    assert b"6*7" not in traces
