"""Tools of MCP servers: the servers that the user has set up, and what they offer, as tools of ours.

What a server says is data: results and errors are quoted (see ``untrusted``), names and descriptions cleaned. What it
does wrong is a result that names it, never an exception.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from mathagent.models.base import ToolSpec
from mathagent.tools.base import Tool, ToolResult
from mathagent.tools.mcp_config import McpServerConfig
from mathagent.tools.mcp_connection import McpConnection, McpServerError
from mathagent.tools.untrusted import neutralised, quote_untrusted
from mathagent.types import Value

if TYPE_CHECKING:
    from mcp_types import CallToolResult
    from mcp_types import Tool as ServerTool

RESULT_CHARS = 4_000
DESCRIPTION_CHARS = 400
MAX_SCHEMA_CHARS = 8_000
MAX_ARGUMENTS_CHARS = 100_000
_TOOL_NAME = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_NO_ARGUMENTS: dict[str, JsonValue] = {"type": "object", "properties": {}}


class Offered(Value):
    """What one server offers: its tools by their names here, ``NAME.tool``; ``problem`` says why there are none, or
    which were left out."""

    server: str
    tools: tuple[ToolSpec, ...] = ()
    problem: str = ""


class McpServers:
    """The servers of ``configs``. Each is started when it is first needed and runs until ``aclose``.

    A server that did not answer, or whose call was cancelled, is ended as soon as no other call needs it, and the next
    call starts it anew: what hangs, is gone.
    """

    def __init__(self, configs: Mapping[str, McpServerConfig]) -> None:
        self.configs = dict(configs)
        self._open: dict[str, McpConnection] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._left: list[McpConnection] = []

    async def offered(self) -> list[Offered]:
        """What all servers offer, asked at the same time. Raises nothing for a server that fails."""
        return list(await asyncio.gather(*(self._offered(name) for name in self.configs)))

    async def call(
        self, server: str, tool: str, arguments: dict[str, Any], seconds: float | None = None
    ) -> ToolResult:
        """The result of ``tool`` of ``server`` within ``seconds`` (None: the configured ones), quoted."""
        connection = self._connection(server)
        allowed = self.configs[server].call_s
        try:
            result = await connection.call(tool, arguments, allowed if seconds is None else min(seconds, allowed))
        except McpServerError as error:
            return ToolResult(text=_quoted(str(error), f"{server}.{tool}"), ok=False)
        finally:
            self._end_broken()
        return ToolResult(text=_quoted(result_text(result), f"{server}.{tool}"), ok=not result.is_error)

    async def aclose(self) -> None:
        """Ends all servers; safe to call twice."""
        open_now = [*self._open.values(), *self._left]
        self._open, self._left = {}, []
        ended = await asyncio.gather(*(one.aclose() for one in open_now), *self._ending, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure

    async def _offered(self, name: str) -> Offered:
        connection = self._connection(name)
        try:
            listed = await connection.tools()
        except McpServerError as error:
            connection.broken = True
            if connection.answered:  # it has died since: that may have been long ago
                return await self._offered(name)
            return Offered(server=name, problem=" ".join(neutralised(str(error)).split()))
        finally:
            self._end_broken()
        tools: dict[str, ToolSpec] = {}
        left_out: list[str] = []
        wanted = self.configs[name].tools
        for one in listed:
            if wanted and one.name not in wanted:
                continue
            spec = _spec(name, one)
            if spec is None:
                left_out.append(" ".join(neutralised(one.name[:64]).split()) or "one without a name")
            else:
                tools[spec.name] = spec
        absent = [one for one in wanted if f"{name}.{one}" not in tools and one not in left_out]
        problems = [
            f"{what}: {', '.join(names)}"
            for what, names in (
                ("left out, for their names or schemas are not usable", left_out),
                ("not offered", absent),
            )
            if names
        ]
        return Offered(server=name, tools=tuple(tools.values()), problem="; ".join(problems))

    def _connection(self, name: str) -> McpConnection:
        self._end_broken()
        if name not in self._open:
            self._open[name] = McpConnection(name, self.configs[name])
        return self._open[name]

    def _end_broken(self) -> None:
        """Lets go of broken connections; one that others still wait for ends when they are done."""
        broken = {name: one for name, one in self._open.items() if one.broken}
        for name in broken:
            del self._open[name]
        self._left += broken.values()
        done = [one for one in self._left if not one.calls]
        self._left = [one for one in self._left if one.calls]
        for one in done:
            task = asyncio.ensure_future(one.aclose())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


class McpTool(Tool):
    """A tool of an MCP server. ``call`` hands its arguments on; the server checks them."""

    def __init__(self, servers: McpServers, server: str, spec: ToolSpec) -> None:
        self.servers, self.server = servers, server
        self.name, self.description, self.parameters = spec.name, spec.description, dict(spec.parameters)
        self.remote = spec.name.removeprefix(f"{server}.")

    async def call(self, arguments: str | Mapping[str, JsonValue]) -> ToolResult:
        """See Tool.call. Nothing that the server does raises."""
        given = read_arguments(self.name, arguments, self.parameters)
        return given if isinstance(given, ToolResult) else await self.call_within(given, None)

    async def call_within(self, arguments: dict[str, Any], seconds: float | None) -> ToolResult:
        """The result within ``seconds`` (None: those of the config)."""
        return await self.servers.call(self.server, self.remote, arguments, seconds)

    @property
    def trusted(self) -> bool:
        """Whether it may be called without asking a person."""
        return self.servers.configs[self.server].trusted


def read_arguments(
    name: str, arguments: str | Mapping[str, JsonValue], parameters: Mapping[str, JsonValue]
) -> dict[str, Any] | ToolResult:
    """``arguments`` as an object, or the result that tells the model what is wrong with them. Pure.

    Plain text is taken as the value of the tool's one needed parameter, where that is a text: small models write
    ``search[sum of angles]`` and not JSON.
    """
    if not isinstance(arguments, str):
        return dict(arguments)
    if len(arguments) > MAX_ARGUMENTS_CHARS:
        return ToolResult(text=f"Bad arguments for {name}: more than {MAX_ARGUMENTS_CHARS:,} characters", ok=False)
    properties = parameters.get("properties")
    known = [*properties] if isinstance(properties, dict) else []
    try:
        given = json.loads(arguments or "{}", strict=False)
    except (ValueError, RecursionError):
        given = arguments
    if isinstance(given, dict):
        return given
    only = _only_text(parameters)
    if only is not None:
        return {only: arguments.strip()}
    shown = ", ".join(known) or "none"
    return ToolResult(
        text=f"Bad arguments for {name}: not a JSON object with the parameters as keys (parameters: {shown})",
        ok=False,
    )


def result_text(result: CallToolResult) -> str:
    """What a result says in words: its texts, else its structured content; of anything else that it was there."""
    parts = []
    for block in result.content:
        if block.type == "text":
            parts.append(block.text)
        else:
            parts.append(f"({block.type}: not shown)")
    if not any(part.strip() for part in parts) and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return "\n".join(parts)


def _only_text(parameters: Mapping[str, JsonValue]) -> str | None:
    properties, required = parameters.get("properties"), parameters.get("required")
    if not isinstance(properties, dict):
        return None
    names = [*required] if isinstance(required, list) and required else [*properties]
    if len(names) != 1 or not isinstance(names[0], str):
        return None
    schema = properties.get(names[0])
    return names[0] if isinstance(schema, dict) and schema.get("type") in (None, "string") else None


def _spec(server: str, tool: ServerTool) -> ToolSpec | None:
    """The tool as a model is shown it; None where its name or schema is not fit to be shown."""
    if not _TOOL_NAME.fullmatch(tool.name):
        return None
    description = " ".join(neutralised(tool.description or tool.title or "").split())
    if len(description) > DESCRIPTION_CHARS:
        description = f"{description[: DESCRIPTION_CHARS - 1]}…"
    try:
        schema = tool.input_schema or _NO_ARGUMENTS
        if len(json.dumps(schema)) > MAX_SCHEMA_CHARS:
            return None
    except (ValueError, RecursionError):
        return None
    return ToolSpec(name=f"{server}.{tool.name}", description=description, parameters=schema)


def _quoted(text: str, tool: str) -> str:
    return quote_untrusted(text, source=f"the tool {tool}", max_chars=RESULT_CHARS)
