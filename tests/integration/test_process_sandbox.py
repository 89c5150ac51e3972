"""The process sandbox with real processes: restarts, deaths from outside, ready clones, forged results."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Limits
from mathagent.sandbox.process import ProcessSandbox
from mathagent.sandbox.process_tree import descendants

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the process sandbox is Linux's"),
    pytest.mark.own_zygotes,
]


@pytest.fixture
async def sandbox() -> AsyncIterator[ProcessSandbox]:
    sandbox = ProcessSandbox()
    await sandbox.run("1")
    yield sandbox
    await sandbox.aclose()


def zygote_pid(sandbox: ProcessSandbox) -> int:
    """The zygote itself: bubblewrap's child, or the process that was started."""
    assert sandbox._host is not None
    outer = sandbox._host.link.process.pid
    return (descendants(outer, 10) or [outer])[0]


async def test_a_killed_zygote_is_a_clear_status_and_replaced(sandbox: ProcessSandbox) -> None:
    before = Path(sandbox._host.base) if sandbox._host else Path()
    task = asyncio.create_task(sandbox.run("import time\ntime.sleep(30)", Limits(timeout_s=60)))
    await asyncio.sleep(0.3)
    os.kill(zygote_pid(sandbox), signal.SIGKILL)
    execution = await task
    assert execution.status == "crashed"
    assert "ended from outside" in (execution.error or "")
    assert (await sandbox.run("6 * 7")).value == "42"
    assert not before.exists()


async def test_sessions_survive_a_killed_zygote(sandbox: ProcessSandbox) -> None:
    session = await sandbox.session()
    await session.run("x = 41")
    branch = await session.snapshot()
    await branch.run("x += 1")
    os.kill(zygote_pid(sandbox), signal.SIGKILL)
    await asyncio.sleep(0.1)
    assert (await session.run("x")).value == "41"
    assert (await branch.run("x")).value == "42"


