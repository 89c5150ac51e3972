from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.models.adaptive_limit import AdaptiveLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


class Holders:
    """Requests that stay in flight until they are let go."""

    def __init__(self, limit: AdaptiveLimit) -> None:
        self.limit = limit
        self.rounds: list[int] = []
        self._ends: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def begin(self, count: int) -> None:
        async def hold(end: asyncio.Event) -> None:
            async with self.limit.slot() as begun:
                self.rounds.append(begun)
                await end.wait()

        for _ in range(count):
            self._ends.append(asyncio.Event())
            self.tasks.append(asyncio.create_task(hold(self._ends[-1])))
        await settle()

    async def end(self, count: int) -> None:
        for _ in range(count):
            self._ends.pop(0).set()
        await settle()


async def test_no_bound_until_the_endpoint_asks_to_slow_down_then_half_once_a_round() -> None:
    limit = AdaptiveLimit(Clock())
    held = Holders(limit)
    await held.begin(16)
    assert limit.in_flight == 16
    for _ in range(5):
        limit.refused(held.rounds[0])  # all of one round
    assert limit.bound == 8
    await held.begin(4)
    assert limit.in_flight == 16  # they wait
    await held.end(9)
    assert limit.in_flight == 8
    limit.refused(held.rounds[-1])
    assert limit.bound == 4
    await held.end(11)
    await asyncio.gather(*held.tasks)
    assert limit.in_flight == 0


async def test_successes_raise_the_bound_by_one_a_round_until_there_is_none() -> None:
    limit = AdaptiveLimit(Clock())
    held = Holders(limit)
    await held.begin(4)
    limit.refused(0)
    assert limit.bound == 2
    limit.succeeded()
    limit.succeeded()
    assert limit.bound is not None
    assert 2.8 < limit.bound < 3
    for _ in range(20):
        limit.succeeded()
    assert limit.bound is None
    await held.end(4)


async def test_nobody_is_let_in_before_the_time_that_was_asked_for() -> None:
    limit = AdaptiveLimit()
    held = Holders(limit)
    await held.begin(1)
    limit.refused(0, retry_after_s=0.05)
    await held.end(1)
    await held.begin(1)
    assert limit.in_flight == 0
    async with asyncio.timeout(10):
        while not limit.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await held.end(1)


async def test_who_is_cancelled_while_waiting_takes_no_slot() -> None:
    limit = AdaptiveLimit(Clock())
    held = Holders(limit)
    await held.begin(2)
    limit.refused(0)
    await held.begin(2)
    held.tasks[2].cancel()
    await held.end(2)
    assert limit.in_flight == 1
    await held.end(2)
    await asyncio.gather(*held.tasks, return_exceptions=True)
    assert limit.in_flight == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["ok", "refused", "cancel"]), min_size=1, max_size=60))
def test_every_request_gets_its_turn_and_gives_its_slot_back(ends: list[str]) -> None:
    async def main() -> None:
        limit = AdaptiveLimit(Clock())

        async def one(how: str) -> None:
            async with limit.slot() as begun:
                assert limit.in_flight <= max(1, limit.peak)
                await asyncio.sleep(0)
                limit.refused(begun) if how == "refused" else limit.succeeded()

        tasks = [asyncio.create_task(one(how)) for how in ends]
        await asyncio.sleep(0)
        for task, how in zip(tasks, ends, strict=True):
            if how == "cancel":
                task.cancel()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks, return_exceptions=True)
        assert limit.in_flight == 0

    asyncio.run(main())


async def test_a_pause_that_ends_while_it_is_looked_at_wakes_who_waits() -> None:
    class Passing(Clock):
        def __call__(self) -> float:
            now, self.now = self.now, self.now + 0.6
            return now

    clock = Clock()
    limit = AdaptiveLimit(clock)
    holders = Holders(limit)
    await holders.begin(1)
    limit.refused(0, 1.0)
    await holders.end(1)
    limit._clock = Passing()  # 0, 0.6, 1.2: the pause of 1 s is over at the third look
    await holders.begin(1)
    await asyncio.sleep(1.1)
    assert len(holders.rounds) == 2
    await holders.end(1)
