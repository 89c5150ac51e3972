"""The solver as a tool of a pydantic-ai agent; skipped where that is not installed."""

from __future__ import annotations

import pytest

pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed (pip install pydantic-ai-slim)")

from pydantic_ai import Agent
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

from mathagent.interop.pydantic_ai_tool import solve_tool
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Solution


def asking(*problems: str) -> FunctionModel:
    """A model that calls the tool with each of ``problems`` in turn, then ends."""
    left = list(problems)

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if left:
            return ModelResponse(parts=[ToolCallPart("solve_math", {"problem": left.pop(0)})])
        return ModelResponse(parts=[TextPart("done")])

    return FunctionModel(respond)


def parts_of(agent_run: object) -> list[object]:
    return [part for message in agent_run.all_messages() for part in message.parts]  # type: ignore[attr-defined]


def test_an_agent_calls_it() -> None:
    with Solver(ScriptedBackend(["\\boxed{42}"]), cache=False, checkpoints=False) as solver:
        run = Agent(asking("What is 6*7?"), tools=[solve_tool(solver, "cot")]).run_sync("go")
    (returned,) = (part for part in parts_of(run) if isinstance(part, ToolReturnPart))
    assert str(returned.content).startswith("Answer: 42")
    assert isinstance(returned.metadata, Solution)


async def test_a_wrong_problem_is_a_retry_and_a_failed_solve_a_text() -> None:
    async with Solver(ScriptedBackend([Reply(error="down")]), cache=False, checkpoints=False) as solver:
        run = await Agent(asking(" ", "What?"), tools=[solve_tool(solver, "cot")]).run("go")
    retried, failed = (part for part in parts_of(run) if isinstance(part, RetryPromptPart | ToolReturnPart))
    assert "the problem is empty" in str(retried.content)
    assert isinstance(retried, RetryPromptPart) or retried.outcome == "retried"  # before pydantic-ai 2, and since
    assert "could not be solved: down" in str(failed.content)
