"""Many runs and sessions, some of them hostile, side by side: is each result its own, and is anything left?

usage: python benchmarks/sandbox_soak.py [--runs N] [--sessions N] [--at-once N] [--hostile SHARE] [--seed N]
                                         [--sandbox process|subprocess] [--ready N] [--grace-ms MS] [--growth-mb MB]

Checked: each program and session shows its own random token and no other; hostile programs end as they should;
time-outs end within --grace-ms of their limit, by the caller's clock (starting the run is included); and after the
soak, compared with the state after a warm-up, there are no more open files (ours and of the processes below us), no
more processes or zombies, no more than --growth-mb more memory (RSS; ours, and of the processes below us), and no
scratch folder. Orphans are seen too: we adopt them (one zombie of bwrap's from the probe at the start is usual).
Prints what happened in ten legs; exit code 1 where something did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import ctypes
import random
import re
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_left import Left

from mathagent.sandbox.base import Limits, Sandbox, Session
from mathagent.types import Execution

LEGS = 10
WARM_UP_SHARE = 0.02
BUSY_S = 0.5
SHORT = Limits(timeout_s=BUSY_S, memory_mb=512)
USUAL = Limits(timeout_s=60.0, cpu_s=60.0, memory_mb=512)
STUCK_S = 180.0
"""A run or session that takes longer hangs: its own limits are far below."""
SETTLE_S = 10.0
SHOWN = 20
PR_SET_CHILD_SUBREAPER = 36
TOKEN = re.compile(r"token-[0-9a-f]{32}")
HONEST = {
    "print": "print({token!r})",
    "sympy": "import sympy\nx = sympy.Symbol('x')\nassert sympy.solve(x**2 - {n}**2) == [-{n}, {n}]\nprint({token!r})",
    "error": "print({token!r})\nraise ValueError({token!r})",
    "file": "print(open('given.txt').read())\nopen('left.txt', 'w').write({token!r})",
    "value": "{token!r}",
}
HOSTILE: dict[str, tuple[str, tuple[str, ...]]] = {  # each prints its token first; and how it must end
    "busy loop": ("while True: pass", ("timeout",)),
    "memory bomb": (
        # in a function, so that a session that survives it has its memory back
        "def bomb():\n    kept = []\n    while True: kept.append(b'x' * 10**7)\nbomb()",
        ("memory",),
    ),
    "output flood": ("while True: print('flood ' * 1000)", ("output-limit",)),
    "sys.exit": ("import sys\nsys.exit(3)", ("error",)),
    "os._exit": ("import os\nos._exit(7)", ("error",)),
    "abort": ("import os\nos.abort()", ("crashed",)),
    # one-shot runs are refused the fork, others may leave a child that must die with the run
    "fork": ("import os, time\nif os.fork() == 0:\n    time.sleep(3600)", ("ok", "error")),
    "open files": ("import os\nkept = []\nwhile True: kept.append(os.dup(1))", ("error",)),
}
CELLS_THAT_KILL = ("busy loop", "os._exit", "abort", "memory bomb", "output flood")


@dataclass
class Tally:
    """What happened, without keeping a result: the soak must not grow by itself."""

    ended: collections.Counter[str] = field(default_factory=collections.Counter)
    violations: list[str] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    late_by_own_clock_ms: list[float] = field(default_factory=list)

    def expect(self, holds: bool, message: str) -> None:
        if not holds:
            self.violations.append(message)

    def check_own(self, what: str, token: str, execution: Execution, texts: list[str]) -> None:
        """Does ``execution`` show its own token, in each of ``texts``, and nobody else's anywhere?"""
        everything = [execution.stdout, execution.stderr, execution.value, execution.error, execution.traceback]
        everything += [content.decode("utf-8", "replace") for content in execution.files.values()]
        seen = {found for text in everything if text for found in TOKEN.findall(text)}
        self.expect(seen <= {token}, f"{what}: shows the token of another run")
        self.expect(all(token in text for text in texts), f"{what}: its token is missing: {_short(execution)}")

    def check_timeout(self, what: str, execution: Execution, call_s: float, grace_s: float) -> None:
        self.late_ms.append(1000 * (call_s - BUSY_S))
        self.late_by_own_clock_ms.append(1000 * (execution.wall_s - BUSY_S))
        self.expect(call_s >= BUSY_S, f"{what}: timed out {1000 * (BUSY_S - call_s):.0f} ms early")
        self.expect(
            call_s - BUSY_S <= grace_s,
            f"{what}: ended {1000 * (call_s - BUSY_S):.0f} ms after its limit "
            f"({1000 * (execution.wall_s - BUSY_S):.0f} by the sandbox's clock)",
        )


