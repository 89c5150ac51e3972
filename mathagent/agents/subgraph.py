"""A whole solve as a LangGraph graph, to be a node of somebody's own: a problem goes in, a Solution comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

from langchain_core.runnables import RunnableLambda
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, TypeAdapter

from mathagent._sync import HomeLoop
from mathagent.events import Event
from mathagent.types import Problem, Response, Solution

_response: TypeAdapter[Response] = TypeAdapter(Response)


class SolveInput(BaseModel):
    """What goes in; the state of a graph around it has a key of this name."""

    problem: str | Problem


class SolveOutput(BaseModel):
    """What comes out; likewise."""

    solution: Solution


class GraphState(SolveInput):
    """What the graph keeps while a person is asked."""

    solution: Solution | None = None
    response: Response | None = None


Solve = Callable[[str | Problem, Callable[[Event], None]], Awaitable[Solution]]
Resume = Callable[[str, Response, Callable[[Event], None]], Awaitable[Solution]]


def solve_graph(
    solve: Solve, resume: Resume, home: HomeLoop
) -> CompiledStateGraph[GraphState, None, SolveInput, SolveOutput]:
    """The graph: solve ⇄ ask_person.

    Events of the solve are written to the stream of the mode "custom", as JSON objects. Where it waits for a person,
    the graph stops by LangGraph's interrupt with the request (a JSON object), and goes on with
    ``Command(resume={"kind": "approved"})`` or another Response; without a checkpointer the Solution comes out as it
    is, with ``waiting_for`` set. Solves are done on ``home``, by default our own loop: a server may run each of a
    graph's runs in a loop of its own.
    """

    async def at_home(state: GraphState) -> dict[str, Any]:
        home.settle()
        return await home.call(solve_problem(state))

    async def solve_problem(state: GraphState) -> dict[str, Any]:
        write, here = get_stream_writer(), copy_context()

        def on_event(event: Event) -> None:
            here.run(
                write, event.model_dump(mode="json")
            )  # not as one of the strategy's own nodes, which tells it

        if state.response is not None and state.solution is not None:
            solution = await resume(state.solution.solve_id, state.response, on_event)
        else:
            solution = await solve(state.problem, on_event)
        return {"solution": solution, "response": None}

    def ask_person(state: GraphState) -> dict[str, Any]:
        assert state.solution is not None
        assert state.solution.waiting_for is not None
        said = interrupt(state.solution.waiting_for.model_dump(mode="json"))
        return {"response": _response.validate_python(said)}

    def next_node(state: GraphState) -> str:
        waits = state.solution is not None and state.solution.waiting_for is not None and state.solution.resumable
        return "ask_person" if waits and _is_checkpointed() else END

    graph = StateGraph(GraphState, input_schema=SolveInput, output_schema=SolveOutput)
    graph.add_node("solve", RunnableLambda(lambda state: home.run(solve_problem(state)), afunc=at_home))
    graph.add_node("ask_person", ask_person)
    graph.add_edge(START, "solve")
    graph.add_conditional_edges("solve", next_node, ["ask_person", END])
    graph.add_edge("ask_person", "solve")
    return graph.compile(name="mathagent")


def _is_checkpointed() -> bool:
    return get_config().get("configurable", {}).get("__pregel_checkpointer") is not None
