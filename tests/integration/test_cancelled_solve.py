"""A solve that is cancelled stops its calls to the model and leaves no program of a model running."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mathagent.errors import SandboxError
from mathagent.events import CodeStarted, Event
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.process import ProcessSandbox
from mathagent.sandbox.process_tree import descendants
from mathagent.solver import Solver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process sandbox is Linux's")

ENDLESS = "```python\ndef solution():\n    while True:\n        pass\n```"
QUICK = "```python\ndef solution():\n    return 1\n```"
LONG = {"timeout_s": 60}
SLOW_ENOUGH = 60.0
"""Seconds that a busy machine may take; nothing here waits that long by itself."""


def busy_beside(before: set[int]) -> set[int]:
    """New processes under ours that have computed for a tenth of a second: programs that run, no clones that wait."""
    found = set()
    for pid in set(descendants(os.getpid(), 1000)) - before:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            ticks = int(stat.rpartition(")")[2].split()[11])  # its CPU time in user mode
        except (OSError, IndexError):
            continue
        if ticks >= os.sysconf("SC_CLK_TCK") / 10:
            found.add(pid)
    return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SLOW_ENOUGH):
        while not holds():  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.02)


async def ended_early(begin: Callable[[Solver], Awaitable[Callable[[], Awaitable[None]]]]) -> None:
    """Begins an endless solve, waits for its program to run, ends it, and sees that the program is gone at once."""
    backend = ScriptedBackend(lambda request, sample: QUICK if "warm up" in str(request.messages) else ENDLESS)
    async with Solver(backend, sandbox=ProcessSandbox(), cache=False, checkpoints=False) as solver:
        try:
            assert (await solver.solve("warm up", "pal", config=LONG)).answer == "1"
        except SandboxError as error:
            pytest.skip(f"no process sandbox here: {error}")
        before = set(descendants(os.getpid(), 1000))
        end = await begin(solver)
        await until(lambda: bool(busy_beside(before)))
        running = busy_beside(before)
        asked = len(backend.requests)
        await end()
        await until(lambda: not running & set(descendants(os.getpid(), 1000)))
        assert len(backend.requests) == asked
        assert (await solver.solve("warm up", "pal", config=LONG)).answer == "1"  # the solver is as good as before
        await solver.sandbox.aclose()


async def test_cancelling_a_solve_kills_its_program() -> None:
    async def begin(solver: Solver) -> Callable[[], Awaitable[None]]:
        task = asyncio.create_task(solver.solve("x", "pal", config={"n": 2, **LONG}))

        async def end() -> None:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        return end

    await ended_early(begin)


async def test_closing_a_stream_kills_its_program() -> None:
    async def begin(solver: Solver) -> Callable[[], Awaitable[None]]:
        events = solver.stream("x", "pal", config=LONG)
        async for event in events:
            if isinstance(event, CodeStarted):
                break
        return events.aclose

    await ended_early(begin)


async def test_closing_many_solves_kills_their_programs() -> None:
    async def begin(solver: Solver) -> Callable[[], Awaitable[None]]:
        many = solver.solve_many(["x", "y", "z"], "pal", concurrency=2, config=LONG)
        first = asyncio.create_task(anext(many))

        async def end() -> None:
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await many.aclose()

        return end

    await ended_early(begin)


async def test_cancelling_on_another_loop_ends_it_on_the_solvers_own() -> None:
    """As a web framework or an agent framework does that has a loop of its own in another thread."""
    stopped = threading.Event()

    async def wait(request: ChatRequest, solver_loop: asyncio.AbstractEventLoop) -> None:
        assert asyncio.get_running_loop() is solver_loop
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    class Waiting(ScriptedBackend):
        async def complete(self, request: ChatRequest, on_delta: object = None) -> list:  # type: ignore[type-arg, override]
            asked.set()
            await wait(request, home)
            return []

    home, asked = asyncio.get_running_loop(), threading.Event()
    errors: list[BaseException] = []

    def elsewhere(solver: Solver) -> None:
        async def cancelled() -> None:
            task = asyncio.create_task(solver.solve("x", "cot"))
            await asyncio.to_thread(asked.wait, SLOW_ENOUGH)
            task.cancel()
            await task

        try:
            asyncio.run(cancelled())
        except BaseException as error:  # it belongs to the other thread's caller
            errors.append(error)

    async with Solver(Waiting([Reply()]), cache=False, checkpoints=False) as solver:
        await asyncio.to_thread(elsewhere, solver)
    assert isinstance(errors[0], asyncio.CancelledError)
    assert stopped.is_set()


async def test_events_of_a_stream_on_another_loop_arrive_in_order() -> None:
    def listen(solver: Solver) -> list[Event]:
        async def heard() -> list[Event]:
            return [event async for event in solver.stream("x", "cot")]

        return asyncio.run(heard())

    async with Solver(ScriptedBackend(["\\boxed{1}"] * 2), cache=False, checkpoints=False) as solver:
        here = [event.kind async for event in solver.stream("x", "cot")]
        there = [event.kind for event in await asyncio.to_thread(listen, solver)]
    assert here == there
    assert there[-1] == "solve-finished"
