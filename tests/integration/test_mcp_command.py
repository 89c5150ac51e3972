"""mathagent mcp as hosts meet it: a child process on stdin and stdout, a server on HTTP; and the other direction."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mathagent.cli import run

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "toy_mcp_server.py"
EXAMPLE = ROOT / "examples" / "mcp_client.py"
PROGRAM = "```python\ndef solution():\n    print('noise')\n    return 6 * 7\n```"
QUESTION = "What is 6*7?"
KEY = "a-key-of-20-letters!"
START_S = 120


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([PROGRAM]), encoding="utf-8")
    return f"script:{path}"


def request(number: int, method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


INITIALIZE = request(
    1, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "test", "version": "1"}
)
INITIALIZED = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n'


async def test_stdio_holds_nothing_but_the_protocol_and_ends_with_its_client(script: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mathagent", "mcp", "-m", script, "-s", "pal"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    call = request(2, "tools/call", name="solve", arguments={"problem": QUESTION}, _meta={"progressToken": "p"})
    process.stdin.write(INITIALIZE + INITIALIZED + b"this is no JSON\n" + call)
    await process.stdin.drain()
    lines: list[dict[str, Any]] = []
    async with asyncio.timeout(START_S):
        while not (lines and lines[-1].get("id") == 2):
            lines.append(json.loads(await process.stdout.readline()))
        process.stdin.close()
        rest = await process.stdout.read()
        assert await process.wait() == 0
    assert rest == b""
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    progress = [line["params"]["message"] for line in lines if line.get("method") == "notifications/progress"]
    assert any(line.startswith("program: ok 42") for line in progress)
    assert lines[-1]["result"]["structuredContent"]["answer"] == "42"


async def test_sigterm_ends_the_server_and_its_programs(script: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mathagent", "mcp", "-m", script),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(INITIALIZE)
    async with asyncio.timeout(START_S):
        await process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 128 + signal.SIGTERM


@asynccontextmanager
async def http_server(script: str, *options: str, key: str | None = None) -> AsyncIterator[str]:
    """The URL of a running server."""
    env = {**os.environ, **({"MATHAGENT_SERVER_KEY": key} if key else {})}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mathagent", "mcp", "--http", "--port", "0", "-m", script, "-s", "pal", *options),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
    )
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            line = (await process.stderr.readline()).decode()
        assert line.startswith("MCP server of mathagent at http://127.0.0.1:"), line
        yield line.split()[-1]
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(START_S):
            assert await process.stdout.read() == b""
            assert await process.wait() == 0


async def test_streamable_http_with_a_key(script: str) -> None:
    told: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with http_server(script, key=KEY) as url:
        body = INITIALIZE.strip()
        headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        good = {**headers, "Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(timeout=60) as plain:
            assert (await plain.post(url, content=body, headers=headers)).status_code == 401
            assert (
                await plain.post(url, content=body, headers={**good, "Host": "evil.example"})
            ).status_code == 421
            assert (
                await plain.post(url, content=body, headers={**good, "Origin": "http://evil.example"})
            ).status_code == 403
            assert (await plain.post(url, content=b" " * (5 * 2**20), headers=good)).status_code == 413
            assert (await plain.post(url, content=body, headers=good)).status_code == 200
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as http:
            for mode in ("auto", "legacy"):
                async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                    graded = await client.call_tool("grade", {"answer": "1/2", "reference": "0.5"})
                    assert graded.structured_content["verdict"] == "equal"
            async with Client(streamable_http_client(url, http_client=http)) as client:
                solved = await client.call_tool("solve", {"problem": QUESTION}, progress_callback=on_progress)
                assert solved.structured_content["answer"] == "42"
    assert any("program: ok 42" in line for line in told)


def test_the_example_runs(script: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), QUESTION, "-m", script, "-s", "pal"],
        capture_output=True,
        text=True,
        timeout=2 * START_S,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "tools: solve, check, grade, run_python, symbolic, recall" in done.stdout
    assert "answer: 42" in done.stdout
    assert "execution holds" in done.stdout
    assert "in a session: {2: 3, 3: 2, 5: 1}" in done.stdout


def toy_config(own_home: Path, *modes: str) -> None:
    text = "".join(
        f"[mcp.servers.{mode or 'toy'}]\ncommand = {json.dumps(sys.executable)}\n"
        f"args = {json.dumps(['-I', '-S', str(TOY), mode])}\ntrusted = {'false' if mode else 'true'}\n"
        for mode in modes
    )
    (own_home / "config.toml").write_text(text, encoding="utf-8")


def test_mcp_tools_lists_what_the_servers_offer(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy_config(own_home, "", "dies")
    assert run(["mcp", "tools"]) == 1
    shown = capsys.readouterr().out
    assert "toy.add" in shown
    assert "Adds two numbers." in shown
    assert "dies: " in shown
    assert "no licence file" in shown
    assert run(["mcp", "tools", "--json"]) == 1
    toy, dies = json.loads(capsys.readouterr().out)
    assert toy["trusted"] is True
    assert [tool["name"] for tool in toy["tools"]][:2] == ["toy.add", "toy.shout"]
    assert dies["tools"] == []


def test_mcp_tools_without_servers_says_where_to_write_them(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["mcp", "tools"]) == 0
    assert "[mcp.servers.NAME]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "1"], "are for --http"),
        (["-s", "nonsense"], "no strategy is named 'nonsense'"),
        (["--http", "--host", "0.0.0.0", "--port", "0"], "MATHAGENT_SERVER_KEY"),
        (["--budget-seconds", "0"], "--budget-seconds must be greater than 0"),
        (["--memory-mode", "often"], "--memory-mode"),
    ],
)
def test_wrong_options_are_named(
    script: str, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(["mcp", "-m", script, *arguments]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert out == ""
