"""The bridge to synchronous callers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from mathagent import _sync


async def double(value: int) -> int:
    await asyncio.sleep(0)
    return 2 * value


def test_runs_and_raises() -> None:
    async def fail() -> None:
        raise ValueError("no")

    assert _sync.run(double(21)) == 42
    with pytest.raises(ValueError, match="no"):
        _sync.run(fail())


async def test_works_inside_a_running_loop() -> None:
    assert _sync.run(double(2)) == 4


def test_all_calls_share_one_loop_from_any_thread() -> None:
    loops: list[object] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    threads = [threading.Thread(target=lambda: _sync.run(note())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(loops) == 8
    assert len(set(loops)) == 1


def test_our_loop_runs_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(threading.Thread):
        def run(self) -> None:
            time.sleep(0.05)  # on a busy machine a thread begins its work so late
            super().run()

    monkeypatch.setattr(_sync, "_loop", None)
    monkeypatch.setattr(_sync, "_thread", None)
    monkeypatch.setattr(threading, "Thread", Late)
    loop = _sync.HomeLoop().settle()
    assert loop.is_running()
    loop.call_soon_threadsafe(loop.stop)


def test_its_own_loop_is_refused_at_once_instead_of_waiting_for_itself() -> None:
    async def inside() -> None:
        _sync.run(double(1))

    with pytest.raises(RuntimeError, match="await the async function"):
        _sync.run(inside())


def test_iterate_yields_in_order_and_closes_early() -> None:
    closed = threading.Event()

    async def count() -> AsyncIterator[int]:
        try:
            for number in range(100):
                yield number
        finally:
            closed.set()

    assert list(_sync.iterate(count())) == list(range(100))
    closed.clear()
    items = _sync.iterate(count())
    assert next(items) == 0
    assert not closed.is_set()
    items.close()  # type: ignore[attr-defined]
    assert closed.is_set()


def test_iterate_passes_errors_on() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ValueError("no")

    items = _sync.iterate(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no"):
        next(items)


def test_ctrl_c_cancels_and_waits_for_the_cleanup() -> None:
    program = """
    import asyncio, os, signal, threading
    from mathagent import _sync

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it

    async def long():
        try:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)
            print("cleaned up", flush=True)

    try:
        _sync.run(long())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split("\n") == ["cleaned up", "interrupted", ""], done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_a_loop_of_its_own() -> None:
    _sync.run(double(1))
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that hangs ends by itself
        os._exit(_sync.run(double(3)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 6


# Objects that live on a loop


class Counter:
    """Says which thread counts."""

    def __init__(self) -> None:
        self.home = _sync.HomeLoop()
        self.threads: list[threading.Thread] = []

    @_sync.at_home
    async def count(self, by: int = 1) -> int:
        await asyncio.sleep(0)
        self.threads.append(threading.current_thread())
        return by

    async def numbers(self, most: int) -> AsyncIterator[int]:
        for number in range(most):
            self.threads.append(threading.current_thread())
            yield number

    count_sync = _sync.twin(count)
    numbers_sync = _sync.iterating_twin(numbers)


async def test_the_first_use_decides_where_it_lives() -> None:
    counter = Counter()
    assert await counter.count() == 1
    assert await asyncio.to_thread(counter.count_sync, by=2) == 2
    assert await asyncio.to_thread(lambda: asyncio.run(counter.count(3))) == 3
    assert await asyncio.to_thread(lambda: list(counter.numbers_sync(2))) == [0, 1]
    assert set(counter.threads) == {threading.current_thread()}


def test_of_synchronous_code_it_lives_on_the_shared_loop() -> None:
    counter = Counter()
    assert counter.count_sync() == 1
    assert asyncio.run(counter.count(2)) == 2
    assert list(counter.numbers_sync(3)) == [0, 1, 2]
    assert len(set(counter.threads)) == 1
    assert threading.current_thread() not in counter.threads


async def test_in_ipython_it_lives_on_the_shared_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=object))
    counter = Counter()
    assert await counter.count() == 1
    assert counter.count_sync() == 1  # though this thread's loop runs
    assert threading.current_thread() not in counter.threads


def test_a_loop_that_stands_still_is_refused() -> None:
    counter, loop = Counter(), asyncio.new_event_loop()
    assert loop.run_until_complete(counter.count()) == 1
    with pytest.raises(RuntimeError, match="stands still"):
        counter.count_sync()
    loop.close()
    assert counter.home.has_ended
    with pytest.raises(RuntimeError, match="has ended"):
        asyncio.run(counter.count())


async def test_errors_and_context_variables_cross_over() -> None:
    from contextvars import ContextVar

    variable: ContextVar[str] = ContextVar("variable", default="nothing")

    async def read() -> str:
        if variable.get() == "bad":
            raise ValueError("bad")
        return variable.get()

    loop = _sync.shared_loop()
    variable.set("something")
    assert await _sync.run_on(loop, read()) == "something"
    variable.set("bad")
    with pytest.raises(ValueError, match="bad"):
        await _sync.run_on(loop, read())


async def test_a_cancellation_crosses_over_and_waits_for_the_cleanup() -> None:
    begun, cleaned = threading.Event(), threading.Event()

    async def long() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    task = asyncio.create_task(_sync.run_on(_sync.shared_loop(), long()))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned.is_set()
