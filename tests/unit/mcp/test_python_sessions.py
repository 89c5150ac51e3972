"""Python sessions by their ids: kept apart, few, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from mathagent.errors import UsageError
from mathagent.mcp.python_sessions import PythonSessions
from mathagent.sandbox.base import Limits
from tests.hosted_sandbox import HostedSandbox


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def sandbox() -> HostedSandbox:
    return HostedSandbox()


def sessions(sandbox: HostedSandbox, clock: Clock, most: int = 2) -> PythonSessions:
    return PythonSessions(sandbox, Limits(), most=most, idle_s=60, clock=clock)


async def test_names_are_kept_within_a_session_only(sandbox: HostedSandbox) -> None:
    open_ones = sessions(sandbox, Clock())
    first, _ = await open_ones.run("new", "keep x")
    second, _ = await open_ones.run("new", "keep y")
    assert len({first, second}) == 2
    assert len(first) > 20
    assert (await open_ones.run(first, "names"))[1].value == "x"
    await open_ones.aclose()
    assert sandbox.sessions == 0


async def test_one_left_alone_is_closed(sandbox: HostedSandbox) -> None:
    clock = Clock()
    open_ones = sessions(sandbox, clock)
    first, _ = await open_ones.run("new", "keep x")
    clock.now = 61.0
    with pytest.raises(UsageError, match="no such session"):
        await open_ones.run(first, "names")
    assert sandbox.sessions == 0


async def test_ones_left_alone_are_closed_though_nobody_calls(sandbox: HostedSandbox) -> None:
    open_ones = PythonSessions(sandbox, Limits(), most=3, idle_s=0.05)
    working = asyncio.ensure_future(open_ones.run("new", "sleep 3600"))
    await open_ones.run("new", "keep y")
    await open_ones.run("new", "keep z")
    while len(open_ones) > 1:  # noqa: ASYNC110 - the test's own time limit ends a wait in vain
        await asyncio.sleep(0.01)
    assert sandbox.sessions == 1  # the one at work
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    while len(open_ones):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert sandbox.sessions == 0
    await open_ones.run("new", "keep w")  # and the next ones are, too
    while len(open_ones):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await open_ones.aclose()


async def test_the_one_left_alone_longest_makes_room(sandbox: HostedSandbox) -> None:
    clock = Clock()
    open_ones = sessions(sandbox, clock)
    first, _ = await open_ones.run("new", "keep a")
    clock.now = 1.0
    second, _ = await open_ones.run("new", "keep b")
    clock.now = 2.0
    await open_ones.run(first, "names")
    await open_ones.run("new", "keep c")
    assert len(open_ones) == 2
    assert (await open_ones.run(first, "names"))[1].value == "a"
    with pytest.raises(UsageError, match="no such session"):
        await open_ones.run(second, "names")


async def test_one_at_work_is_never_closed(sandbox: HostedSandbox) -> None:
    clock = Clock()
    open_ones = sessions(sandbox, clock, most=1)
    first, _ = await open_ones.run("new", "keep a")
    working = asyncio.ensure_future(open_ones.run(first, "sleep 3600"))
    await asyncio.sleep(0)
    clock.now = 100.0
    with pytest.raises(UsageError, match="1 sessions are at work"):
        await open_ones.run("new", "keep b")
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert (await open_ones.run(first, "names"))[1].value == "a"
