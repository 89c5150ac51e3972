"""How the HTTP server bears many streaming clients: errors, memory, and what an event costs on its way.

usage: python benchmarks/server_load.py [--clients N] [--seconds S] [--pieces N] [--interval S] [--slow N]
           [--vanishing N] [--cores N]

The server is a process of its own over a scripted model that writes ``--pieces`` pieces a reply, one each
``--interval`` seconds, and puts into each the time at which it was written (the machine's monotonic clock). Clients
(another process) ask again and again, by turns at /v1/chat/completions and at /v1/solve, and take the difference when
a piece has come: that is the overhead of an event, through solver, buffer, HTTP and client. ``--slow`` further clients
open a stream and do not read it, ``--vanishing`` further ones go away in the middle, again and again; once all have
gone, no solve of theirs may be left running. Server and clients share ``--cores`` cores (Linux).

Memory is the server's resident set: before the first request, the most of each third of the time (looked at each
second), and after the last client has gone. It is flat if it grows by less than a tenth after the first third, which is
judged of runs of a minute and more.
Prints Markdown for docs/benchmarks.md, a figure a row; exit code 1 where there was an error, a solve was left running
or memory was not flat.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

SETTLE_S = 20.0
"""How long the server may take to notice that the last clients have gone: longer than it waits for slow readers."""
STAMP = re.compile(r"@(\d+\.\d+)@")
GROWTH = 1.1


async def serve(pieces: int, interval_s: float) -> None:
    from mathagent.models.base import ChatRequest, OnDelta
    from mathagent.models.scripted import ScriptedBackend
    from mathagent.server.app import create_app
    from mathagent.server.model_table import ModelTable
    from mathagent.server.options import ServeLimits, ServeOptions
    from mathagent.server.serving import serve as serve_app
    from mathagent.solver import Solver
    from mathagent.types import Completion, Usage

    class Writing(ScriptedBackend):
        async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
            text = "\\boxed{42}"
            for _ in range(pieces):
                await asyncio.sleep(interval_s)
                if on_delta is not None:
                    on_delta(0, f"@{time.monotonic():.6f}@ ")
            if on_delta is not None:
                on_delta(0, text)
            return [Completion(text=text, usage=Usage(calls=1, prompt_tokens=10, completion_tokens=pieces))]

    backend = Writing([], name="script:load", max_parallel=10_000)
    limits = ServeLimits(solves=10_000, waiting=0, send_s=10, drain_s=0, kept=500)
    with tempfile.TemporaryDirectory() as folder:
        models = ModelTable({backend.name: lambda: Solver(backend, sandbox="subprocess", cache=False)})
        app = create_app(models, ServeOptions(strategy="cot", limits=limits), Path(folder) / "server.db")
        await serve_app(app, "127.0.0.1", 0, on_listening=lambda url: print(url, flush=True))


@dataclass
class Tally:
    """What the clients found. Seconds are those of one event each."""

    solves: int = 0
    events_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    vanished: int = 0
    slow: int = 0
    left_running: int = 0


def request_of(number: int) -> tuple[str, dict[str, Any]]:
    if number % 2:
        return "/v1/solve", {"problem": "What is 6*7?"}
    messages = [{"role": "user", "content": "What is 6*7?"}]
    return "/v1/chat/completions", {"model": "mathagent", "messages": messages, "stream": True}


async def client(session: aiohttp.ClientSession, number: int, until: float, tally: Tally) -> None:
    while time.monotonic() < until:
        path, body = request_of(number)
        number += 1
        try:
            async with session.post(path, json=body) as response:
                if response.status != 200:
                    tally.errors.append(f"{response.status}: {(await response.text())[:200]}")
                    await asyncio.sleep(0.5)
                    continue
                last = b""
                async for line in response.content:
                    if (
                        line.startswith(b"data: ")
                        and b"solve-finished" not in line
                        and b"model-replied" not in line
                    ):
                        now = time.monotonic()
                        tally.events_s += [now - float(stamp) for stamp in STAMP.findall(line.decode())]
                    last = line if line.strip() else last
                if b"42" not in last and b"[DONE]" not in last:
                    tally.errors.append(f"a stream ended with {last[:200]!r}")
                tally.solves += 1
        except aiohttp.ClientError as error:
            tally.errors.append(f"{type(error).__name__}: {error}")


async def vanishing(session: aiohttp.ClientSession, number: int, until: float, tally: Tally) -> None:
    while time.monotonic() < until:
        path, body = request_of(number)
        number += 1
        try:
            async with session.post(path, json=body) as response:
                async for line in response.content:
                    if b"@" in line:
                        break
                response.close()
            tally.vanished += 1
        except aiohttp.ClientError as error:
            tally.errors.append(f"of one that vanishes: {type(error).__name__}: {error}")


async def slow(url: str, number: int, until: float, tally: Tally) -> None:
    host, port = url.removeprefix("http://").split(":")
    path, body = request_of(number)
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
    )
    while time.monotonic() < until:
        _, writer = await asyncio.open_connection(host, int(port), limit=1)
        writer.write(f"{head}\r\n\r\n".encode() + data)
        tally.slow += 1
        await asyncio.sleep(min(5.0, max(0.0, until - time.monotonic())))
        writer.close()


def resident_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


async def watch_memory(process: int, until: float) -> list[float]:
    found = []
    while time.monotonic() < until:
        found.append(resident_mb(process))
        await asyncio.sleep(1)
    return found


async def running(session: aiohttp.ClientSession) -> int:
    async with session.get("/health") as response:
        return int((await response.json())["running"])


async def settled(session: aiohttp.ClientSession) -> int:
    """The solves that still run once all clients have gone and the server has had its time to notice it."""
    until = time.monotonic() + SETTLE_S
    while (left := await running(session)) and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    return left


async def load(url: str, process: int, given: argparse.Namespace) -> tuple[Tally, list[float]]:
    """What clients found, and the server's resident MB: before, each second, after."""
    tally = Tally()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=given.seconds + 120)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        await client(
            session, 0, time.monotonic() + 1e-3, Tally()
        )  # what is loaded at the first solve is no growth
        before, until = resident_mb(process), time.monotonic() + given.seconds
        _, _, _, memory = await asyncio.gather(
            asyncio.gather(*(client(session, number, until, tally) for number in range(given.clients))),
            asyncio.gather(*(vanishing(session, number, until, tally) for number in range(given.vanishing))),
            asyncio.gather(*(slow(url, number, until, tally) for number in range(given.slow))),
            watch_memory(process, until),
        )
        tally.left_running = await settled(session)
    return tally, [before, *memory, resident_mb(process)]


