"""McpConnection: one running MCP server, from its start to its end.

The SDK's client lives in scopes that one task must enter and leave. So a task of its own holds each connection, and
others call through it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from mathagent.errors import ResourceError
from mathagent.tools.mcp_config import McpServerConfig
from mathagent.tools.redaction import Redactor

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult
    from mcp_types import Tool as ServerTool

Result = TypeVar("Result")

MAX_PAGES = 20
MAX_TOOLS = 256
STDERR_CHARS = 2_000
CLOSE_S = 10.0
"""Seconds that ending a server may take: the SDK asks, terminates, then kills; the last resort is to leave it."""


class McpServerError(ResourceError):
    """A server cannot be started or reached, did not answer in time, broke off, or speaks no MCP."""


class McpConnection:
    """A connection that is opened at once, to server ``name``; ``transport`` replaces what ``config`` says (tests).

    It is ``broken`` once a call ended otherwise than with a result; whoever holds it closes it then. ``answered`` says
    whether it has ever worked.
    """

    def __init__(self, name: str, config: McpServerConfig, transport: Any = None) -> None:
        self.name, self.config = name, config
        self.broken = self.answered = False
        self.calls = 0
        self._transport = transport
        self._redact = Redactor(_secrets(config))
        self._errors = _Tail(self._redact)
        self._client: Client | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._end = asyncio.Event()
        self._task = asyncio.ensure_future(self._hold())

    async def tools(self) -> list[ServerTool]:
        """What the server offers. Raises McpServerError."""
        listed = await self._within(self._listed(), self.config.start_s, "said nothing of its tools")
        self.answered = True
        return listed

    async def call(self, tool: str, arguments: dict[str, Any], seconds: float) -> CallToolResult:
        """The result of one call. Raises McpServerError; the connection is broken then.

        A call that is cancelled, or not answered in time, is cancelled at the server, too.
        """
        self.calls += 1
        try:
            return await self._within(self._called(tool, arguments), seconds, f"did not answer {tool}")
        except BaseException:
            self.broken = True
            raise
        finally:
            self.calls -= 1

    async def aclose(self) -> None:
        """Ends the connection and the server's process; safe to call twice."""
        self.broken = True
        self._end.set()
        if not self._ready.done():
            self._task.cancel()
        with suppress(asyncio.CancelledError):
            _, pending = await asyncio.wait({self._task}, timeout=CLOSE_S)
            for task in pending:
                task.cancel()
        self._errors.close()

    async def _hold(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                self._client = await stack.enter_async_context(await self._opened(stack))
                if not self._ready.done():
                    self._ready.set_result(None)
                await self._end.wait()
        except asyncio.CancelledError:
            self._fail(McpServerError(f"the MCP server {self.name} was stopped while it started"))
            raise
        except BaseException as error:  # whatever a server, or a transport, may do: an ExceptionGroup, as a rule
            self._fail(self._named(error))
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
        finally:
            self.broken = True

    async def _opened(self, stack: AsyncExitStack) -> AbstractAsyncContextManager[Client]:
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import stdio_client
        from mcp.client.streamable_http import streamable_http_client
        from mcp_types import Implementation

        from mathagent import __version__

        config, transport = self.config, self._transport
        if transport is None and config.url:
            from mcp.shared._httpx_utils import create_mcp_http_client

            http = await stack.enter_async_context(create_mcp_http_client(headers=config.headers))
            transport = streamable_http_client(config.url, http_client=http)
        elif transport is None:
            parameters = StdioServerParameters(
                command=config.command,
                args=list(config.args),
                env=config.env,
                cwd=config.cwd,
                encoding_error_handler="replace",
            )
            transport = stdio_client(parameters, errlog=self._errors.opened())
        return Client(transport, client_info=Implementation(name="mathagent", version=__version__), cache=None)

    async def _listed(self) -> list[ServerTool]:
        await asyncio.shield(self._ready)
        assert self._client is not None
        found: list[ServerTool] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if cursor is None or len(found) >= MAX_TOOLS:
                break
        return found[:MAX_TOOLS]

    async def _called(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        await asyncio.shield(self._ready)
        assert self._client is not None
        return await self._client.call_tool(tool, arguments)

    async def _within(self, work: Coroutine[Any, Any, Result], seconds: float, otherwise: str) -> Result:
        """``work``, unless the connection ends or ``seconds`` pass. Raises McpServerError."""
        working = asyncio.ensure_future(work)
        try:
            await asyncio.wait({working, self._task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if self._task.done():
                raise McpServerError(f"the MCP server {self.name} has ended{self._errors.words()}")
            raise McpServerError(
                f"the MCP server {self.name} {otherwise} within {seconds:g} s{self._errors.words()}"
            )
        except Exception as error:  # the SDK raises its own, pydantic's, httpx's and anyio's
            raise self._named(error) from error
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def _fail(self, error: McpServerError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # it may be that nobody waits for it

    def _named(self, error: BaseException) -> McpServerError:
        if isinstance(error, McpServerError):
            return error
        while isinstance(error, BaseExceptionGroup) and error.exceptions:
            error = error.exceptions[0]
        if isinstance(error, McpServerError):
            return error
        text = self._redact(" ".join((str(error) or type(error).__name__).split()))[:400]
        if isinstance(error, ModuleNotFoundError):
            text = f"{text}; install what it needs with: pip install 'mathagent[mcp]'"
        elif isinstance(error, FileNotFoundError):
            text = f"there is no command '{self.config.command}' here"
        return McpServerError(f"the MCP server {self.name} failed: {text}{self._errors.words()}")


def _secrets(config: McpServerConfig) -> list[str]:
    """What of ``config`` may be a key: the headers, which libraries quote in their errors, and the variables; each
    whole, as it is without the blanks around it, and without a scheme such as "Bearer" before it."""
    given = [*config.headers.values(), *config.env.values()]
    return [form for value in given for form in (value, value.strip(), *value.split()[-1:])]


class _Tail:
    """The end of what a server writes to stderr: it must not reach our terminal, but says why a server has died."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._read = -1
        self._file: TextIO | None = None
        self._text = b""

    def opened(self) -> TextIO:
        read, write = os.pipe()
        os.set_blocking(read, False)
        self._read = read
        file = self._file = os.fdopen(write, "w")
        asyncio.get_running_loop().add_reader(read, self._take)
        return file

    def words(self) -> str:
        """The last line, in words that follow an error."""
        self._take()
        lines = self._text.decode(errors="replace").split("\n")
        last = next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")
        last = self._redact("".join(c for c in last if c.isprintable()))
        return f" (its last words: {last[:300]})" if last else ""

    def close(self) -> None:
        if self._read < 0:
            return
        self._take()
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
        self._read = -1
        if self._file is not None:
            self._file.close()

    def _take(self) -> None:
        if self._read < 0:
            return
        with suppress(BlockingIOError):
            for _ in range(4):  # who writes without end must not hold the loop
                self._text = (self._text + os.read(self._read, 65_536))[-STDERR_CHARS:]
