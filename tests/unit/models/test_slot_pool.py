from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.models.slot_pool import SlotPool


async def test_takes_what_is_free_and_never_more() -> None:
    pool = SlotPool(4)
    assert (await pool.take(3)).count == 3
    assert (await pool.take(5)).count == 1


async def test_first_come_first_served_even_where_a_later_one_wants_less() -> None:
    pool = SlotPool(2)
    held = await pool.take(2)
    order: list[str] = []

    async def ask(name: str, up_to: int) -> None:
        taken = await pool.take(up_to)
        order.append(f"{name}{taken.count}")

    tasks = [asyncio.create_task(ask("a", 4)), asyncio.create_task(ask("b", 1))]
    await asyncio.sleep(0)
    held.give_back()
    await asyncio.sleep(0.01)
    assert order == ["a1"]
    held.give_back()
    await asyncio.gather(*tasks)
    assert order == ["a1", "b1"]


async def test_giving_back_too_often_frees_nothing_more() -> None:
    pool = SlotPool(1)
    held = await pool.take(1)
    held.give_back()
    held.give_back()
    held.give_back_all()
    assert (await pool.take(2)).count == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pool.take(1), 0.02)


@settings(deadline=None, max_examples=30)
@given(
    size=st.integers(1, 5),
    wishes=st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=20),
)
def test_slots_are_neither_lost_nor_invented(size: int, wishes: list[tuple[int, bool]]) -> None:
    async def scenario() -> None:
        pool, in_use = SlotPool(size), 0

        async def use(up_to: int) -> None:
            nonlocal in_use
            taken = await pool.take(up_to)
            assert 1 <= taken.count <= up_to
            in_use += taken.count
            assert in_use <= size
            try:
                await asyncio.sleep(0)
            finally:
                in_use -= taken.count
                taken.give_back_all()

        tasks = [asyncio.create_task(use(up_to)) for up_to, _ in wishes]
        await asyncio.sleep(0)
        for task, (_, cancel) in zip(tasks, wishes, strict=True):
            if cancel:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(error is None or isinstance(error, asyncio.CancelledError) for error in results), results
        assert (await pool.take(size)).count == size

    asyncio.run(scenario())
