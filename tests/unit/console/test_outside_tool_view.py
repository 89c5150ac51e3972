"""Tools of MCP servers at the terminal: what a person is asked, and what they see."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console

from mathagent.console.approval import Approver
from mathagent.console.render import SolveView
from mathagent.events import ToolFinished, ToolStarted
from mathagent.types import Approved, ApproveTool, Refused, Response


def page() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=200), out


@pytest.mark.parametrize(
    ("typed", "response"),
    [
        (["y"], Approved()),
        (["", "e", "yes"], Approved()),
        (["a"], Approved(always=True)),
        (["n", "no need"], Refused(reason="no need")),
    ],
)
async def test_a_tool_is_allowed_or_not(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], response: Response
) -> None:
    console, out = page()
    approver = Approver(console, asyncio.Event())

    async def read(question: str, **_: object) -> str:
        return typed.pop(0)

    monkeypatch.setattr(approver, "_read", read)
    given = '{"a": 1, "b": "\x1b[2J two"}'
    said = await approver(ApproveTool(tool="toy.add", description="Adds\x1b[2J two\nnumbers.", arguments=given))
    assert said == response
    assert typed == []
    shown = out.getvalue()
    assert "the tool toy.add says of itself: Adds" in shown
    assert 'it would be called with: {"a": 1, "b": " two"}' in shown
    assert "\x1b[2J" not in shown


def test_a_call_is_two_lines() -> None:
    console, out = page()
    with SolveView(console) as view:
        view.on_event(ToolStarted(tool="toy.add", arguments='{"a": 1}'))
        view.on_event(ToolFinished(tool="toy.add", ok=True, text="Quoted\n> 3"))
        view.on_event(ToolFinished(tool="toy.add", ok=False, text="it died"))
    assert out.getvalue().splitlines() == [
        'toy.add {"a": 1}',
        "toy.add gave Quoted > 3",
        "toy.add failed: it died",
    ]
