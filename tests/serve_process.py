"""``mathagent serve`` as a process of its own, and the endpoint of its model in a thread of this one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fake_endpoint import Behaviour, FakeEndpoint

KEY = "integration-key-0123456789"
ENDPOINT_KEY = "endpoint-key-0123456789"


class EndpointThread:
    """A FakeEndpoint with an event loop of its own."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.fake = FakeEndpoint(behaviour)
        self.do(self.fake.start())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def until(self, holds: Callable[[FakeEndpoint], bool]) -> None:
        """Returns once ``holds``; raises TimeoutError after 30 s."""

        async def wait() -> None:
            while not holds(self.fake):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

        self.do(wait())

    def stop(self) -> None:
        self.do(self.fake.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@dataclass
class ServeProcess:
    """``url`` is where it listens, ``log`` the file of its stderr."""

    process: subprocess.Popen[str]
    url: str
    log: Path
    endpoint: EndpointThread

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {KEY}"}

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=60)

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tells it to end, and waits until it has."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def serving(
    folder: Path,
    *options: str,
    behaviour: Behaviour | None = None,
    at: EndpointThread | None = None,
    **variables: str,
) -> Iterator[ServeProcess]:
    """A server over ``openai:m`` at an endpoint that behaves so, or ``at`` one that is there. Its log is JSON."""
    usual = Behaviour(text=lambda body, index: "So it is \\boxed{42}.")
    endpoint = at or EndpointThread(behaviour or usual)
    environment = {
        **os.environ,
        "MATHAGENT_HOME": str(folder / "home"),
        "OPENAI_API_KEY": ENDPOINT_KEY,
        "MATHAGENT_SERVER_KEY": KEY,
        **variables,
    }
    command = [sys.executable, "-m", "mathagent", "serve", "--port", "0", "--model", "openai:m"]
    more = ["--base-url", endpoint.fake.url, "--log-format", "json", "--no-cache", *options]
    log = folder / "log.jsonl"
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [*command, *more], stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("serving at http://"), log.read_text(encoding="utf-8")
            yield ServeProcess(process, said.split()[-1], log, endpoint)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(60)
            if at is None:
                endpoint.stop()
