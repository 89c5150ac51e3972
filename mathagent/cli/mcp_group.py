"""The group of commands ``mathagent mcp``: parsing only (cli/mcp.py does the work)."""

from __future__ import annotations

from typing import Annotated

import typer

from mathagent.cli.options import (
    AsJson,
    BaseUrl,
    BudgetCalls,
    BudgetSeconds,
    BudgetTokens,
    MemoryFile,
    MemoryModeOption,
    Model,
    NoCache,
    Sandbox,
    UnsafeLocal,
    budget_of,
    memory_mode_of,
    sandbox_name,
)

mcp_app = typer.Typer(
    help="Serve the solver to MCP hosts (stdin/stdout, or --http); tools: what the servers in the config file offer.",
    invoke_without_command=True,
)


@mcp_app.callback()
def mcp(
    context: typer.Context,
    model: Model = None,
    base_url: BaseUrl = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", "-s", help="How problems are solved where a client names no strategy."),
    ] = None,
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP, not stdin and stdout.")] = False,
    host: Annotated[
        str | None, typer.Option(help="Address to listen at (127.0.0.1); others need MATHAGENT_SERVER_KEY.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port to listen at (8766); 0: any.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name by which clients reach the server; may be repeated.")
    ] = None,
    max_solves: Annotated[int, typer.Option(min=1, help="Solves at the same time; more wait.")] = 2,
    budget_tokens: BudgetTokens = None,
    budget_seconds: BudgetSeconds = None,
    budget_calls: BudgetCalls = None,
    memory: MemoryFile = None,
    memory_mode: MemoryModeOption = None,
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
    no_cache: NoCache = False,
) -> int:
    """Serve the solver to MCP hosts: solve, check, grade, run_python, symbolic, recall."""
    if context.invoked_subcommand is not None:
        return 0
    from mathagent.cli.mcp import McpArguments, mcp_command

    return mcp_command(
        McpArguments(
            model=model,
            base_url=base_url,
            strategy=strategy,
            http=http,
            host=host,
            port=port,
            allow_host=tuple(allow_host or ()),
            max_solves=max_solves,
            budget=budget_of(budget_tokens, budget_seconds, budget_calls),
            memory=memory,
            memory_mode=memory_mode_of(memory, memory_mode),
            sandbox=sandbox_name(sandbox, unsafe_local, interactive=False),
            cache=not no_cache,
        )
    )


@mcp_app.command("tools")
def mcp_tools(as_json: AsJson = False) -> int:
    """List what the MCP servers in the config file offer; exit code 1 if one of them fails."""
    from mathagent.cli.mcp import tools_command

    return tools_command(as_json=as_json)
