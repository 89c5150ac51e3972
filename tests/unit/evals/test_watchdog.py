"""The watchdog ends a task that blocks the loop, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import pytest

from mathagent.evals.watchdog import Blocked, Watchdog

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no signal to wake the main thread by")


async def sleeps() -> None:
    time.sleep(60)  # noqa: ASYNC251 - the very thing that a strategy must not do


async def computes() -> None:
    while True:
        pass


@pytest.mark.parametrize("blocks", [sleeps, computes])
async def test_what_blocks_is_ended_and_others_go_on(blocks: object) -> None:
    async def patient() -> str:
        await asyncio.sleep(0.05)
        return "done"

    with Watchdog(0.5):
        waiting = asyncio.ensure_future(patient())
        with pytest.raises(Blocked, match="blocked the whole program"):
            await asyncio.ensure_future(blocks())  # type: ignore[operator]
        assert await waiting == "done"


async def test_what_goes_on_blocking_is_ended_again() -> None:
    caught = 0

    async def stubborn() -> None:
        nonlocal caught
        for _ in range(2):
            try:
                time.sleep(60)  # noqa: ASYNC251
            except Blocked:
                caught += 1

    with Watchdog(0.3):
        await asyncio.ensure_future(stubborn())
    assert caught == 2


async def test_waiting_is_not_blocking_and_the_old_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGUSR2)
    with Watchdog(0.1):
        await asyncio.sleep(0.6)
    assert signal.getsignal(signal.SIGUSR2) is before
