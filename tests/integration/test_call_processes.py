"""CallPool with real processes: deadlines, death, cancellation, concurrency, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mathagent.errors import WorkerError
from mathagent.sandbox import call_worker, calls
from mathagent.sandbox.calls import CallPool

COMPARE = "mathagent.answers.equality:compare"
MONSTER = ("x^{x^{9999999999}}", "x")
"""A power that Python's big integers work on for minutes without giving the interpreter back."""


@pytest.fixture
async def pool() -> AsyncIterator[CallPool]:
    pool = CallPool(workers=2)
    yield pool
    await pool.aclose()


def pids(pool: CallPool) -> set[int]:
    return {worker._process.pid for worker in (*pool._idle, *pool._busy)}


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        return "State:\tZ" not in status.read_text()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return not Path("/proc").exists()
    return False


def wait_until_gone(wanted: set[int], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in wanted):
        assert time.monotonic() < deadline, "a worker process outlived its pool"
        time.sleep(0.05)


async def test_results_come_back_and_the_worker_stays_warm(pool: CallPool) -> None:
    assert await pool.call(COMPARE, "(x+1)^2", "x^2+2x+1") == ["equal", "by computer algebra"]
    first = pids(pool)
    assert await pool.call(COMPARE, "(x+1)^2", "x^2+2x+2", True) == ["different", "by computer algebra"]
    assert pids(pool) == first


async def test_a_hanging_call_is_killed_at_its_deadline(pool: CallPool) -> None:
    await pool.call(COMPARE, "x", "y")
    before = pids(pool)
    started = time.monotonic()
    with pytest.raises(WorkerError, match=r"ran past 0.5 s") as raised:
        await pool.call(COMPARE, *MONSTER, timeout_s=0.5)
    assert raised.value.timed_out
    assert time.monotonic() - started < 10
    wait_until_gone(before)
    assert (await pool.call(COMPARE, "x+x", "2x"))[0] == "equal"  # type: ignore[index]


async def test_starting_and_queueing_do_not_count_against_the_deadline() -> None:
    pool = CallPool(workers=1)
    try:
        # One worker, 15 calls: start and queue take far longer than what each call has.
        results = await asyncio.gather(
            *(pool.call(COMPARE, f"(x+{i})^2", f"x^2+{2 * i}x+{i * i}", timeout_s=2) for i in range(15))
        )
    finally:
        await pool.aclose()
    assert [result[0] for result in results] == ["equal"] * 15  # type: ignore[index]


async def test_concurrent_calls_get_their_own_results(pool: CallPool) -> None:
    results = await asyncio.gather(
        *(pool.call(COMPARE, f"(x+{i % 7})^2", f"x^2+{2 * (i % 5)}x+{(i % 5) ** 2}") for i in range(70))
    )
    expected = ["equal" if i % 7 == i % 5 else "different" for i in range(70)]
    assert [result[0] for result in results] == expected  # type: ignore[index]
    assert len(pids(pool)) <= 2


async def test_a_killed_worker_is_replaced(pool: CallPool) -> None:
    await pool.call(COMPARE, "x", "y")
    for pid in pids(pool):
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert (await pool.call(COMPARE, "x+x", "2x"))[0] == "equal"  # type: ignore[index]


async def test_a_worker_that_dies_during_a_call_is_an_error_not_a_hang(pool: CallPool) -> None:
    await pool.call(COMPARE, "x", "y")
    call = asyncio.ensure_future(pool.call(COMPARE, *MONSTER, timeout_s=30))
    await asyncio.sleep(0.3)
    for pid in pids(pool):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match="died") as raised:
        await call
    assert not raised.value.timed_out


