"""The walk of a graph gives what LangGraph gives, and refuses what it cannot do."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.errors import GraphRecursionError, InvalidUpdateError
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy
from pydantic import BaseModel

from mathagent.agents.context import RunContext
from mathagent.agents.direct_graph import DirectGraph
from mathagent.agents.graph import ready_graph, run_graph
from mathagent.agents.state import SolveState
from mathagent.errors import BackendError
from mathagent.models.scripted import ScriptedBackend
from mathagent.strategies import STRATEGIES
from mathagent.types import Candidate, Failure, Problem
from tests.unit.agents.scripted_context import scripted_context

Graph = StateGraph[Any, Any, Any, Any]
START_STATE = SolveState(problem=Problem(text="What is 6*7?"))
NAMES = ("a", "b", "c", "d")


def candidate(text: str) -> Candidate:
    return Candidate(failure=Failure(kind="no-answer", message=text))


def empty() -> Graph:
    return StateGraph(SolveState, context_schema=RunContext)


def add(graph: Graph, name: str, **update: Any) -> None:
    """A node that says that it ran, and returns ``update``."""

    async def node(state: SolveState) -> dict[str, Any]:
        return {"candidates": [candidate(f"{name}{len(state.candidates)}")], **update}

    graph.add_node(name, node)


def context() -> RunContext:
    return scripted_context(ScriptedBackend([]))[0]


def walk(graph: Graph) -> DirectGraph:
    direct = DirectGraph.of(graph)
    assert direct is not None
    return direct


async def collected(
    stream: AsyncIterator[dict[str, Any]],
) -> tuple[list[dict[str, Any]], type[BaseException] | None]:
    """The state after each step, without what is not set, and the error that ended it."""
    states: list[dict[str, Any]] = []
    try:
        async for values in stream:
            states.append(SolveState.model_validate(values).model_dump())
    except Exception as error:  # compared by its type
        return states, type(error)
    return states, None


async def both(graph: Graph, limit: int = 12) -> tuple[Any, Any]:
    direct = walk(graph).stream(START_STATE, context(), recursion_limit=limit)
    config: Any = {"recursion_limit": limit}
    theirs = graph.compile().astream(START_STATE, config, context=context(), stream_mode="values")
    return await collected(direct), await collected(cast("AsyncIterator[dict[str, Any]]", theirs))


edges = st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from((*NAMES, END))), max_size=6)
first = st.sets(st.sampled_from(NAMES), min_size=1, max_size=2)
joins = st.lists(
    st.tuples(st.sets(st.sampled_from(NAMES), min_size=2, max_size=3), st.sampled_from(NAMES)), max_size=2
)
choices = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from((*NAMES, END)), min_size=1, max_size=3))


@given(first, edges, joins, choices)
def test_any_graph_runs_as_by_langgraph(
    first: set[str],
    edges: set[tuple[str, str]],
    joins: list[tuple[set[str], str]],
    choices: dict[str, list[str]],
) -> None:
    graph = empty()
    for name in NAMES:
        add(graph, name)
    for name in sorted(first):
        graph.add_edge(START, name)
    for start, end in sorted(edges):
        graph.add_edge(start, end)
    for starts, end in joins:
        graph.add_edge(sorted(starts), end)

    for name, ends in choices.items():

        def choose(state: SolveState, ends: list[str] = ends) -> str | list[str]:
            place = len(state.candidates) % len(ends)  # differs with what this node and others have written
            return ends[place] if place else ends[: 1 + len(state.candidates) % 2]

        graph.add_conditional_edges(name, choose, ends)
    direct, by_langgraph = asyncio.run(both(graph))
    assert direct == by_langgraph


async def test_a_node_that_fails_cancels_its_neighbours_and_the_state_before_stands() -> None:
    graph, log = empty(), list[str]()

    async def fails(state: SolveState) -> dict[str, Any]:
        await asyncio.sleep(0)
        raise BackendError("gone")

    async def slow(state: SolveState) -> dict[str, Any]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        return {}

    add(graph, "a")
    graph.add_node("fails", fails)
    graph.add_node("slow", slow)
    graph.add_edge(START, "a")
    graph.add_edge("a", "fails")
    graph.add_edge("a", "slow")
    states, error = await collected(walk(graph).stream(START_STATE, context(), recursion_limit=9))
    assert (error, log) == (BackendError, ["cancelled"])
    assert len(states[-1]["candidates"]) == 1


async def test_who_stops_it_stops_its_nodes() -> None:
    graph, log, begun = empty(), list[str](), asyncio.Event()

    async def slow(state: SolveState) -> dict[str, Any]:
        try:
            log.append("begun")
            begun.set()
            await asyncio.sleep(60)
        finally:
            log.append("ended")
        return {}

    graph.add_node("slow", slow)
    graph.add_edge(START, "slow")
    task = asyncio.ensure_future(collected(walk(graph).stream(START_STATE, context(), recursion_limit=9)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["begun", "ended"]


async def test_two_writers_of_a_field_without_a_reducer() -> None:
    graph = empty()
    add(graph, "a", plan="one")
    add(graph, "b", plan="two")
    graph.add_edge(START, "a")
    graph.add_edge(START, "b")
    (_, error), (_, theirs) = await both(graph)
    assert error is theirs is InvalidUpdateError


async def test_a_graph_without_an_end() -> None:
    graph = empty()
    add(graph, "a")
    graph.add_edge(START, "a")
    graph.add_edge("a", "a")
    (states, error), (_, theirs) = await both(graph)
    assert error is theirs is GraphRecursionError
    assert len(states[-1]["candidates"]) == 12


async def test_nodes_and_choices_are_given_the_context() -> None:
    graph, seen = empty(), list[Any]()

    async def node(state: SolveState, runtime: Runtime[RunContext]) -> None:
        seen.append(runtime.context)

    async def choose(state: SolveState, runtime: Runtime[RunContext]) -> str:
        seen.append(runtime.context)
        return END

    graph.add_node("a", node)
    graph.add_edge(START, "a")
    graph.add_conditional_edges("a", choose, [END])
    given = context()
    await collected(walk(graph).stream(START_STATE, given, recursion_limit=9))
    assert seen == [given, given]


class Other(BaseModel):
    candidates: Annotated[list[str], operator.add]


def test_what_only_langgraph_can_do_is_refused() -> None:
    async def node(state: SolveState) -> dict[str, Any]:
        return {}

    tried_again, other_state, unnamed, later = empty(), StateGraph(Other), empty(), empty()
    tried_again.add_node("a", node, retry_policy=RetryPolicy())
    other_state.add_node("a", cast("Any", node))
    unnamed.add_node("a", node)
    unnamed.add_conditional_edges("a", lambda state: END)
    later.add_node("a", node, defer=True)
    for graph in (tried_again, other_state, unnamed, later):
        graph.add_edge(START, "a")
        assert DirectGraph.of(graph) is None


class Listening(BaseCallbackHandler):
    def __init__(self) -> None:
        self.begun = 0

    def on_chain_start(self, *args: Any, **more: Any) -> None:
        self.begun += 1


async def test_langgraph_runs_it_where_somebody_listens_or_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[str] = []
    stream = DirectGraph.stream

    def noted(self: DirectGraph, *args: Any, **options: Any) -> AsyncIterator[dict[str, Any]]:
        walks.append("walk")
        return stream(self, *args, **options)

    monkeypatch.setattr(DirectGraph, "stream", noted)
    strategy = STRATEGIES.load("cot")
    ready = ready_graph(strategy, strategy.config())

    async def run(**more: Any) -> str | None:
        scripted, _ = scripted_context(ScriptedBackend(["So it is \\boxed{42}."]))
        return (await run_graph(ready, START_STATE, replace(scripted, **more))).state.answer

    assert await run() == "42"
    assert walks == ["walk"]
    assert await run(durable=True) == "42"
    listening = Listening()
    token = var_child_runnable_config.set({"callbacks": [listening]})
    try:
        assert await run() == "42"
    finally:
        var_child_runnable_config.reset(token)
    assert listening.begun > 0
    assert walks == ["walk"]