def table(given: argparse.Namespace, tally: Tally, memory: list[float]) -> str:
    """The figures as Markdown."""
    before, *during, after = memory
    cuts = statistics.quantiles(tally.events_s, n=100) if len(tally.events_s) > 1 else [0.0] * 99
    rows = {
        "clients that stream, at the same time": given.clients,
        "seconds": f"{given.seconds:g}",
        "cores (server and clients)": len(cores()),
        "errors": len(tally.errors),
        "solves": tally.solves,
        "events": f"{len(tally.events_s)} ({len(tally.events_s) / given.seconds:.0f} a second)",
        "overhead of an event, p50 / p99, ms": f"{cuts[49] * 1000:.1f} / {cuts[98] * 1000:.1f}",
        "memory before / after, MB": f"{before:.0f} / {after:.0f}",
        "memory, most of each third, MB": " / ".join(f"{max(third):.0f}" for third in thirds(during)),
        "slow readers, streams opened": tally.slow,
        "vanished clients": tally.vanished,
        "solves left running": tally.left_running,
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def thirds(found: list[float]) -> list[list[float]]:
    third = max(1, len(found) // 3)
    return [found[:third], found[third : 2 * third] or found, found[2 * third :] or found]


def is_flat(seconds: float, memory: list[float]) -> bool:
    _, second, last = thirds(memory[1:-1])
    return seconds < 60 or max(last) < GROWTH * max(second)


def cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--interval", type=float, default=0.25)
    parser.add_argument("--slow", type=int, default=10)
    parser.add_argument("--vanishing", type=int, default=10)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.pieces, given.interval))
        return 0
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(cores())[: given.cores])  # the server's process inherits it
    command = [
        sys.executable,
        __file__,
        "--serve",
        "--pieces",
        str(given.pieces),
        "--interval",
        str(given.interval),
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        tally, memory = asyncio.run(load(url, server.pid, given))
    finally:
        server.terminate()
        server.wait(60)
    print(table(given, tally, memory))
    for error in sorted(set(tally.errors))[:5]:
        print(f"error: {error}", file=sys.stderr)
    return 1 if tally.errors or tally.left_running or not is_flat(given.seconds, memory) else 0


if __name__ == "__main__":
    sys.exit(main())