async def test_cancelling_a_call_kills_its_worker(pool: CallPool) -> None:
    await pool.call(COMPARE, "x", "y")
    before = pids(pool)
    call = asyncio.ensure_future(pool.call(COMPARE, *MONSTER, timeout_s=60))
    await asyncio.sleep(0.3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    wait_until_gone(before)
    assert (await pool.call(COMPARE, "x+x", "2x"))[0] == "equal"  # type: ignore[index]


async def test_closing_kills_busy_workers_and_is_safe_twice(pool: CallPool) -> None:
    call = asyncio.ensure_future(pool.call(COMPARE, *MONSTER, timeout_s=60))
    await asyncio.sleep(3)
    before = pids(pool)
    assert before
    await pool.aclose()
    await pool.aclose()
    with pytest.raises(WorkerError):
        await call
    wait_until_gone(before)


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux only")
@pytest.mark.parametrize("memory_mb", [40, 100])
async def test_too_little_memory_is_an_error_and_the_worker_is_replaced(
    pool: CallPool, monkeypatch: pytest.MonkeyPatch, memory_mb: int
) -> None:
    monkeypatch.setattr(calls, "MEMORY_MB", memory_mb)
    with pytest.raises(WorkerError, match=r"out of memory|died") as raised:
        await pool.call(COMPARE, r"2^{\lfloor 268435456.5\rfloor}\cdot\sqrt{2}", "x", timeout_s=100)
    assert not raised.value.timed_out
    assert pids(pool) == set()
    monkeypatch.undo()
    assert (await pool.call(COMPARE, "x+x", "2x"))[0] == "equal"  # type: ignore[index]


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are inherited on Linux")
async def test_a_worker_of_a_large_process_is_not_spent(pool: CallPool) -> None:
    large = bytearray(700 * 2**20)  # what we ever held counts as the peak of a process that we start
    large[::4096] = b"x" * len(large[::4096])
    del large
    await pool.call(COMPARE, "x", "y")
    first = pids(pool)
    await pool.call(COMPARE, "x", "y")
    assert pids(pool) == first != set()


async def test_workers_are_recycled(monkeypatch: pytest.MonkeyPatch, pool: CallPool) -> None:
    monkeypatch.setattr(calls, "MAX_CALLS", 2)
    seen = set()
    for _ in range(4):
        await pool.call(COMPARE, "x", "y")
        seen |= pids(pool)
    assert len(seen) == 2


@pytest.mark.parametrize(
    "function",
    ["os:system", "builtins:eval", "mathagent.answers.equality", "mathagent.answers.equality:_short", "x"],
)
async def test_only_functions_of_ours_can_be_called(pool: CallPool, function: str) -> None:
    with pytest.raises(WorkerError, match="not a public function"):
        await pool.call(function, "ls")
    assert pids(pool) == set()


async def test_an_imported_name_is_no_function_of_the_module(pool: CallPool) -> None:
    with pytest.raises(WorkerError, match=r"not a function of mathagent\.answers\.equality"):
        await pool.call("mathagent.answers.equality:parse_form", "x")


async def test_a_failing_function_is_an_error_and_the_worker_lives_on(pool: CallPool) -> None:
    with pytest.raises(WorkerError, match="TypeError") as raised:
        await pool.call(COMPARE, 1)
    assert not raised.value.timed_out
    assert len(pids(pool)) == 1


async def test_overlong_arguments_are_refused(pool: CallPool) -> None:
    with pytest.raises(WorkerError, match="bytes"):
        await pool.call(COMPARE, "x" * (call_worker.MAX_FRAME + 1), "y")


def test_one_pool_serves_several_event_loops() -> None:
    pool = CallPool(workers=1)

    async def twice() -> list[object]:
        return list(await asyncio.gather(*(pool.call(COMPARE, "x+x", "2x") for _ in range(3))))

    for _ in range(2):
        assert asyncio.run(twice()) == [["equal", "by computer algebra"]] * 3
    asyncio.run(pool.aclose())


def test_workers_see_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("reads /proc")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-test")

    async def call(pool: CallPool) -> None:
        await pool.call(COMPARE, "x", "y")

    pool = CallPool()
    asyncio.run(call(pool))
    try:
        environment = Path(f"/proc/{pids(pool).pop()}/environ").read_bytes()
    finally:
        asyncio.run(pool.aclose())
    assert environment
    assert b"secret" not in environment


PARENT = """
import asyncio, sys
from mathagent.sandbox.calls import CallPool
async def main():
    pool = CallPool(workers=2)
    await pool.call("mathagent.answers.equality:compare", "x", "y")
    monster = ("x^{x^{9999999999}}", "x")
    busy = [asyncio.ensure_future(pool.call("mathagent.answers.equality:compare", *monster, timeout_s=100))]
    while len(pool._busy) < 1: await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
    await pool.call("mathagent.answers.equality:compare", "x", "y")
    print(*(worker._process.pid for worker in (*pool._idle, *pool._busy)), flush=True)
    await asyncio.gather(*busy)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_workers_die_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        workers = {int(pid) for pid in parent.stdout.readline().split()}
        assert len(workers) == 2
        assert all(is_running(pid) for pid in workers)
    finally:
        parent.kill()
        parent.wait()
    wait_until_gone(workers)
