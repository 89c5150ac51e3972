"""One sandbox and one set of planted things for all programs of a test file."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
import zygote_park

from mathagent.sandbox.process import ProcessSandbox

from .perform import left_over, open_descriptors, our_processes
from .planted import Planted


@dataclass(frozen=True)
class Ground:
    """Where the programs run: the sandbox, what is planted around it, and its processes when it is idle."""

    sandbox: ProcessSandbox
    planted: Planted
    idle: frozenset[int]


@pytest.fixture(scope="module", autouse=True)
def lent_zygotes() -> Iterator[None]:
    """None is: these tests are about zygotes, from their start to their end."""
    with zygote_park.none_lent():
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground() -> AsyncIterator[Ground]:
    """A sandbox that is started after everything is planted; nothing may be left when it is closed."""
    if sys.platform != "linux":
        pytest.skip("the process sandbox is for Linux")
    processes, descriptors = our_processes(), open_descriptors()
    planted = Planted()
    try:
        sandbox = ProcessSandbox(max_parallel=2)
        try:
            tier = next(layer for layer in sandbox.layers() if layer.name == "tier")
            if not tier.active:
                pytest.skip(f"this machine cannot confine programs: tier {tier.detail}")
            assert (await sandbox.run("6 * 7")).value == "42"
            planted.add_victim()
            yield Ground(sandbox, planted, frozenset(our_processes()))
        finally:
            await sandbox.aclose()
    finally:
        planted.remove()
    assert await left_over(processes) == [], "a process was left"
    assert [each for each in open_descriptors() if each not in descriptors] == [], "a descriptor was left"


@pytest.fixture
def as_root() -> None:
    """Skips the test for plain users."""
    if os.getuid() != 0:
        pytest.skip("the tests already run as a plain user")
