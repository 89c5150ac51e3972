"""The abuse suite: each hostile program asserts its own outcome, as whoever runs the tests and as a plain user."""

# ruff: noqa: ASYNC110, ASYNC220 - tests look at files and processes; nothing else waits for their loop

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from mathagent.sandbox import process_tree
from mathagent.sandbox.base import Limits
from mathagent.sandbox.process import ProcessSandbox

from . import as_plain_user
from .catalogue import CATALOGUE, Hostile
from .conftest import Ground
from .perform import all_layers_hold, left_over, open_descriptors, our_processes, perform

on_one_loop = pytest.mark.asyncio(loop_scope="module")
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the process sandbox is for Linux")
pytestmark = ON_LINUX


def test_the_catalogue_is_complete() -> None:
    assert [hostile.number for hostile in CATALOGUE] == list(range(1, 107))


@on_one_loop
@pytest.mark.parametrize("hostile", CATALOGUE, ids=lambda hostile: hostile.id)
async def test_abuse(ground: Ground, hostile: Hostile) -> None:
    reason = hostile.reason_to_skip()
    if reason:
        pytest.skip(reason)
    outcome = await perform(hostile, ground.sandbox, ground.planted)
    if all_layers_hold(ground.sandbox):
        assert outcome.problems(hostile) == []
    else:  # what a kernel lacks, another layer holds, with other errors
        assert outcome.breaches(hostile) == []
    assert await left_over(ground.idle | _victim(ground)) == [], "a process outlived its run"
    after = await ground.sandbox.run("6 * 7")
    assert (after.status, after.value) == ("ok", "42")


@on_one_loop
async def test_107_zygote_killed_in_the_middle_of_a_run(ground: Ground) -> None:
    sandbox = ProcessSandbox(max_parallel=2)
    before = our_processes()
    try:
        assert (await sandbox.run("1")).ok
        server = our_processes() - before
        run = asyncio.create_task(sandbox.run("import time\ntime.sleep(20)", Limits(timeout_s=20)))
        while len(our_processes() - before) <= len(server):
            await asyncio.sleep(0.02)
        for pid in server:
            os.kill(pid, signal.SIGKILL)
        started = time.monotonic()
        lost = await run
        assert time.monotonic() - started < 5
        assert lost.status in ("crashed", "refused")
        assert "run it again" in (lost.error or "")
        assert (await sandbox.run("6 * 7")).value == "42"
        assert (our_processes() - before) & server == set()
    finally:
        await sandbox.aclose()
    assert await left_over(before) == []


CLIENT = """
import asyncio
from mathagent.sandbox.base import Limits
from mathagent.sandbox.process import ProcessSandbox

async def main():
    sandbox = ProcessSandbox(max_parallel=2)
    await sandbox.run("1")
    session = await sandbox.session()
    await session.run("1")
    print("ready", flush=True)
    await sandbox.run("import time\\nwhile True: time.sleep(1)", Limits(timeout_s=60, cpu_s=60))

asyncio.run(main())
"""


@on_one_loop
async def test_108_client_killed_in_the_middle_of_a_run(ground: Ground, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    client = subprocess.Popen((sys.executable, "-c", CLIENT), stdout=subprocess.PIPE, env=environment)
    assert client.stdout is not None
    try:
        assert client.stdout.readline() == b"ready\n"
        before: list[int] = []
        while len(before) < 4 or before != process_tree.descendants(client.pid, 100):  # jail, zygote, session, run
            before = process_tree.descendants(client.pid, 100)
            await asyncio.sleep(0.1)
    finally:
        client.kill()
        client.wait()
        client.stdout.close()
    deadline = time.monotonic() + 5
    while (left := [pid for pid in before if _alive(pid)]) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert left == [], "orphans of the killed client"


@on_one_loop
async def test_109_a_thousand_requests_at_once(ground: Ground) -> None:
    descriptors = len(open_descriptors())
    most = 0

    async def one(number: int) -> str | None:
        nonlocal most
        program = f"print({number})\n{number} ** 2" if number % 20 else "import os\nos.abort()"
        execution = await ground.sandbox.run(program, Limits(timeout_s=60, cpu_s=10))
        most = max(most, len(open_descriptors()))
        return f"{execution.stdout.strip()} {execution.value}" if execution.ok else execution.status

    answers = await asyncio.gather(*map(one, range(1000)))
    assert answers == [f"{n} {n * n}" if n % 20 else "crashed" for n in range(1000)]
    assert most < descriptors + 60, "requests that wait hold no descriptors"
    assert len(open_descriptors()) == descriptors
    assert await left_over(ground.idle | _victim(ground)) == []


@pytest.mark.timeout(600)
def test_everything_again_as_a_plain_user(as_root: None, tmp_path: Path) -> None:
    reason = as_plain_user.reason_to_skip()
    if reason:
        pytest.skip(reason)
    sessions = Path(__file__).with_name("test_lying_sessions.py")
    report = as_plain_user.run_tests((__file__, str(sessions)))
    assert report.failures == [], textwrap.indent("\n".join(report.failures), "  ")
    assert report.passed >= len(CATALOGUE), report.output


def _victim(ground: Ground) -> set[int]:
    """The victim, which is replaced when a program kills it."""
    return {ground.planted.victim.pid} if ground.planted.victim else set()


def _alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
