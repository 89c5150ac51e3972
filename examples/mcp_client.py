"""An MCP client of mathagent: solves a problem, has the certificate run again, and computes on in a Python session.

    python examples/mcp_client.py "What is 6*7?"
    python examples/mcp_client.py "What is 6*7?" --url http://127.0.0.1:8766/mcp --key "$MATHAGENT_SERVER_KEY"

Without --url it starts the server as its own process (stdio), as desktop assistants do; what stands behind the problem
goes to `mathagent mcp`, such as -m openai:gpt-4o-mini. Needs the extra mcp: pip install 'mathagent[mcp]'.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client


def server_of(options: argparse.Namespace, more: list[str], http: httpx2.AsyncClient) -> Any:
    """What the client connects to: a URL, or a command that it starts."""
    if options.url:
        return streamable_http_client(options.url, http_client=http)
    # A started server sees few of our variables; those of mathagent are handed on.
    env = {name: value for name, value in os.environ.items() if name.startswith(("MATHAGENT_", "OPENAI_"))}
    return StdioServerParameters(command=sys.executable, args=["-m", "mathagent", "mcp", *more], env=env)


async def show_progress(progress: float, total: float | None, message: str | None) -> None:
    """One line for each step of the solve."""
    print(f"  {progress:g}. {message}")


async def main(options: argparse.Namespace, more: list[str]) -> None:
    """Talks to the server."""
    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=600) as http,
        Client(server_of(options, more, http)) as client,
    ):

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            result = await client.call_tool(tool, arguments, progress_callback=show_progress)
            if result.is_error:
                sys.exit(f"{tool}: {result.content[0].text}")  # type: ignore[union-attr]
            return dict(result.structured_content)

        print("tools:", ", ".join(tool.name for tool in (await client.list_tools()).tools))
        solved = await call("solve", problem=options.problem)
        print(f"answer: {solved['answer']} (confidence {solved['confidence']}, {solved['usage']['calls']} calls)")
        if solved["answer"] is None:
            return
        checked = await call(
            "check", problem=options.problem, answer=solved["answer"], certificate=solved["certificate"]
        )
        outcomes = ", ".join(f"{one['kind']} {one['outcome']}" for one in checked["checks"]) or "no checks"
        print(f"checked again without a model: {checked['judgement']} ({outcomes})")
        session = (await call("run_python", code="from sympy import *\nn = 360", session="new"))["session"]
        factors = await call("run_python", code="factorint(n)", session=session)
        print(f"in a session: {factors['value']}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Solves a problem over MCP.")
    parser.add_argument("problem")
    parser.add_argument("--url", help="a running server; else one is started")
    parser.add_argument("--key", help="its bearer key")
    given, rest = parser.parse_known_args()
    asyncio.run(main(given, rest))
