"""Runs one hostile program with what belongs to it, and gathers what came of it."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mathagent.sandbox import process_tree
from mathagent.sandbox.base import Limits, Sandbox
from mathagent.types import Execution

from .catalogue import Hostile
from .catalogue.entry import leaks
from .planted import Planted

HEAD_START_S = 0.4
"""A program ``beside`` another starts so much earlier; it takes at least 1.5 s."""
SETTLE_S = 5.0
"""How long a killed process may take to disappear."""
BESIDE = Limits(timeout_s=30, cpu_s=10)


@dataclass(frozen=True)
class Outcome:
    """What came of a program: its execution, what is wrong with the programs around it, what was harmed outside."""

    execution: Execution
    around: list[str] = field(default_factory=list)
    harm: list[str] = field(default_factory=list)

    def problems(self, hostile: Hostile) -> list[str]:
        """Everything that is not exactly as the catalogue says."""
        return hostile.problems(self.execution) + self.around + self.harm

    def breaches(self, hostile: Hostile) -> list[str]:
        """Only what got through, whichever layer should have held it and however the others refused."""
        stray = [f"fetched {name}" for name in self.execution.files if name not in hostile.files]
        return leaks(self.execution) + [text for text in self.around if "LEAK" in text] + stray + self.harm


async def perform(hostile: Hostile, sandbox: Sandbox, planted: Planted, look_for_harm: bool = True) -> Outcome:
    """Runs ``hostile`` and what goes before and beside it.

    ``look_for_harm`` is for one program at a time: what is harmed does not tell by whom.
    """
    slots = planted.slots()
    around: list[str] = []
    if hostile.before is not None:
        first = await sandbox.run(hostile.text(hostile.before, slots), hostile.limits)
        around += leaks(first)
    program = hostile.text(hostile.program, slots)
    if hostile.cell:
        execution, around = await _in_session(hostile, program, sandbox)
    elif hostile.beside is not None:
        other = asyncio.create_task(sandbox.run(hostile.text(hostile.beside, slots), BESIDE))
        await asyncio.sleep(HEAD_START_S)
        execution = await sandbox.run(program, hostile.limits)
        if other.done():
            around.append("the two programs did not run at the same time")
        around += _beside_problems(await other, hostile.beside_value or "")
    else:
        execution = await sandbox.run(program, hostile.limits, fetch=hostile.fetch)
    return Outcome(execution, around, planted.harm() if look_for_harm else [])


async def _in_session(hostile: Hostile, program: str, sandbox: Sandbox) -> tuple[Execution, list[str]]:
    """Runs ``program`` as a cell; whatever it started must be gone when the session is closed."""
    before = our_processes()
    session = await sandbox.session(hostile.limits)
    try:
        execution = await session.run(program)
    finally:
        await session.aclose()
    left = await left_over(before)
    return execution, [f"LEAK: {left} outlived the session"] if left else []


def _beside_problems(execution: Execution, wanted: str) -> list[str]:
    if re.fullmatch(wanted, execution.value or ""):
        return []
    said = " ".join(filter(None, (execution.status, execution.value, execution.error)))
    return [f"the program beside says {said!r}, not {wanted!r}"]


def all_layers_hold(sandbox: Sandbox) -> bool:
    """Whether everything holds that a plain user can have (so no cgroup)."""
    active = {layer.name for layer in sandbox.layers() if layer.active}
    return {"jail", "plain user", "namespaces", "landlock", "seccomp", "limits"} <= active


def our_processes() -> set[int]:
    """All processes below this one."""
    return set(process_tree.descendants(os.getpid(), 10_000))


async def left_over(before: Iterable[int]) -> list[int]:
    """Processes below this one that were not there ``before`` and do not go away."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        if not our_processes() - set(before):
            return []
        await asyncio.sleep(0.02)
    return sorted(our_processes() - set(before))


def open_descriptors() -> list[str]:
    """What this process has open, for comparing before and after."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib would open one more
        try:
            found.append(f"{name} {Path(f'/proc/self/fd/{name}').readlink()}")
        except OSError:
            continue  # the one that listed the folder
    return sorted(found)
