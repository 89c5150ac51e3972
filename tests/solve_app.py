"""Solves one problem through the API in a process that may be killed: ``python tests/solve_app.py OPTIONS-AS-JSON``.

Prints each event's kind. At the event of number ``stall_at`` it stands still, as a process does that is about to be
killed: the event loop runs no further.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from mathagent.events import Event, SolveStarted
from mathagent.solver import Solver


async def main(options: dict[str, Any]) -> None:
    count = 0

    def on_event(event: Event) -> None:
        nonlocal count
        if event.kind == "token-delta":
            return
        print(event.kind, flush=True)
        if isinstance(event, SolveStarted):
            print(f"id {event.solve_id}", flush=True)
        if count == options.get("stall_at"):
            print("stalled", flush=True)
            time.sleep(120)
        count += 1

    async with Solver(**options["solver"]) as solver:
        solution = await solver.solve(**options["solve"], on_event=on_event)
    print("solution " + solution.model_dump_json(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
