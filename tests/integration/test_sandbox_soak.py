"""Some hundred runs and sessions side by side, some hostile: each shows its own token, and nothing is left.

The same with 10,000 runs, and with clocks: benchmarks/sandbox_soak.py.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest

from mathagent.errors import SandboxError
from mathagent.sandbox import process_tree
from mathagent.sandbox.base import Limits
from mathagent.sandbox.process import ProcessSandbox

pytestmark = pytest.mark.own_zygotes  # one that is lent would be there still

RUNS, SESSIONS, AT_ONCE = 200, 20, 8
LIMITS = Limits(timeout_s=60.0, cpu_s=60.0, memory_mb=512)
SHORT = Limits(timeout_s=0.5, memory_mb=512)
HOSTILE = {  # program → how it may end
    "while True: pass": {"timeout"},
    "kept = []\nwhile True: kept.append(b'x' * 10**7)": {"memory"},
    "while True: print('flood ' * 1000)": {"output-limit"},
    "import sys\nsys.exit(3)": {"error"},
    "import os\nos._exit(7)": {"error"},
    "import os\nos.abort()": {"crashed"},
    # where a fork is allowed, the child must die with the run
    "import os, time\nif os.fork() == 0: time.sleep(3600)": {"ok", "error"},
    "import os\nkept = []\nwhile True: kept.append(os.dup(1))": {"error"},
}


@pytest.fixture
def not_ours() -> set[int]:
    """Processes that other tests of this worker keep (a model's server, say)."""
    return below_us()


@pytest.fixture
async def sandbox(
    not_ours: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProcessSandbox]:
    scratches = tmp_path / "scratches"
    scratches.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratches))
    sandbox = ProcessSandbox(max_parallel=2 * AT_ONCE)
    try:
        await sandbox.run("1")
    except SandboxError as error:
        pytest.skip(f"no process sandbox here: {error}")
    yield sandbox
    await sandbox.aclose()
    assert list(scratches.iterdir()) == [], "a scratch folder was left"


async def honest_run(sandbox: ProcessSandbox) -> None:
    token = secrets.token_hex(16)
    execution = await sandbox.run(f"print({token!r})\n{token!r}", LIMITS)
    assert (execution.status, execution.value, execution.stdout) == ("ok", token, token + "\n")


async def hostile_run(sandbox: ProcessSandbox, program: str) -> None:
    token = secrets.token_hex(16)
    limits = SHORT if program.startswith("while True: pass") else LIMITS
    execution = await sandbox.run(f"print({token!r}, flush=True)\n{program}", limits)
    assert execution.status in HOSTILE[program], execution
    assert execution.stdout.startswith(token + "\n")


async def whole_session(sandbox: ProcessSandbox, is_hostile: bool) -> None:
    token = secrets.token_hex(16)
    session = await sandbox.session(LIMITS)
    assert (await session.run(f"token, count = {token!r}, 1\n(token, count)")).value == f"({token!r}, 1)"
    if is_hostile:
        assert (await session.run("import os\nos._exit(7)")).status == "error"
    branch = await session.snapshot()
    assert (await branch.run("count += 10\n(token, count)")).value == f"({token!r}, 11)"
    assert (await session.run("count += 1\n(token, count)")).value == f"({token!r}, 2)"
    await session.aclose()
    await branch.aclose()


def held() -> tuple[int, int]:
    """Our open descriptors, and the processes below us."""
    return len(list(Path("/proc/self/fd").iterdir())), len(process_tree.descendants(os.getpid(), 1000))


def below_us() -> set[int]:
    return set(process_tree.descendants(os.getpid(), 1000))


def name_of(pid: int) -> str:
    """What a process was started as, for the message of a test that failed."""
    try:
        return f"{pid}: {Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='replace')}"
    except OSError:
        return f"{pid}: gone by now"


async def side_by_side(todo: list[Callable[[], Coroutine[None, None, None]]]) -> None:
    async def client() -> None:
        while todo:
            await todo.pop()()

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


async def test_each_result_is_its_own_and_nothing_is_left(sandbox: ProcessSandbox, not_ours: set[int]) -> None:
    hostile = [lambda p=program: hostile_run(sandbox, p) for program in HOSTILE]
    honest = [lambda: honest_run(sandbox)] * (RUNS - len(hostile))
    sessions = [lambda n=number: whole_session(sandbox, n % 10 == 0) for number in range(SESSIONS)]
    await side_by_side([*hostile, *honest[:AT_ONCE], *sessions[:AT_ONCE]])  # whatever is opened once, is open now
    before = held()
    todo = [*hostile, *honest, *sessions]
    random.Random(0).shuffle(todo)
    await side_by_side(todo)
    for _ in range(100):
        if all(now <= then for now, then in zip(held(), before, strict=True)):
            break
        await asyncio.sleep(0.1)
    files, processes = held()
    assert (files <= before[0], processes <= before[1]) == (True, True), f"{before} before, {held()} after"
    await sandbox.aclose()
    for _ in range(100):  # a process that was told to end takes its time on a busy machine
        if not (left := below_us() - not_ours):
            break
        await asyncio.sleep(0.1)
    assert left == set(), [name_of(pid) for pid in left]
