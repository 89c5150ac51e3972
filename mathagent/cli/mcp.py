"""mathagent mcp: the solver as an MCP server; and what the MCP servers of the config file offer."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import typer
from rich.console import Console

from mathagent.agents.solver_memory import MemoryMode
from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.errors import UsageError
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.tools.mcp_config import McpServerConfig, read_mcp_servers
from mathagent.tools.mcp_servers import McpServers, Offered
from mathagent.types import Value

DEFAULT_MEMORY_MODE: MemoryMode = "read"
"""Assistants solve what they are told to; what comes of it is remembered only where the user says so."""
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8766


class McpArguments(Value):
    """The parsed arguments."""

    model: str | None
    base_url: str | None
    strategy: str | None
    http: bool
    host: str | None
    port: int | None
    allow_host: tuple[str, ...]
    max_solves: int
    budget: Budget
    memory: Path | None
    memory_mode: MemoryMode | None
    sandbox: str
    cache: bool


def mcp_command(arguments: McpArguments) -> int:
    """Serves until the client goes (stdin ends) or, with --http, until the process is told to end."""
    _require_sdk()
    for_http = ("host", "port", "allow_host")
    if not arguments.http and any(getattr(arguments, name) not in (None, ()) for name in for_http):
        raise UsageError(
            "--host, --port and --allow-host are for --http; without it the client is at stdin and stdout"
        )
    if arguments.strategy is not None:
        STRATEGIES.load(arguments.strategy)
    asyncio.run(_serve(arguments))
    return 0


async def _serve(arguments: McpArguments) -> None:
    from mathagent.mcp.service import MathService, ServiceLimits
    from mathagent.mcp.serving import serve_http, serve_stdio
    from mathagent.solver import Solver

    mode = arguments.memory_mode or DEFAULT_MEMORY_MODE
    async with Solver(
        arguments.model,
        base_url=arguments.base_url,
        sandbox=arguments.sandbox,
        cache=arguments.cache,
        memory=arguments.memory if mode != "off" else None,
        memory_mode=mode,
    ) as solver:
        service = MathService(
            solver,
            strategy=arguments.strategy or DEFAULT_STRATEGY,
            budget=arguments.budget,
            limits=ServiceLimits(solves=arguments.max_solves),
            memory=arguments.memory,
        )

        async def close() -> None:
            try:
                await service.aclose()
            finally:
                await solver.aclose()

        try:
            if not arguments.http:
                await serve_stdio(service, close)
                return
            key = settings().server_key
            await serve_http(
                service,
                host=DEFAULT_HOST if arguments.host is None else arguments.host,
                port=DEFAULT_PORT if arguments.port is None else arguments.port,
                key=None if key is None else key.get_secret_value(),
                allowed_hosts=arguments.allow_host,
                on_listening=lambda url: typer.echo(f"MCP server of mathagent at {url}", err=True),
            )
        finally:
            await service.aclose()


def tools_command(*, as_json: bool) -> int:
    """Shows each server of the config file and its tools."""
    path = settings().config_path
    configs = read_mcp_servers(path)
    if configs:
        _require_sdk()
    offered = asyncio.run(_offered(configs))
    if as_json:
        rows = [
            {
                "place": configs[one.server].place,
                "trusted": configs[one.server].trusted,
                **one.model_dump(mode="json"),
            }
            for one in offered
        ]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    else:
        _show(Page(Console()), path, configs, offered)
    return 0 if all(one.tools or not one.problem for one in offered) else 1


async def _offered(configs: dict[str, McpServerConfig]) -> list[Offered]:
    servers = McpServers(configs)
    try:
        return await servers.offered()
    finally:
        await servers.aclose()


def _show(page: Page, path: Path, configs: dict[str, McpServerConfig], offered: list[Offered]) -> None:
    if not configs:
        page.line(f"no MCP server is set up; write [mcp.servers.NAME] into {path}")
    for one in offered:
        config = configs[one.server]
        trusted = "trusted" if config.trusted else "asks before the first call of a tool"
        page.line(f"{one.server}: {one_line(config.place, 80)} ({trusted})", style="bold")
        if one.problem:
            page.line(one_line(one.problem, 400), style="magenta")
        if one.tools:
            page.table([(tool.name, one_line(tool.description, 200), "") for tool in one.tools])


def _require_sdk() -> None:
    if find_spec("mcp") is None:
        raise UsageError("the MCP SDK is not here; install it with: pip install 'mathagent[mcp]'")
