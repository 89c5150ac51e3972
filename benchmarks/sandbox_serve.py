"""The child process of benchmarks/sandbox.py that serves one mode, under the Python of that mode.

usage (by benchmarks/sandbox.py only): PYTHON sandbox_serve.py MODE < requests > replies

Requests and replies are one JSON object a line:
  {"op": "start"}                                       → {"versions": {…}}
  {"op": "nothing"}                                     → {}          (what a request itself costs)
  {"op": "run", "code": …}                              → {"seconds": …, "client_cpu_s": …, "printed": …}
  {"op": "throughput", "template", "first", "for_s"}    → {"seconds": …, "printed": {index: …}}
or {"error": …}. The end of the requests ends the process. sandbox_pyodide.mjs does the same in node.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from typing import Any

from sandbox_modes import MODES
from sandbox_peers import CLIENTS, Mode


async def answer(mode: Mode, request: dict[str, Any]) -> dict[str, Any]:
    """Does what one request asks."""
    if request["op"] == "start":
        await mode.start()
        return {"versions": mode.versions()}
    if request["op"] == "nothing":
        return {}
    if request["op"] == "throughput":
        return await throughput(mode, request["template"], request["first"], request["for_s"])
    cpu, start = time.process_time(), time.perf_counter()
    printed = await mode.run(request["code"])
    seconds = time.perf_counter() - start
    client_cpu_s = time.process_time() - cpu
    return {"seconds": seconds, "client_cpu_s": client_cpu_s, "printed": await mode.finish(printed)}


async def throughput(mode: Mode, template: str, first: int, for_s: float) -> dict[str, Any]:
    """Runs programs with ``CLIENTS`` tasks for ``for_s`` seconds; those begun by then are finished and count."""
    indices, printed = itertools.count(first), {}
    start = time.perf_counter()

    async def client() -> None:
        while time.perf_counter() - start < for_s:
            index = next(indices)
            printed[index] = await mode.run_beside(template.replace("{i}", str(index)))

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return {"seconds": time.perf_counter() - start, "printed": printed}


async def serve(name: str) -> None:
    # the replies get a descriptor of their own: libraries may print
    with os.fdopen(os.dup(1), "w") as replies:
        os.dup2(2, 1)
        mode = MODES[name]()
        try:
            while line := await asyncio.to_thread(sys.stdin.readline):
                try:
                    reply = await answer(mode, json.loads(line))
                except Exception as error:  # noqa: BLE001 - whatever a peer raises is told in its row of the table
                    reply = {"error": f"{type(error).__name__}: {error}"}
                print(json.dumps(reply), file=replies, flush=True)
        finally:
            await mode.aclose()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
