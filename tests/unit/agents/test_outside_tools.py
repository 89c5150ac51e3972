"""Tools of MCP servers in a solve: seen, allowed, within the budget; never in a measured one."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mathagent.agents.context import RunContext
from mathagent.agents.human import Human, Interrupts
from mathagent.agents.outside_tools import OutsideTools
from mathagent.budget import Budget, Meter
from mathagent.errors import UsageError
from mathagent.events import Event, PersonAnswered, PersonAsked, ToolFinished, ToolStarted, Warned
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox.process import ProcessSandbox
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.tools.mcp_config import McpServerConfig
from mathagent.tools.mcp_servers import McpServers
from mathagent.types import Approved, ApproveTool, Edited, Refused, Request, Response

TOY = Path(__file__).parents[2] / "toy_mcp_server.py"
REACT = {"modules": "react"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


def toy(mode: str = "", **options: Any) -> McpServerConfig:
    return McpServerConfig(command=sys.executable, args=("-I", "-S", str(TOY), mode), **options)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[McpServers]:
    one = McpServers({"toy": toy(), "known": toy(trusted=True), "gone": toy("dies")})
    yield one
    await one.aclose()


@pytest.fixture
def events() -> list[Event]:
    return []


def context(events: list[Event], human: Human | None = None, budget: Budget | None = None) -> RunContext:
    meter = Meter(budget)
    return RunContext(
        backend=ScriptedBackend([]),
        sandbox=None,  # type: ignore[arg-type]  # no program runs here
        comparer=None,  # type: ignore[arg-type]
        meter=meter,
        emit=events.append,
        interrupts=Interrupts(human or Human(), meter, events.append),
        tools={},
    )


async def with_tools(servers: McpServers, given: RunContext) -> RunContext:
    return await OutsideTools(servers).added(given, STRATEGIES.load("mathsensei"), measured=False)


def says(*responses: Response, asked: list[Request]) -> Any:
    left = list(responses)

    async def on_interrupt(request: Request) -> Response:
        asked.append(request)
        return left.pop(0)

    return on_interrupt


async def test_a_trusted_tool_is_called_and_seen(servers: McpServers, events: list[Event]) -> None:
    tools = (await with_tools(servers, context(events))).tools
    assert "python" not in tools
    result = await tools["known.add"].call('{"a": 1, "b": 2}')
    assert result.ok
    started, finished = (one for one in events if isinstance(one, ToolStarted | ToolFinished))
    assert started == ToolStarted(tool="known.add", arguments='{"a": 1, "b": 2}')
    assert isinstance(finished, ToolFinished)
    assert finished.ok
    assert finished.text == result.text
    assert [one.message for one in events if isinstance(one, Warned) and "gone" in one.message]


def adding(a: int, b: int) -> ApproveTool:
    return ApproveTool(tool="toy.add", description="Adds two numbers.", arguments=f'{{"a": {a}, "b": {b}}}')


async def test_a_person_is_asked_before_each_call_and_sees_what_with(
    servers: McpServers, events: list[Event]
) -> None:
    asked: list[Request] = []
    human = Human(says(Approved(), Refused(reason="not today"), Approved(), Refused(), asked=asked))
    tools = (await with_tools(servers, context(events, human))).tools
    assert (await tools["toy.add"].call({"a": 1, "b": 2})).ok
    assert [type(one) for one in events[-4:-2]] == [PersonAsked, PersonAnswered]
    assert (await tools["toy.add"].call({"a": 1, "b": 2})).ok  # the same call: nobody is asked twice
    assert not (await tools["toy.add"].call({"a": 3, "b": 4})).ok
    assert (await tools["toy.add"].call({"a": 5, "b": 6})).ok
    assert asked == [adding(1, 2), adding(3, 4), adding(5, 6)]
    for _ in range(2):
        refused = await tools["toy.shout"].call("hello")
        assert not refused.ok
        assert "a person did not allow it" in refused.text
    assert len(asked) == 4


async def test_who_allows_a_tool_always_is_asked_of_the_others_only(
    servers: McpServers, events: list[Event]
) -> None:
    asked: list[Request] = []
    human = Human(says(Refused(), Approved(always=True), Refused(), asked=asked))
    tools = (await with_tools(servers, context(events, human))).tools
    assert not (await tools["toy.add"].call({"a": 1, "b": 2})).ok
    for number in range(3, 6):
        assert (await tools["toy.add"].call({"a": number, "b": 1})).ok
    assert not (await tools["toy.add"].call({"a": 1, "b": 2})).ok  # that call stays refused
    assert not (await tools["toy.shout"].call("hello")).ok
    assert [one.tool for one in asked if isinstance(one, ApproveTool)] == ["toy.add", "toy.add", "toy.shout"]
    assert not [one for one in events if isinstance(one, ToolStarted) and one.tool == "toy.shout"]


async def test_an_edited_answer_allows_nothing(servers: McpServers, events: list[Event]) -> None:
    human = Human(says(Edited(text="toy.add"), asked=[]))
    tools = (await with_tools(servers, context(events, human))).tools
    assert not (await tools["toy.add"].call({"a": 1, "b": 2})).ok


async def test_where_nobody_can_be_asked_it_is_not_called(servers: McpServers, events: list[Event]) -> None:
    tools = (await with_tools(servers, context(events))).tools
    refused = await tools["toy.add"].call({"a": 1, "b": 2})
    assert not refused.ok
    assert "trusted = true in [mcp.servers.toy]" in refused.text
    assert not [one for one in events if isinstance(one, ToolStarted)]


async def test_the_budget_ends_a_call_that_hangs(servers: McpServers, events: list[Event]) -> None:
    now = 0.0
    given = replace(context(events), meter=Meter(Budget(max_seconds=60), lambda: now))
    tools = (await with_tools(servers, given)).tools
    now = 59.8
    hung = await tools["known.hang"].call({})
    assert not hung.ok
    assert "did not answer hang within 0.2 s" in hung.text
    now = 60.0
    assert "the time of this solve is over" in (await tools["known.add"].call({"a": 1, "b": 1})).text


async def test_ctrl_c_ends_a_call_that_hangs(servers: McpServers, events: list[Event]) -> None:
    given = await with_tools(servers, context(events))
    calling = asyncio.ensure_future(given.tools["known.hang"].call({}))
    await asyncio.sleep(0)
    assert isinstance(events[-1], ToolStarted)
    given.meter.interrupt()
    result = await calling
    assert not result.ok
    assert "the solve was ended" in result.text


async def test_no_tools_for_a_measured_solve_or_a_strategy_without_need(events: list[Event]) -> None:
    outside = OutsideTools(McpServers({"toy": toy("dies")}))
    given = context(events)
    assert await outside.added(given, STRATEGIES.load("mathsensei"), measured=True) is given
    assert await outside.added(given, STRATEGIES.load("pal"), measured=False) is given
    assert events == []


async def test_a_broken_server_is_a_warning_once(events: list[Event]) -> None:
    outside = OutsideTools(McpServers({"toy": toy("dies")}))
    given = context(events)
    for _ in range(2):
        assert await outside.added(given, STRATEGIES.load("mathsensei"), measured=False) is given
    (warned,) = events
    assert isinstance(warned, Warned)
    assert "no licence file" in warned.message
    await outside.aclose()


def react(*turns: str) -> ScriptedBackend:
    return ScriptedBackend([f"Thought: so.\nAction: {turn}" for turn in turns])


async def solved(
    own_home: Path,
    mode: str,
    backend: ScriptedBackend,
    *,
    trusted: bool = True,
    checkpoints: bool = False,
    **options: Any,
) -> tuple[Any, list[Event]]:
    command = json.dumps(["-I", "-S", str(TOY), mode])
    text = f"[mcp.servers.toy]\ncommand = {json.dumps(sys.executable)}\nargs = {command}\n"
    (own_home / "config.toml").write_text(text + f"trusted = {str(trusted).lower()}\n", encoding="utf-8")
    seen: list[Event] = []
    sandbox = ProcessSandbox()
    async with Solver(backend, sandbox=sandbox, cache=False, checkpoints=checkpoints) as solver:
        solution = await solver.solve("1 + 41?", "mathsensei", config=REACT, on_event=seen.append, **options)
    await sandbox.aclose()
    return solution, seen


def prompts(backend: ScriptedBackend) -> list[str]:
    def text(request: ChatRequest) -> str:
        return "\n".join(message.content for message in request.messages)

    return [text(request) for request in backend.requests]


async def test_react_calls_a_tool_of_the_config_file(own_home: Path) -> None:
    backend = react('toy.add[{"a": 1, "b": 41}]', "toy.inject[]", "finish[\\boxed{42}]")
    solution, seen = await solved(own_home, "", backend)
    assert solution.answer == "42"
    assert [one.tool for one in seen if isinstance(one, ToolStarted)] == ["toy.add", "toy.inject"]
    first, second, third = prompts(backend)
    assert "toy.add[input]: Adds two numbers. (JSON with a, b)" in first
    assert "> 42" in second
    assert "Quoted from the tool toy.inject" in third
    assert "<|im_start|>" not in third
    assert seen[0].kind == "solve-started"


async def test_a_crash_in_the_middle_does_not_end_the_solve(own_home: Path) -> None:
    backend = react("toy.crash[]", "finish[\\boxed{42}]")
    solution, _ = await solved(own_home, "", backend)
    assert solution.answer == "42"
    assert solution.stopped == "finished"
    assert "It failed: Quoted from the tool toy.crash" in prompts(backend)[1]


async def test_without_a_person_the_model_is_told(own_home: Path) -> None:
    backend = react('toy.add[{"a": 1, "b": 41}]', "finish[\\boxed{42}]")
    solution, seen = await solved(own_home, "", backend, trusted=False)
    assert solution.answer == "42"
    assert "toy.add was not called" in prompts(backend)[1]
    assert not [one for one in seen if isinstance(one, ToolStarted)]


async def test_where_a_person_takes_part_it_waits_for_them(own_home: Path) -> None:
    backend = react('toy.add[{"a": 1, "b": 41}]', 'toy.add[{"a": 40, "b": 2}]', "finish[\\boxed{42}]")
    stopped, _ = await solved(
        own_home, "", backend, trusted=False, checkpoints=True, human=Human(approve_code=True)
    )
    assert stopped.waiting_for == adding(1, 41)
    assert stopped.resumable
    sandbox = ProcessSandbox()
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(resume=stopped.solve_id, answer=Approved(always=True))
    await sandbox.aclose()
    assert solution.answer == "42"
    assert "> 42" in prompts(backend)[-1]


async def test_a_wrong_config_file_is_named(own_home: Path) -> None:
    (own_home / "config.toml").write_text("[mcp.servers.toy]\n", encoding="utf-8")
    sandbox = ProcessSandbox()
    async with Solver(react("finish[1]"), sandbox=sandbox, cache=False) as solver:
        with pytest.raises(UsageError, match=r"config\.toml, \[mcp\.servers\.toy\]: .*command"):
            await solver.solve("1?", "mathsensei", config=REACT)
    await sandbox.aclose()
