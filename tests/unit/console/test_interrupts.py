import asyncio
import os
import signal

import pytest

from mathagent.console.interrupts import Interruptible


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def test_the_first_asks_for_the_best_so_far() -> None:
    told: list[str] = []

    async def work(interrupt: asyncio.Event) -> str:
        press_ctrl_c()
        await interrupt.wait()
        return "best so far"

    with Interruptible() as interruptible:
        assert await interruptible.run(work, lambda: told.append("told")) == "best so far"
    assert told == ["told"]


async def test_the_second_cancels() -> None:
    async def stubborn(interrupt: asyncio.Event) -> str:
        press_ctrl_c()
        await interrupt.wait()
        press_ctrl_c()
        await asyncio.sleep(60)
        return "too late"

    with Interruptible() as interruptible:
        assert await interruptible.run(stubborn, lambda: None) is None

        async def next_work(interrupt: asyncio.Event) -> bool:
            return interrupt.is_set()

        assert await interruptible.run(next_work, lambda: None) is False, "each run starts afresh"


async def test_between_runs_the_signal_does_nothing_and_afterwards_it_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruptible():
        press_ctrl_c()
        await asyncio.sleep(0.05)
    assert signal.getsignal(signal.SIGINT) is before


async def test_errors_pass_through() -> None:
    async def fails(interrupt: asyncio.Event) -> None:
        raise ValueError("as it was")

    with Interruptible() as interruptible, pytest.raises(ValueError, match="as it was"):
        await interruptible.run(fails, lambda: None)


async def test_cancelling_run_cancels_the_work() -> None:
    cancelled = asyncio.Event()

    async def work(interrupt: asyncio.Event) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with Interruptible() as interruptible:
        task = asyncio.ensure_future(interruptible.run(work, lambda: None))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(cancelled.wait(), 5)
