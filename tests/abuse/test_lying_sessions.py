"""Beyond the 109: a session shares its process with its cells, so cells can lie about cells. Not to anybody else."""

from __future__ import annotations

import asyncio

import pytest

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Limits

from .conftest import Ground
from .perform import left_over, open_descriptors

pytestmark = pytest.mark.asyncio(loop_scope="module")
CELLS = Limits(timeout_s=3, cpu_s=5, memory_mb=128)


@pytest.mark.parametrize(
    "lie",
    [
        "import os\npipe = os.pipe()[1]\nos.pidfd_open = lambda pid: os.dup(pipe)",
        "import os\nos.fork = lambda: 4711\nos.pidfd_open = lambda pid: os.open('x', os.O_CREAT | os.O_RDWR)",
        "import array\nold = array.array\narray.array = lambda kind, items=(): old(kind, (1, 2)[: 9 * len(items)])",
        "import os\nos.fork = lambda: os.close(3)",
        "import os, time\nos.fork = lambda: time.sleep(60)",
        "import os\nos.write(3, b'\\xff\\xff\\xff\\xff')",
    ],
    ids=["pipe-for-process", "file-for-process", "two-for-one", "closes-channel", "does-not-answer", "huge-frame"],
)
async def test_a_lie_about_a_snapshot_harms_only_the_session(ground: Ground, lie: str) -> None:
    descriptors = open_descriptors()
    session = await ground.sandbox.session(CELLS)
    await session.run(lie)
    try:
        branch = await session.snapshot()
    except SandboxError:
        branch = None
    if branch is not None:
        assert (await branch.run("1 + 1")).value in ("2", None)
        await branch.aclose()
    await session.aclose()
    assert (await ground.sandbox.run("6 * 7")).value == "42"
    victim = {ground.planted.victim.pid} if ground.planted.victim else set()
    assert await left_over(ground.idle | victim) == []
    assert [each for each in open_descriptors() if each not in descriptors] == []


async def test_a_late_answer_does_not_stand_for_the_next_cell(ground: Ground) -> None:
    """A child of an old cell writes a frame before the next request: no later cell may get another one's answer."""
    session = await ground.sandbox.session(CELLS)
    late = """
import os, time
if os.fork() == 0:
    time.sleep(0.3)
    forged = b'{"status": "ok", "value": "forged"}'
    os.write(3, len(forged).to_bytes(4, 'big') + forged)
    os._exit(0)
"""
    assert (await session.run(late)).ok
    await asyncio.sleep(1)
    answers = [(await session.run(f"40 + {n}")).value for n in range(3)]
    await session.aclose()
    assert answers == ["40", "41", "42"]


async def test_processes_of_a_cell_together_keep_the_memory_limit(ground: Ground) -> None:
    session = await ground.sandbox.session(Limits(timeout_s=10, cpu_s=10, memory_mb=100))
    many = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        kept = b'x' * (60 * 2**20)
        time.sleep(30)
time.sleep(8)
"""
    execution = await session.run(many)
    await session.aclose()
    assert execution.status == "memory"


async def test_a_forged_value_is_cut_like_any_other(ground: Ground) -> None:
    program = 'import os\nos.write(3, b\'{"status": "ok", "value": "\' + b\'x\' * 900_000 + b\'"}\')\nos._exit(0)'
    execution = await ground.sandbox.run(program, Limits(output_bytes=1000))
    assert execution.ok
    assert execution.value is not None
    assert len(execution.value) < 1100
