"""Solver.graph: a whole solve as a node of somebody's LangGraph graph."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypedDict

import pytest
import pytest_asyncio
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from mathagent.errors import UsageError
from mathagent.events import event_adapter
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"
CONFIG: Any = {"configurable": {"thread_id": "one"}}

on_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """One for all tests on one loop: it takes longer to start than they do."""
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


class State(TypedDict, total=False):
    problem: str
    solution: Solution
    log: Annotated[list[str], lambda old, new: old + new]


def app(solver: Solver, checkpointer: InMemorySaver | None = None, **options: Any) -> Any:
    builder = StateGraph(State)
    builder.add_node("solve", solver.graph("pal", **options))
    builder.add_node("after", lambda state: {"log": [f"answer {state['solution'].answer}"]})
    builder.add_edge(START, "solve")
    builder.add_edge("solve", "after")
    builder.add_edge("after", END)
    return builder.compile(checkpointer=checkpointer)


@on_one_loop
async def test_a_problem_goes_in_and_a_solution_comes_out(sandbox: Sandbox) -> None:
    async with Solver(ScriptedBackend([PROGRAM] * 3), sandbox=sandbox, cache=False) as solver:
        graph = solver.graph("pal")
        for problem in ("What is 6*7?", Problem(text="What is 6*7?", id="p"), {"text": "What is 6*7?", "id": "p"}):
            out = await graph.ainvoke({"problem": problem})
            assert list(out) == ["solution"]
            assert isinstance(out["solution"], Solution)
            assert out["solution"].answer == "42"
        assert out["solution"].problem.id == "p"


def test_its_schemas_are_json() -> None:
    with Solver(ScriptedBackend([])) as solver:
        graph = solver.graph("cot")
    assert "problem" in json.dumps(graph.get_input_jsonschema())
    assert "solution" in json.dumps(graph.get_output_jsonschema())


@on_one_loop
async def test_as_a_subgraph_with_a_checkpointer_of_the_app_around_it(sandbox: Sandbox) -> None:
    saver = InMemorySaver()
    async with Solver(ScriptedBackend([PROGRAM] * 2), sandbox=sandbox, cache=False) as solver:
        graph = app(solver, saver)
        out = await graph.ainvoke({"problem": "What is 6*7?"}, CONFIG)
        assert out["log"] == ["answer 42"]
        again = await graph.ainvoke({"problem": "What is 6*7?"}, CONFIG)  # same thread: solved anew
        assert again["log"] == ["answer 42"] * 2
        # A solve is one step for the app: none of its own state goes into the app's checkpoints.
        kept = json.dumps([str(entry.checkpoint["channel_values"].keys()) for entry in saver.list(CONFIG)])
        assert "candidates" not in kept


@on_one_loop
async def test_events_are_in_the_custom_stream(sandbox: Sandbox) -> None:
    async with Solver(ScriptedBackend([PROGRAM]), sandbox=sandbox, cache=False) as solver:
        stream = app(solver).astream({"problem": "What is 6*7?"}, stream_mode="custom", subgraphs=True)
        told = [(namespace, event_adapter.validate_python(item)) async for namespace, item in stream]
    events = [event for _, event in told]
    assert events[0].kind == "solve-started"
    assert events[-1].kind == "solve-finished"
    assert len({namespace for namespace, _ in told}) == 1
    assert told[0][0][0].startswith("solve:")
    assert {"code-started", "code-finished"} <= {event.kind for event in events}


@pytest.mark.usefixtures("cold_zygotes")
def test_synchronous_apps() -> None:
    with Solver(ScriptedBackend([PROGRAM]), cache=False) as solver:
        assert app(solver).invoke({"problem": "What is 6*7?"})["log"] == ["answer 42"]


@pytest.mark.usefixtures("cold_zygotes")
def test_each_run_may_have_a_loop_of_its_own() -> None:
    solver = Solver(ScriptedBackend([PROGRAM] * 2), cache=False)
    graph = app(solver)
    for _ in range(2):
        assert asyncio.run(graph.ainvoke({"problem": "What is 6*7?"}))["log"] == ["answer 42"]
    solver.close()


@on_one_loop
async def test_a_person_is_asked_by_the_apps_interrupt(sandbox: Sandbox) -> None:
    async with Solver(ScriptedBackend([PROGRAM]), sandbox=sandbox, cache=False) as solver:
        graph = app(solver, InMemorySaver(), approve_code=True)
        stopped = await graph.ainvoke({"problem": "What is 6*7?"}, CONFIG)
        (asked,) = stopped["__interrupt__"]
        assert asked.value["kind"] == "approve-code"
        assert "6 * 7" in asked.value["program"]
        json.dumps(asked.value)
        out = await graph.ainvoke(Command(resume={"kind": "approved"}), CONFIG)
    assert out["log"] == ["answer 42"]
    assert out["solution"].usage.calls == 1


@on_one_loop
async def test_what_holds_for_each_run_holds_once_a_person_has_answered(sandbox: Sandbox) -> None:
    async with Solver(ScriptedBackend([PROGRAM]), sandbox=sandbox, cache=False) as solver:
        graph = app(solver, InMemorySaver(), approve_code=True, min_confidence=1.0)
        await graph.ainvoke({"problem": "What is 6*7?"}, CONFIG)
        out = await graph.ainvoke(Command(resume={"kind": "approved"}), CONFIG)
    assert out["solution"].abstained


async def test_without_a_checkpointer_the_solution_says_what_it_waits_for() -> None:
    async with Solver(ScriptedBackend([PROGRAM]), cache=False) as solver:
        out = await solver.graph("pal", approve_code=True).ainvoke({"problem": "What is 6*7?"})
    assert out["solution"].waiting_for is not None
    assert out["solution"].resumable


async def test_wrong_settings_are_found_at_once() -> None:
    async with Solver(ScriptedBackend([]), cache=False) as solver:
        with pytest.raises(UsageError, match="did you mean pal"):
            solver.graph("pall")
        with pytest.raises(UsageError, match="has no setting"):
            solver.graph("pal", config={"m": 1})
