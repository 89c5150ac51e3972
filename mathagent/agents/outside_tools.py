"""Tools of MCP servers in a solve: seen in events, allowed by a person, within the budget.

They are not offered to a solve that is measured: like the web, they may know the answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from mathagent.agents.human import refused_tool
from mathagent.budget import Meter
from mathagent.config import settings
from mathagent.events import ToolFinished, ToolStarted, Warned
from mathagent.models.base import ToolSpec
from mathagent.tools.base import Tool, ToolResult
from mathagent.tools.mcp_config import read_mcp_servers
from mathagent.tools.mcp_servers import McpServers, McpTool, Offered, read_arguments

if TYPE_CHECKING:
    from mathagent.agents.context import RunContext
    from mathagent.agents.strategy import Strategy

NEED = "tools"
"""What a strategy says it needs if it calls tools; servers are not started for another."""


class OutsideTools:
    """The MCP servers of a solver, read from the config file when a solve first may use them (or ``servers``)."""

    def __init__(self, servers: McpServers | None = None) -> None:
        self._servers = servers
        self._warned: set[str] = set()

    async def added(self, context: RunContext, strategy: Strategy, *, measured: bool) -> RunContext:
        """``context`` with the tools that the servers offer, where ``strategy`` may use them.

        A server that fails is a warning, once. Raises UsageError where the config file is wrong.
        """
        if measured or (strategy.needs is not None and NEED not in strategy.needs):
            return context
        if self._servers is None:
            self._servers = McpServers(read_mcp_servers(settings().config_path))
        tools: dict[str, Tool] = {}
        for offered in await self._asked(self._servers, context.meter):
            if offered.problem and offered.problem not in self._warned:
                self._warned.add(offered.problem)
                context.emit(Warned(message=f"MCP server {offered.server}: {offered.problem}"))
            for spec in offered.tools:
                tools[spec.name] = SolveTool(McpTool(self._servers, offered.server, spec), context)
        return replace(context, tools=ChainMap(tools, context.tools)) if tools else context  # type: ignore[arg-type]

    async def _asked(self, servers: McpServers, meter: Meter) -> list[Offered]:
        """What ``servers`` offer; nothing where the solve is ended before all have said it."""
        asking = asyncio.ensure_future(servers.offered())
        ended = meter.interruption()
        try:
            await asyncio.wait({asking, ended}, timeout=meter.seconds_left(), return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else []
        finally:
            for task in (asking, ended):
                task.cancel()
            await asyncio.gather(asking, ended, return_exceptions=True)

    async def aclose(self) -> None:
        """Ends the servers; safe to call twice."""
        if self._servers is not None:
            await self._servers.aclose()


class SolveTool(Tool):
    """``tool`` as one solve may call it. Nothing that a server does raises; what it fails at is a result."""

    def __init__(self, tool: McpTool, context: RunContext) -> None:
        self.name, self.description, self.parameters = tool.name, tool.description, tool.parameters
        self._tool, self._context = tool, context

    def spec(self) -> ToolSpec:
        """See Tool.spec."""
        return self._tool.spec()

    async def call(self, arguments: str | Mapping[str, JsonValue]) -> ToolResult:
        """See Tool.call."""
        given = read_arguments(self.name, arguments, self.parameters)
        if isinstance(given, ToolResult):
            return given
        context = self._context
        shown = json.dumps(given, ensure_ascii=False)
        if not self._tool.trusted:
            refused = await refused_tool(context.interrupts, self.name, self.description, shown)
            if refused:
                return ToolResult(text=f"{self.name} was not called: {refused}", ok=False)
        context.emit(ToolStarted(tool=self.name, arguments=shown))
        began = time.monotonic()
        result = await self._called(given)
        seconds = round(time.monotonic() - began, 3)
        context.emit(ToolFinished(tool=self.name, ok=result.ok, text=result.text, seconds=seconds))
        return result

    async def _called(self, given: dict[str, Any]) -> ToolResult:
        """The result, unless the solve is ended before, by its budget or by a person."""
        meter = self._context.meter
        left = meter.seconds_left()
        if left is not None and left <= 0:
            return ToolResult(text="the time of this solve is over", ok=False)
        calling = asyncio.ensure_future(self._tool.call_within(given, left))
        ended = meter.interruption()
        try:
            await asyncio.wait({calling, ended}, return_when=asyncio.FIRST_COMPLETED)
            if calling.done():
                return calling.result()
            return ToolResult(text="the solve was ended before the tool had answered", ok=False)
        finally:
            for task in (calling, ended):
                task.cancel()
            await asyncio.gather(calling, ended, return_exceptions=True)
