"""What the sessions of every sandbox must do: state between cells, limits for each, snapshots, replay."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.sandbox.process_tree import descendants
from tests.conformance.test_sandbox import BUILDERS, opened

SHORT = Limits(timeout_s=1.0)

pytestmark = pytest.mark.own_zygotes


# Ready clones run programs only: their sessions are those of "process".
@pytest.fixture(params=[name for name in BUILDERS if name != "process-ready"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    before = set(descendants(os.getpid(), 1000))  # what other modules have started and keep
    sandbox = await opened(request.param)
    yield sandbox
    await sandbox.aclose()
    async with asyncio.timeout(5):
        while set(descendants(os.getpid(), 1000)) - before:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)


async def test_names_imports_and_files_stay(sandbox: Sandbox) -> None:
    session = await sandbox.session(files={"data.txt": b"41"})
    assert (await session.run("import math\nx = int(open('data.txt').read())")).status == "ok"
    assert (await session.run("x + 1 + math.floor(0.5)")).value == "42"
    await session.run("open('new.txt', 'w').write('kept')")
    fetched = await session.run("print(open('new.txt').read())", {"more.txt": b"m"}, fetch=("new.txt", "more.txt"))
    assert (fetched.stdout, fetched.files) == ("kept\n", {"new.txt": b"kept", "more.txt": b"m"})


async def test_cells_report_only_their_own(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    first = await session.run("import sys\nprint('one')\nprint('err', file=sys.stderr)\n1")
    second = await session.run("print('two')")
    assert (first.stdout, first.stderr, first.value) == ("one\n", "err\n", "1")
    assert (second.stdout, second.stderr, second.value) == ("two\n", "", None)
    assert second.sandbox == sandbox.label
    assert 0 < second.wall_s < 10


async def test_a_shown_value_leaves_pythons_limit_of_digits(sandbox: Sandbox) -> None:
    session = await sandbox.session(Limits(output_bytes=1000))
    assert (await session.run("import sys\nsys.get_int_max_str_digits()")).value == "4300"
    assert (await session.run("len(str(10**4000))")).value == "4001"
    assert "limit (4300 digits)" in ((await session.run("print(10**5000)")).error or "")


async def test_an_error_keeps_the_state_and_names_its_line(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    await session.run("def half(x):\n    return 1 / x\ny = 7")
    failed = await session.run("a = 1\nhalf(0)")
    assert (failed.status, failed.error) == ("error", "ZeroDivisionError: division by zero")
    assert "half(0)" in (failed.traceback or "")
    assert "return 1 / x" in (failed.traceback or "")
    assert (await session.run("a + y")).value == "8"
    assert (await session.run("import sys; sys.exit(3)")).status == "error"
    assert (await session.run("y")).value == "7"


async def test_a_cell_past_its_time_is_interrupted_and_the_state_stays(sandbox: Sandbox) -> None:
    session = await sandbox.session(SHORT)
    await session.run("x = 5")
    late = await session.run("x = 6\nwhile True: pass")
    assert late.status == "timeout"
    assert late.wall_s < 1.5
    assert (await session.run("x")).value == "6"


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", "timeout"),
        ("import os\nos._exit(7)", "error"),
        ("import ctypes\nctypes.string_at(0)", "crashed"),
        ("print('x' * 10**7)", "output-limit"),
    ],
)
async def test_a_lost_process_is_replaced_by_replay(sandbox: Sandbox, cell: str, status: str) -> None:
    session = await sandbox.session(SHORT)
    await session.run("x = [1]")
    await session.run("x.append(2)\n1 / 0")
    lost = await session.run(cell)
    assert lost.status == status
    assert (await session.run("x")).value == "[1, 2]"


async def test_a_session_that_does_not_come_back_says_so(sandbox: Sandbox) -> None:
    session = await sandbox.session(SHORT, {"first": b""})
    await session.run("import os\nx = 1")
    once = f"import time\nif int(time.time()) > {int(time.time()) + 1}: 1 / 0"
    assert (await session.run(once)).ok
    await asyncio.sleep(max(0.0, int(time.time()) + 2.1 - time.time()))
    await session.run("os._exit(1)")
    lost = await session.run("x")
    assert lost.status == "refused"
    assert "cell 2" in (lost.error or "")


async def test_memory_error_keeps_the_session(sandbox: Sandbox) -> None:
    session = await sandbox.session(Limits(memory_mb=128))
    await session.run("x = 1")
    assert (await session.run("y = 'x' * (300 * 2**20)")).status == "memory"
    assert (await session.run("x")).value == "1"


async def test_sessions_are_apart(sandbox: Sandbox) -> None:
    one, other = await sandbox.session(), await sandbox.session()
    await one.run("x = 1\nopen('f', 'w').close()")
    assert (await other.run("'x' in globals()")).value == "False"
    assert (await other.run("import os\nos.listdir()")).value == "[]"


async def test_snapshots_go_their_own_ways(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    await session.run("x = [1]")
    branch = await session.snapshot()
    twig = await branch.snapshot()
    await branch.run("x.append(2)")
    await twig.run("x.append(3)")
    assert [(await each.run("x")).value for each in (session, branch, twig)] == ["[1]", "[1, 2]", "[1, 3]"]
    await session.aclose()
    assert (await twig.run("x.append(4)\nx")).value == "[1, 3, 4]"
    await branch.aclose()
    assert (await twig.run("x")).value == "[1, 3, 4]"


async def test_a_branch_survives_the_end_of_its_root(sandbox: Sandbox) -> None:
    session = await sandbox.session(SHORT)
    await session.run("x = 1")
    branch = await session.snapshot()
    await branch.run("x = 2")
    await session.run("import os\nos._exit(0)")
    assert (await branch.run("x")).value == "2"
    assert (await session.run("x")).value == "1"


async def test_cells_of_one_session_wait_for_each_other(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    await session.run("x = 0")
    runs = await asyncio.gather(*(session.run("x += 1\nx") for _ in range(5)))
    assert sorted(run.value or "" for run in runs) == ["1", "2", "3", "4", "5"]


async def test_cancelling_a_cell_and_closing(sandbox: Sandbox) -> None:
    session = await sandbox.session(Limits(timeout_s=60, cpu_s=60))
    await session.run("x = 1")
    task = asyncio.create_task(session.run("while True: pass"))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await session.run("x")).value == "1"
    await session.aclose()
    await session.aclose()
    with pytest.raises(SandboxError, match="closed"):
        await session.run("1")


async def test_files_outside_the_scratch_are_refused(sandbox: Sandbox) -> None:
    session = await sandbox.session()
    assert (await session.run("1", {"../x": b""})).status == "refused"
    with pytest.raises(SandboxError, match="scratch"):
        await sandbox.session(files={"/etc/x": b""})