class Soak:
    """Runs and sessions against one sandbox."""

    def __init__(self, sandbox: Sandbox, tally: Tally, seed: int, hostile: float, grace_s: float) -> None:
        self.sandbox, self.tally, self.random = sandbox, tally, random.Random(seed)
        self.hostile, self.grace_s = hostile, grace_s

    async def leg(self, runs: int, sessions: int, at_once: int) -> None:
        """Does so many runs and sessions, mixed, ``at_once`` at a time."""
        todo: list[Callable[[], Coroutine[None, None, None]]] = [self.one_run] * runs + [
            self.one_session
        ] * sessions
        self.random.shuffle(todo)

        async def client() -> None:
            while todo:
                await self.attempt(todo.pop())

        await asyncio.gather(*(client() for _ in range(at_once)))

    async def attempt(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await asyncio.wait_for(work(), STUCK_S)
        except Exception as error:  # noqa: BLE001 - whatever the sandbox raises is a violation, told at the end
            self.tally.expect(False, f"{work.__name__}: raised {type(error).__name__}: {error}")

    async def last_run(self) -> None:
        execution = await self.sandbox.run("6 * 7")
        self.tally.expect(execution.value == "42", f"the sandbox is dead after the soak: {_short(execution)}")

    async def one_run(self) -> None:
        if self.random.random() < self.hostile:
            await self._hostile_run(self.random.choice(list(HOSTILE)))
        else:
            await self._honest_run(self.random.choice(list(HONEST)))

    async def _honest_run(self, name: str) -> None:
        token = _token()
        code = HONEST[name].format(token=token, n=self.random.randrange(2, 10**6))
        with_files = name == "file"
        files, fetch = ({"given.txt": token.encode()}, ["left.txt"]) if with_files else ({}, [])
        execution = await self.sandbox.run(code, USUAL, files, fetch=fetch)
        wanted = "error" if name == "error" else "ok"
        self.tally.ended[f"run, {name}: {execution.status}"] += 1
        self.tally.expect(execution.status == wanted, f"run, {name}: {_short(execution)}")
        texts = [(execution.value or "") if name == "value" else execution.stdout]
        if with_files:
            texts.append(execution.files.get("left.txt", b"").decode("utf-8", "replace"))
        self.tally.check_own(f"run, {name}", token, execution, texts)

    async def _hostile_run(self, name: str) -> None:
        token, (body, ends) = _token(), HOSTILE[name]
        start = time.perf_counter()
        limits = SHORT if name == "busy loop" else USUAL
        execution = await self.sandbox.run(f"print({token!r}, flush=True)\n{body}", limits)
        call_s = time.perf_counter() - start
        self.tally.ended[f"hostile, {name}: {execution.status}"] += 1
        self.tally.expect(execution.status in ends, f"hostile, {name}: {_short(execution)}")
        self.tally.check_own(f"hostile, {name}", token, execution, [execution.stdout])
        if execution.status == "timeout":
            self.tally.check_timeout(f"hostile, {name}", execution, call_s, self.grace_s)

    async def one_session(self) -> None:
        """Three cells that count on each other, perhaps a snapshot, perhaps a cell that kills the process."""
        token, opened = _token(), []
        hostile = self.random.choice(CELLS_THAT_KILL) if self.random.random() < self.hostile else ""
        branches = self.random.random() < 0.3
        try:
            session = await self.sandbox.session(SHORT if hostile == "busy loop" else USUAL)
            opened.append(session)
            await self._cell(session, token, f"token, count = {token!r}, 1\n(token, count)", 1)
            await self._cell(session, token, "count += 1\n(token, count)", 2)
            if hostile:
                await self._hostile_cell(session, token, hostile)
            if branches:
                branch = await session.snapshot()
                opened.append(branch)
                await self._cell(branch, token, "count += 10\n(token, count)", 12)
            await self._cell(session, token, "count += 1\n(token, count)", 3)
        finally:
            for session in opened:
                await session.aclose()
        self.tally.ended[
            "session" + (", hostile" if hostile else "") + (", with snapshot" if branches else "")
        ] += 1

    async def _cell(self, session: Session, token: str, code: str, count: int) -> None:
        execution = await session.run(code)
        right = execution.ok and execution.value == f"({token!r}, {count})"
        self.tally.expect(right, f"cell: not ({token}, {count}) but {_short(execution)}")
        self.tally.check_own("cell", token, execution, [])

    async def _hostile_cell(self, session: Session, token: str, name: str) -> None:
        start = time.perf_counter()
        execution = await session.run(f"print(token, flush=True)\n{HOSTILE[name][0]}")
        call_s = time.perf_counter() - start
        self.tally.ended[f"hostile cell, {name}: {execution.status}"] += 1
        self.tally.expect(execution.status in HOSTILE[name][1], f"hostile cell, {name}: {_short(execution)}")
        self.tally.check_own(f"hostile cell, {name}", token, execution, [execution.stdout])
        if execution.status == "timeout":
            self.tally.check_timeout(f"hostile cell, {name}", execution, call_s, self.grace_s)


def _token() -> str:
    return f"token-{secrets.token_hex(16)}"


def _short(execution: Execution) -> str:
    return f"{execution.status}, value {str(execution.value)[:90]}, error {str(execution.error)[:200]}"


def open_sandbox(given: argparse.Namespace) -> Sandbox:
    """The sandbox to be soaked; nothing waits for a place in it, so that the caller's clock is the run's."""
    places = 2 * given.at_once  # a session and its snapshot
    if given.sandbox == "process":
        from mathagent.sandbox.process import ProcessSandbox

        return ProcessSandbox(max_parallel=places, ready=given.ready)
    from mathagent.sandbox.fresh_process import FreshProcessSandbox

    return FreshProcessSandbox(max_parallel=places)


async def settled(before: Left, growth_mb: float) -> Left:
    """What is held once what is still ending has ended."""
    deadline = time.monotonic() + SETTLE_S
    left = Left.now()
    while left.more_than(before, growth_mb) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        left = Left.now()
    return left


async def soak(given: argparse.Namespace, tally: Tally) -> None:
    sandbox = open_sandbox(given)
    work = Soak(sandbox, tally, given.seed, given.hostile, given.grace_ms / 1000)
    start = time.perf_counter()
    try:
        warm_up = Soak(sandbox, tally, given.seed + 1, 0.5, work.grace_s)  # meets every kind, so that it is warm
        await warm_up.leg(
            max(40, int(given.runs * WARM_UP_SHARE)), max(8, int(given.sessions * WARM_UP_SHARE)), given.at_once
        )
        await asyncio.sleep(1.0)
        before = Left.now()
        print(f"after the warm-up ({time.perf_counter() - start:.1f} s): {before}")
        start = time.perf_counter()
        for leg in range(LEGS):
            runs, sessions = (
                total * (leg + 1) // LEGS - total * leg // LEGS for total in (given.runs, given.sessions)
            )
            await work.leg(runs, sessions, given.at_once)
            left = await settled(before, given.growth_mb)
            print(f"leg {leg + 1:2} ({time.perf_counter() - start:6.1f} s): {left}", flush=True)
        tally.violations += [f"left: {text}" for text in left.more_than(before, given.growth_mb)]
        await work.attempt(work.last_run)
    finally:
        await sandbox.aclose()
    closed = await settled(Left(before.files, 0, 0, 0, 1e9, 1e9), given.growth_mb)
    print(f"closed: {closed}")
    tally.expect(closed.processes == 0, f"left after closing: {closed.processes} processes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--hostile", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sandbox", choices=("process", "subprocess"), default="process")
    parser.add_argument("--ready", type=int, default=0, help="size of the pool of ready processes")
    parser.add_argument("--grace-ms", type=float, default=200.0)
    parser.add_argument("--growth-mb", type=float, default=16.0)
    given = parser.parse_args()
    # orphans come to us instead of to process 1, where nobody would see them
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        parser.error("this system does not let us adopt orphans; the soak needs Linux")
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="mathagent-soak-") as folder:
        tempfile.tempdir = folder
        asyncio.run(soak(given, tally))
        if left := [path.name for path in Path(folder).iterdir()]:
            tally.violations.append(f"left: {len(left)} scratch folders, {left[0]} among them")
    print_summary(tally)
    sys.exit(1 if tally.violations else 0)


def print_summary(tally: Tally) -> None:
    for what, count in sorted(tally.ended.items()):
        print(f"{count:7} {what}")
    for clock, late_ms in (("caller", tally.late_ms), ("sandbox", tally.late_by_own_clock_ms)):
        if late_ms:
            print(
                f"time-outs by the {clock}'s clock: {len(late_ms)}, after their limit by p50 "
                f"{statistics.median(late_ms):.0f}, max {max(late_ms):.0f} ms"
            )
    for violation in tally.violations[:SHOWN]:
        print(f"VIOLATION {violation}")
    print(f"{len(tally.violations)} violations")


if __name__ == "__main__":
    main()