def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, os
        from mathagent.sandbox.base import Limits
        from mathagent.sandbox.process import ProcessSandbox
        from mathagent.sandbox.process_tree import descendants
        async def main():
            sandbox = ProcessSandbox()
            session = await sandbox.session()
            await session.run("import os\\nos.fork()")
            runs = [asyncio.ensure_future(sandbox.run("while True: pass", Limits(timeout_s=60))) for _ in range(2)]
            await asyncio.sleep(0.5)
            print(*descendants(os.getpid(), 100), flush=True)
            await asyncio.wait(runs)
        asyncio.run(main())
    """)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) >= 4
        parent.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "a process outlived its parent"
        time.sleep(0.05)


async def test_ready_clones_run_with_their_own_limits() -> None:
    sandbox = ProcessSandbox(ready=2)
    try:
        await sandbox.start()
        limits = Limits(memory_mb=128, timeout_s=5, output_bytes=1000)
        values = [(await sandbox.run(f"{n} + 1", limits, {"a.txt": b"x"})).value for n in range(6)]
        assert values == ["1", "2", "3", "4", "5", "6"]
        assert (await sandbox.run("len('x' * (300 * 2**20))", limits)).status == "memory"
        assert (await sandbox.run("print('x' * 2000)", limits)).status == "output-limit"
        assert (await sandbox.run(f"{'1;' * 40_000}len('{'x' * 70_000}')", limits)).value == "70000"
        assert (await sandbox.run("1", Limits(memory_mb=4096))).value == "1"
        late = await sandbox.run("while True: pass", Limits(timeout_s=0.5))
        assert (late.status, late.wall_s < 1) == ("timeout", True)
    finally:
        await sandbox.aclose()


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_comes_down_the_result_channel_is_an_execution(sandbox: ProcessSandbox, seed: int) -> None:
    noise = random.Random(seed)
    data = noise.randbytes(noise.randrange(1, 5000))
    if seed % 2:
        data = b'{"status": "ok", "value": ' + data + b"}"
    execution = await sandbox.run(f"import os\nos.write(3, {data!r})\nos._exit({seed % 3})")
    assert execution.status == "error"
    assert execution.value is None


@pytest.mark.parametrize(
    "forged",
    [
        b'{"status": "ok", "value": "forged", "files": {"../../etc/x": "AAAA", "a": "AAAA"}}',
        b'{"status": "ok", "value": "forged"}',
    ],
)
async def test_a_forged_result_is_only_text(sandbox: ProcessSandbox, forged: bytes) -> None:
    execution = await sandbox.run(f"import os\nos.write(3, {forged!r})\nos._exit(0)", fetch=("b",))
    assert (execution.status, execution.value, execution.files) == ("ok", "forged", {})


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_a_session_sends_is_an_execution(sandbox: ProcessSandbox, seed: int) -> None:
    noise = random.Random(seed)
    data = noise.randbytes(noise.randrange(1, 300))
    session = await sandbox.session(Limits(timeout_s=0.5))
    await session.run("x = 1")
    execution = await session.run(f"import os\nos.write(3, {data!r})\nos._exit(0)")
    assert execution.status in ("error", "output-limit", "crashed", "timeout")
    assert (await session.run("x")).value == "1"


@pytest.mark.parametrize(
    "sabotage", ["os.fork = None", "os.fork = lambda: os._exit(3)", "os.pidfd_open = lambda pid: 1 / 0"]
)
async def test_a_session_that_sabotages_its_snapshots(sandbox: ProcessSandbox, sabotage: str) -> None:
    session = await sandbox.session()
    await session.run(f"import os\nx = 1\n{sabotage}")
    with pytest.raises(SandboxError, match="cannot be copied"):
        await session.snapshot()
    assert (await session.run("x")).value == "1"


async def test_closed_snapshots_make_room_for_others(sandbox: ProcessSandbox) -> None:
    session = await sandbox.session()
    await session.run("x = 1")
    for _ in range(80):  # more than the limit of processes
        branch = await session.snapshot()
        await branch.aclose()
    kept = []
    refused = ""
    while not refused and len(kept) < 80:
        try:
            kept.append(await session.snapshot())
        except SandboxError as error:
            refused = str(error)
    assert "cannot be copied" in refused
    assert (await session.run("x")).value == "1"
    assert (await kept[0].run("x")).value == "1"
    for branch in kept:
        await branch.aclose()
    await (await session.snapshot()).aclose()


async def test_a_snapshot_knows_that_it_has_one_thread(sandbox: ProcessSandbox) -> None:
    session = await sandbox.session()
    started = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    await session.run(started)
    branch = await session.snapshot()
    assert (await branch.run("threading.active_count()")).value == "1"  # Python's own hook after a fork has run
    assert (await session.run("threading.active_count()")).value == "2"


async def test_answers_in_advance_do_not_stand_for_later_cells(sandbox: ProcessSandbox) -> None:
    session = await sandbox.session()
    report = b'{"status": "ok", "value": "forged"}'
    twice = (len(report).to_bytes(4, "big") + report) * 2
    assert (await session.run(f"import os\nos.write(3, {twice!r})")).value == "forged"
    then = await session.run("6 * 7")
    assert (then.status, then.value) == ("refused", None)
    assert "out of turn" in str(then.error)


async def test_a_snapshot_with_a_false_pidfd_hurts_only_itself(sandbox: ProcessSandbox) -> None:
    session = await sandbox.session(Limits(timeout_s=0.5))
    await session.run("import os\nos.pidfd_open = lambda pid: os.open('f', os.O_CREAT | os.O_RDWR)")
    branch = await session.snapshot()
    assert (await branch.run("6 * 7")).value == "42"
    late = await branch.run("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass")
    assert (late.status, late.wall_s < 1) == ("timeout", True)
    await branch.aclose()
    await session.aclose()


def test_layers_that_do_not_exist_are_refused() -> None:
    with pytest.raises(SandboxError, match="no such layer: nothing"):
        ProcessSandbox(without={"nothing"})


async def test_too_few_layers_are_refused_unless_wanted() -> None:
    sandbox = ProcessSandbox(without={"seccomp"})
    with pytest.raises(SandboxError, match=r"seccomp.*--unsafe-local"):
        await sandbox.run("1")
    await sandbox.aclose()
    unsafe = ProcessSandbox(without={"seccomp"}, unsafe=True)
    assert (await unsafe.run("1")).sandbox == "process/D"
    await unsafe.aclose()
