"""What checkpoints cost: bytes on disk for each byte of state, and milliseconds a node, over a solve of many nodes.

usage: python benchmarks/checkpoints.py [--nodes 40] [--kilobytes 25]

Three ways in one run: none, LangGraph's own SQLite saver as it comes, and ours. A node adds one candidate (a reply, a
program, its output: about --kilobytes of text that no other node has) and draws one draft with a prompt of 4 KB.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from mathagent.agents.graph import run_graph
from mathagent.agents.saver import SolveSaver, open_saver
from mathagent.agents.state import Draft, SolveState
from mathagent.types import Answer, Candidate, Completion, Execution, Message, Problem, Step

_rng = random.Random(0)


def words(count: int) -> str:
    return " ".join(str(_rng.randrange(10**6)) for _ in range(count // 7))


def graph(nodes: int, kilobytes: int) -> StateGraph[Any, Any, Any, Any]:
    prompt = Message(role="user", content=words(4000))

    async def propose(state: SolveState) -> dict[str, Any]:
        reply, output = words(kilobytes * 400), words(kilobytes * 300)
        steps = (
            Step(kind="thought", text=reply),
            Step(kind="code", text=words(kilobytes * 50)),
            Step(kind="observation", text=output, origin="tool", execution=Execution(status="ok", stdout=output)),
        )
        draft = Draft(sample=len(state.candidates), messages=(prompt,), completion=Completion(text=reply))
        return {"candidates": [Candidate(steps=steps, answer=Answer(raw="4", normal="4"))], "drafts": (draft,)}

    made = StateGraph(SolveState)
    made.add_node("propose", propose)
    made.add_edge(START, "propose")
    made.add_conditional_edges(
        "propose", lambda state: END if len(state.candidates) >= nodes else "propose", ["propose", END]
    )
    return made


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


async def main(nodes: int, kilobytes: int) -> None:
    start = SolveState(problem=Problem(text="What is 2+2?"))
    print("| checkpoints | state MB | disk MB | disk / state | ms a node |\n|---|---|---|---|---|")
    for name in ("none", "LangGraph's saver", "ours"):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            saver: Any = None
            if name == "ours":
                saver = await open_saver(folder / "solve.db")
            elif name != "none":
                manager = AsyncSqliteSaver.from_conn_string(str(folder / "solve.db"))
                saver = await manager.__aenter__()
                saver.path = folder / "solve.db"
            began = time.perf_counter()
            run = await run_graph(graph(nodes, kilobytes), start, None, saver)  # type: ignore[arg-type]
            ms = (time.perf_counter() - began) * 1000 / nodes
            state = len(run.state.model_dump_json())
            disk = on_disk(folder)
            if isinstance(saver, SolveSaver):
                assert saver.works
                await saver.aclose(delete=True)
                assert on_disk(folder) == 0
            elif saver is not None:
                await manager.__aexit__(None, None, None)
            print(f"| {name} | {state / 1e6:.2f} | {disk / 1e6:.2f} | {disk / state:.2f} | {ms:.1f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=40)
    parser.add_argument("--kilobytes", type=int, default=25)
    given = parser.parse_args()
    asyncio.run(main(given.nodes, given.kilobytes))
