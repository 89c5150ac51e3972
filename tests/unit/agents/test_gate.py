"""Turns: how many at once, how many wait, who is sent away."""

from __future__ import annotations

import asyncio

import pytest

from mathagent.agents.gate import Busy, Closing, Gate
from tests.unit.server.served import until


async def test_turns_come_in_order_and_no_more_run_than_allowed() -> None:
    gate, order, most = Gate(at_once=2, waiting=10, longest_s=60), list[int](), 0

    async def work(number: int) -> None:
        nonlocal most
        async with gate.entered():
            order.append(number)
            most = max(most, gate.running)
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, range(8)))
    assert order == list(range(8))
    assert most == 2
    assert (gate.running, gate.waiting) == (0, 0)


async def test_who_comes_when_the_queue_is_full_is_sent_away() -> None:
    gate = Gate(at_once=1, waiting=0, longest_s=60)
    async with gate.entered():
        with pytest.raises(Busy, match="1 solves run") as busy:
            gate.check()
        assert busy.value.retry_after_s >= 1
    gate.check()


async def test_who_leaves_the_queue_leaves_nothing_behind() -> None:
    gate = Gate(at_once=1, waiting=5, longest_s=60)

    async def work() -> None:
        async with gate.entered():
            pass

    async with gate.entered():
        waiting = [asyncio.ensure_future(work()) for _ in range(3)]
        await until(lambda: gate.waiting == 3)
        waiting[0].cancel()
        waiting[2].cancel()
    await asyncio.wait(waiting)
    assert [one.cancelled() for one in waiting] == [True, False, True]
    assert (gate.running, gate.waiting) == (0, 0)
    async with gate.entered():
        assert gate.running == 1


async def test_nobody_waits_longer_than_allowed() -> None:
    gate = Gate(at_once=1, waiting=5, longest_s=0.01)
    async with gate.entered():
        with pytest.raises(Busy, match="no turn came"):
            async with gate.entered():
                pass
    async with gate.entered():
        assert gate.running == 1


async def test_closing_sends_away_who_waits_and_who_comes() -> None:
    gate = Gate(at_once=1, waiting=5, longest_s=60)

    async def work() -> None:
        async with gate.entered():
            pass

    async with gate.entered():
        waiting = asyncio.ensure_future(work())
        await until(lambda: gate.waiting == 1)
        gate.close()
        with pytest.raises(Closing):
            await waiting
        with pytest.raises(Closing):
            gate.check()
        assert gate.running == 1
