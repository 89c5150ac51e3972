"""A server app over a scripted model, called in this process through httpx."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from mathagent.models.base import ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.server.app import create_app
from mathagent.server.desk import SolveDesk
from mathagent.server.keys import key_of
from mathagent.server.model_table import ModelTable
from mathagent.server.options import ServeLimits, ServeOptions, ServerKey
from mathagent.solver import Solver

KEY = "test-key-of-alice-0123456789"
OTHER_KEY = "test-key-of-bob-0123456789"
FORTY_TWO = "6 times 7 is 42. The answer is \\boxed{42}."


def keys(**limits: int | None) -> tuple[ServerKey, ...]:
    return key_of("alice", SecretStr(KEY), **limits), key_of("bob", SecretStr(OTHER_KEY))


def always(text: str) -> Callable[[ChatRequest, int], str]:
    return lambda request, sample: text


class Waits(ScriptedBackend):
    """Answers as ``replies`` do once ``let`` is set; ``asked``: somebody has asked; ``left`` counts who gave up."""

    def __init__(self, replies: Any, **options: Any) -> None:
        super().__init__(replies, **options)
        self.asked, self.let = asyncio.Event(), asyncio.Event()
        self.left = 0

    async def complete(self, request: ChatRequest, on_delta: Any = None) -> Any:
        self.asked.set()
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        return await super().complete(request, on_delta)


class Served:
    """``http`` speaks to the app, ``desk`` is behind it."""

    def __init__(self, http: httpx.AsyncClient, desk: SolveDesk, app: Any) -> None:
        self.http, self.desk, self.app = http, desk, app

    async def chat(self, text: str = "What is 6*7?", *, model: str = "cot", **more: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return await self.http.post("/v1/chat/completions", json=body)

    async def solve(self, text: str = "What is 6*7?", *, strategy: str = "cot", **more: Any) -> httpx.Response:
        return await self.http.post("/v1/solve", json={"problem": text, "strategy": strategy, **more})


@asynccontextmanager
async def served(
    folder: Path,
    backend: ScriptedBackend | Callable[[ChatRequest, int], str | Reply],
    *,
    limits: ServeLimits | None = None,
    headers: dict[str, str] | None = None,
    sandbox: Any = "subprocess",
    **options: Any,
) -> AsyncIterator[Served]:
    model = backend if isinstance(backend, ScriptedBackend) else ScriptedBackend(backend)
    models = ModelTable({model.name: lambda: Solver(model, sandbox=sandbox, cache=False)})
    limits = limits or ServeLimits(drain_s=0.0)
    app = create_app(models, ServeOptions(limits=limits, **options), folder / "server.db")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers, timeout=30) as http,
    ):
        yield Served(http, app.state.mathagent.desk, app)


def sent_events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """(event, data) of each server-sent event."""
    events = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields and fields["data"] != "[DONE]":
            events.append((fields.get("event", "message"), json.loads(fields["data"])))
    return events


async def until(holds: Callable[[], bool]) -> None:
    """Returns once ``holds``: for what no event tells of. The test's own time limit ends a wait in vain."""
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def idle(server: Served) -> None:
    """Returns once no solve runs."""
    await until(lambda: not server.desk.busy)
