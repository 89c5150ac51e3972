"""Every strategy comes out the same, whether LangGraph runs its graph or we walk it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from mathagent.agents import graph
from mathagent.agents.direct_graph import DirectGraph
from mathagent.events import Event
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROBLEM = Problem(text="Ann has 3 bags with 2 apples each and eats one apple. How many apples are left?", id="p1")
COMPOSITIONS = ("pal | cot", "cot & pal", "vote(cot, pal | tir, cot(temperature=0.7))")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


def varied(request: ChatRequest, sample: int) -> str:
    """A reply that depends on what is asked, and on nothing else: one of three answers, in words or by a program."""
    asked = f"{request.role}{sample}{request.first_sample}{[one.content for one in request.messages]}"
    number = 5 + hashlib.sha256(asked.encode()).digest()[0] % 3
    if request.role in ("coder", "fixer"):
        return f"```python\ndef solution():\n    return {number}\n```"
    return f"Each bag holds two. So the answer is \\boxed{{{number}}}."


def nonsense(request: ChatRequest, sample: int) -> str:
    return "Qua! ]} <<\\frac{ {{ moo ([ ==="


async def solved(
    name: str, reply: Callable[[ChatRequest, int], str], sandbox: Sandbox
) -> tuple[dict[str, Any], list[str], list[str]]:
    """The solution without what is chance in it, what the model was asked, and the kinds of events; sorted, since
    what runs side by side with a program is asked sooner or later."""
    backend, events = ScriptedBackend(reply), list[Event]()
    async with Solver(backend, sandbox=sandbox, cache=False, checkpoints=False) as solver:
        solution = await solver.solve(PROBLEM, name, on_event=events.append)
    chance = {"seconds", "solve_id", "wall_s", "cpu_s", "peak_memory_mb"}
    told = _without(solution.model_dump(mode="json"), chance)
    asked = sorted(one.model_dump_json() for one in backend.requests)
    return told, asked, sorted(type(one).__name__ for one in events)


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(one, names) for key, one in value.items() if key not in names}
    return [_without(one, names) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("reply", [varied, nonsense])
@pytest.mark.parametrize("name", [*STRATEGIES.table, *COMPOSITIONS])
async def test_a_walk_solves_as_langgraph_does(
    name: str, reply: Callable[[ChatRequest, int], str], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[DirectGraph] = []
    stream = DirectGraph.stream

    def walked(self: DirectGraph, *args: Any, **options: Any) -> AsyncIterator[dict[str, Any]]:
        walks.append(self)
        return stream(self, *args, **options)

    monkeypatch.setattr(DirectGraph, "stream", walked)
    direct = await solved(name, reply, sandbox)
    assert walks
    monkeypatch.setattr(graph, "_heard", lambda callbacks: True)
    walks.clear()
    by_langgraph = await solved(name, reply, sandbox)
    assert not walks
    for ours, theirs in zip(direct, by_langgraph, strict=True):
        assert ours == theirs
