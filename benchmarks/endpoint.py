"""What our client and its wrappers cost: requests to a local server that answers after a fixed time.

usage: python benchmarks/endpoint.py [--requests N] [--at-once N] [--delay SECONDS] [--rounds N]
Prints wall and CPU seconds of the client process, the best of the rounds, and their ratio to raw aiohttp.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
from aiohttp import web

from mathagent.budget import Meter
from mathagent.models.base import Backend, ChatRequest
from mathagent.models.cache import CompletionCache
from mathagent.models.endpoints import Endpoint, EndpointSettings
from mathagent.models.openai_compat import OpenAICompatible
from mathagent.models.wrappers import wrap
from mathagent.types import Message

REPLY = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "\\boxed{72}"}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}
Ask = Callable[[int], Awaitable[object]]


def serve(delay_s: float, ready: Connection) -> None:
    async def reply(_: web.Request) -> web.Response:
        await asyncio.sleep(delay_s)
        return web.json_response(REPLY)

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", reply)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


async def measure(ask: Ask, requests: int, at_once: int) -> tuple[float, float]:
    todo = iter(range(requests))

    async def work() -> None:
        for index in todo:
            await ask(index)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return time.perf_counter() - wall, time.process_time() - cpu


def question(index: int) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=f"What is {index} + {index}?"),))


async def one_round(url: str, requests: int, at_once: int) -> dict[str, tuple[float, float]]:
    found = {}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=at_once)) as session:

        async def raw(_: int) -> object:
            async with session.post(f"{url}/chat/completions", json={"model": "m"}) as response:
                return await response.json()

        found["raw aiohttp"] = await measure(raw, requests, at_once)
    endpoint = Endpoint(url=url, settings=EndpointSettings(parallel=at_once))
    client = OpenAICompatible("m", endpoint, api_key="x", extra_body={})
    semaphore = asyncio.Semaphore(at_once)
    with tempfile.TemporaryDirectory() as folder:
        cache = CompletionCache(Path(folder) / "cache.db")

        def stack(kept: CompletionCache | None) -> Backend:
            return wrap(client, meter=Meter(), cache=kept, semaphore=semaphore, emit=lambda event: None)

        for label, backend in (
            ("OpenAICompatible", client),
            ("all wrappers, no cache", stack(None)),
            ("all wrappers, every request a miss", stack(cache)),
            ("all wrappers, every request a hit", stack(cache)),
        ):
            found[label] = await measure(lambda i, b=backend: b.complete(question(i)), requests, at_once)
        cache.close()
    await client.aclose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(given.delay, theirs), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/v1"
    best: dict[str, tuple[float, float]] = {}
    for _ in range(given.rounds):
        for label, (wall, cpu) in asyncio.run(one_round(url, given.requests, given.at_once)).items():
            before = best.get(label, (wall, cpu))
            best[label] = (min(before[0], wall), min(before[1], cpu))
    server.terminate()
    base_wall, base_cpu = best["raw aiohttp"]
    ideal = given.requests / given.at_once * given.delay
    print(f"{given.requests} requests, {given.at_once} at once, ideal {ideal:.2f} s")
    print("| client | wall s | × raw | CPU s | × raw |\n|---|---|---|---|---|")
    for label, (wall, cpu) in best.items():
        print(f"| {label} | {wall:.2f} | {wall / base_wall:.2f} | {cpu:.2f} | {cpu / base_cpu:.2f} |")


if __name__ == "__main__":
    main()
