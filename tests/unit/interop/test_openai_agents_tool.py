"""The solver as a tool of the OpenAI Agents SDK; skipped where that is not installed."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("agents.tool", reason="the OpenAI Agents SDK is not installed (pip install openai-agents)")

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from mathagent.interop.openai_agents_tool import solve_tool
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver


class Asking(Model):
    """A model that calls the tool with ``problem``, then says what it heard."""

    def __init__(self, problem: str) -> None:
        self.problem = problem

    async def get_response(
        self, system_instructions: object, input: object, *_: object, **__: object
    ) -> ModelResponse:
        heard = [item["output"] for item in input if isinstance(item, dict) and "output" in item]  # type: ignore[attr-defined]
        if heard:
            text = ResponseOutputText(text=str(heard[0]), type="output_text", annotations=[])
            said = ResponseOutputMessage(
                id="m", role="assistant", status="completed", type="message", content=[text]
            )
            return ModelResponse(output=[said], usage=Usage(), response_id=None)
        arguments = json.dumps({"problem": self.problem})
        call = ResponseFunctionToolCall(arguments=arguments, call_id="c", name="solve_math", type="function_call")
        return ModelResponse(output=[call], usage=Usage(), response_id=None)

    def stream_response(self, *_: object, **__: object) -> object:  # type: ignore[override]
        raise NotImplementedError


async def reply_to(problem: str, *replies: str | Reply) -> str:
    async with Solver(ScriptedBackend(replies), cache=False, checkpoints=False) as solver:
        agent = Agent(name="a", model=Asking(problem), tools=[solve_tool(solver, "cot")])
        run = await Runner.run(agent, "go", run_config=RunConfig(tracing_disabled=True))
    return str(run.final_output)


async def test_an_agent_calls_it() -> None:
    assert (await reply_to("What is 6*7?", "\\boxed{42}")).startswith("Answer: 42")


async def test_what_fails_is_a_text() -> None:
    assert "could not be solved: the problem is empty" in await reply_to(" ")
    assert "could not be solved: down" in await reply_to("What?", Reply(error="down"))
