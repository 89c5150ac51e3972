"""One problem through all four doors, Python, HTTP, MCP and the command line: the same answer, certificate and usage.

The budget is the same, too, as a part of what is asked: servers bound the time of each solve, and against a clock this
strategy asks for its first sample alone. The web page asks at the HTTP door.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from mcp import Client, StdioServerParameters

from mathagent.budget import Budget
from mathagent.solver import Solver

QUESTION = "How many apples are in 6 bags of 7 apples?"
STRATEGY = "self-consistency(over=pal, n=3, stop=none)"
REPLIES = [
    "Each bag holds 7.\n```python\ndef solution():\n    return 6 * 7\n```",
    "Oh.\n```python\ndef solution():\n    return 6 + 7\n```",
    "Count them.\n```python\ndef solution():\n    return sum(7 for _ in range(6))\n```",
]
SECONDS = 500.0
START_S = 600  # a bound for a machine that is busy, nothing that is measured
BUDGET = {"max_seconds": SECONDS}
MATHAGENT = [sys.executable, "-m", "mathagent"]


class Doors:
    """The scripted model, and a home of its own for each door: none sees what another has cached or remembered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def script(self, times: int = 1) -> str:
        path = self._folder / f"replies-{times}.json"
        path.write_text(json.dumps(REPLIES * times), encoding="utf-8")
        return f"script:{path}"

    def environment(self, door: str) -> dict[str, str]:
        hidden = ("MATHAGENT_", "OPENAI_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        return {**kept, "MATHAGENT_HOME": str(self._folder / door)}


@pytest.fixture
def doors(tmp_path: Path, own_home: Path) -> Doors:
    return Doors(tmp_path)


def told(door: Any) -> dict[str, Any]:
    """What all doors must agree on, of a Solution (or what the MCP tool gives of one) as JSON."""
    same = ("answer", "confidence", "confidence_basis", "stopped", "usage")
    seen = ("kind", "program", "expected", "outcome", "claim")
    checks = [{name: check[name] for name in seen} for check in door["certificate"]]
    return {**{name: door[name] for name in same}, "checks": checks}


async def by_python(doors: Doors) -> dict[str, Any]:
    async with Solver(doors.script(), cache=False) as solver:
        solution = await solver.solve(QUESTION, STRATEGY, budget=Budget(max_seconds=SECONDS))
    return solution.model_dump(mode="json")


def by_command_line(doors: Doors) -> dict[str, Any]:
    command = [*MATHAGENT, "solve", QUESTION, "-s", STRATEGY, "-m", doors.script(), "--no-cache", "--json"]
    command += ["--budget-seconds", str(SECONDS)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=START_S, env=doors.environment("cli"), check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


async def by_mcp(doors: Doors) -> tuple[dict[str, Any], dict[str, Any]]:
    """What its ``solve`` gives, and what its ``check`` says of the certificate."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mathagent", "mcp", "-m", doors.script(), "--no-cache"],
        env=doors.environment("mcp"),
    )
    async with asyncio.timeout(START_S), Client(server) as client:
        asked = {"problem": QUESTION, "strategy": STRATEGY, "max_seconds": SECONDS}
        solved = await client.call_tool("solve", asked)
        assert not solved.is_error, solved.content
        found = dict(solved.structured_content)  # type: ignore[arg-type]
        again = {"problem": QUESTION, "answer": found["answer"], "certificate": found["certificate"]}
        checked = await client.call_tool("check", again)
        assert not checked.is_error, checked.content
    return found, dict(checked.structured_content)  # type: ignore[arg-type]


@contextmanager
def serving(doors: Doors) -> Iterator[str]:
    """The URL of the HTTP server."""
    command = [
        *MATHAGENT,
        "serve",
        "--port",
        "0",
        "-m",
        doors.script(times=3),
        "--no-cache",
        "--log-level",
        "error",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=doors.environment("http"))
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("serving at http://"), said
        yield said.split()[-1]
    finally:
        process.terminate()
        process.wait(60)


def by_http(url: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The Solution alone, the one that ends a stream of events, and what verifying the first says."""
    body = {"problem": QUESTION, "strategy": STRATEGY, "budget": BUDGET}
    with httpx.Client(base_url=url, timeout=START_S) as http:
        whole = http.post("/v1/solve", json={**body, "stream": False}).json()
        events = http.post("/v1/solve", json=body).text.replace("\r\n", "\n").split("\n\n")
        last = next(one for one in events if one.startswith("id: ") and "event: solve-finished" in one)
        streamed = json.loads(last.partition("data: ")[2])["solution"]
        verified = http.post(f"/v1/solutions/{whole['solve_id']}/verify").json()
    return whole, streamed, verified


def by_openai_client(url: str) -> Any:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none is asked for") as client:
        return client.chat.completions.create(
            model=STRATEGY,
            messages=[{"role": "user", "content": QUESTION}],
            extra_body={"mathagent": {"budget": BUDGET}},
        )


@pytest.mark.timeout(3 * START_S)
async def test_one_problem_through_all_doors(doors: Doors) -> None:
    own = await by_python(doors)
    expected = told(own)
    assert expected["answer"] == "42"
    assert expected["usage"]["calls"] == 3
    assert [check["outcome"] for check in expected["checks"]] == ["holds", "holds"]

    assert told(by_command_line(doors)) == expected

    by_tool, checked = await by_mcp(doors)
    assert told(by_tool) == expected
    outcomes = [(check["program"], check["outcome"]) for check in checked["checks"]]
    assert outcomes == [(check["program"], check["outcome"]) for check in expected["checks"]]

    with serving(doors) as url:
        whole, streamed, verified = await asyncio.to_thread(by_http, url)
        reply = await asyncio.to_thread(by_openai_client, url)
    assert told(whole) == told(streamed) == expected
    assert [(check["program"], check["outcome"]) for check in verified["checks"]] == outcomes
    assert reply.choices[0].message.content == expected["answer"]
    assert reply.usage.prompt_tokens == expected["usage"]["prompt_tokens"]
    assert reply.usage.completion_tokens == expected["usage"]["completion_tokens"]
    beside = reply.mathagent
    assert beside["usage"] == expected["usage"]
    assert beside["confidence"] == expected["confidence"]
    seen = [(check["kind"], check["outcome"], check["claim"]) for check in expected["checks"]]
    assert [(check["kind"], check["outcome"], check["claim"]) for check in beside["checks"]] == seen
