"""The solver as a LangChain tool, by itself and in LangGraph's own tool node."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from mathagent.errors import UsageError
from mathagent.interop.langchain_tool import solve_tool
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Solution

CALL = {"name": "solve_math", "args": {"problem": "What is 6*7?"}, "id": "1", "type": "tool_call"}


def solver(*replies: str | Reply) -> Solver:
    return Solver(ScriptedBackend(replies), cache=False, checkpoints=False)


async def test_content_for_the_model_and_the_solution_for_the_app() -> None:
    async with solver("\\boxed{42}") as opened:
        message = await solve_tool(opened, "cot").ainvoke(CALL)
    assert message.content.startswith("Answer: 42")
    assert isinstance(message.artifact, Solution)
    assert message.status == "success"


def test_synchronous_agents() -> None:
    with solver("\\boxed{42}") as opened:
        assert solve_tool(opened, "cot").invoke(CALL).artifact.answer == "42"


async def test_a_failure_is_an_error_text_to_the_model() -> None:
    async with solver(Reply(error="down")) as opened:
        tool = solve_tool(opened, "cot")
        for arguments, said in (({"problem": "What?"}, "down"), ({"problem": " "}, "empty")):
            message = await tool.ainvoke({**CALL, "args": arguments})
            assert said in message.content
            assert message.status == "error"


async def test_in_a_graph_of_tools() -> None:
    async with solver("\\boxed{42}") as opened:
        graph = StateGraph(MessagesState)
        graph.add_node("tools", ToolNode([solve_tool(opened, "cot")]))
        graph.add_edge(START, "tools")
        graph.add_edge("tools", END)
        asked = AIMessage(content="", tool_calls=[CALL])
        out = await graph.compile().ainvoke({"messages": [asked]})
    assert out["messages"][-1].content.startswith("Answer: 42")


def test_the_model_is_told_what_to_give() -> None:
    schema = solve_tool(solver(), "cot").tool_call_schema.model_json_schema()
    assert schema["properties"]["problem"]["type"] == "string"
    assert "complete in itself" in schema["properties"]["problem"]["description"]
    assert schema["required"] == ["problem"]


def test_wrong_settings_are_found_at_once() -> None:
    with pytest.raises(UsageError, match="did you mean"):
        solve_tool(solver(), "cott")
