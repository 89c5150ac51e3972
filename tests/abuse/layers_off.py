"""Which programs get through with one layer switched off: ``python -m tests.abuse.layers_off`` prints the table.

"Get through" means that the program says so, or that something planted around the sandbox was harmed; a program that
another layer stops with another error does not. GETS_THROUGH is what is known, and docs/security.md shows it.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field

from mathagent.sandbox.process import ProcessSandbox

from .catalogue import CATALOGUE, Hostile
from .catalogue.entry import LAYERS, Layer
from .perform import perform
from .planted import Planted

GETS_THROUGH: dict[Layer, dict[int, str]] = {
    "bubblewrap": {
        1: "that the file exists, its size, mode and times (Landlock does not cover stat); no content",
        2: "that the file exists, its size, mode and times; no content",
        3: "that the file exists, its size, mode and times; no content",
    },
    "namespaces": {
        4: "that the files in /proc exist; no content",
        5: "that the file in /proc exists; no content",
        6: "that the files in /proc exist; no content",
        48: "scratch lies on the disk, without a bound on the sum of files",
        49: "scratch lies on the disk, without a bound on the number of files",
    },
    "landlock": {},
    "seccomp": {
        29: "sockets of odd families, without a network to use them on",
        32: "being traced",
        38: "fork",
        39: "vfork",
        40: "processes of Python's own (no other program: Landlock)",
        42: "a daemon, which ends with the run",
        51: "memory behind descriptors",
        52: "shared memory, semaphores and queues, which end with the run",
        69: "own namespaces, with the kernel's code behind them",
        70: "own namespaces by clone",
        71: "clone3",
        74: "the kernel's key rings",
        76: "userfaultfd",
        79: "calls of the 32-bit kernel interface",
        82: "there is no filter",
        85: "personality, modify_ldt, kcmp",
    },
    "rlimits": {
        43: "1,000 threads",
        44: "300 processes in a session",
        46: "0.6 GB of memory (the cgroup bounds all runs together)",
        47: "0.4 GB of memory (the cgroup bounds all runs together)",
        50: "2,000 descriptors",
        65: "a sparse file of 1 TB",
        66: "360 MB unpacked",
        81: "there are no limits",
    },
    "cgroup": {},
}
DEPENDS_ON_KERNEL = frozenset({29, 51, 74, 76, 79, 85})
"""Those that a kernel may refuse by itself, as it is built or set up."""


@dataclass
class Found:
    """What got through with one layer off, and what was not tried; number → why."""

    through: dict[int, list[str]] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)


async def find(layer: Layer) -> Found:
    """Runs all programs that are safe without ``layer``. Raises SandboxError where nothing runs without it."""
    found = Found()
    planted = Planted()
    sandbox = ProcessSandbox(max_parallel=3, without=frozenset({layer}), unsafe=True)
    try:
        await sandbox.run("1")
        planted.add_victim()
        tried = []
        for hostile in CATALOGUE:
            reason = hostile.reason_to_skip(layer)
            if reason:
                found.skipped[hostile.number] = reason
            else:
                tried.append(hostile)

        async def one(hostile: Hostile, look_for_harm: bool) -> None:
            breaches = (await perform(hostile, sandbox, planted, look_for_harm)).breaches(hostile)
            if breaches:
                found.through[hostile.number] = breaches

        async def all_of(group: list[Hostile], look_for_harm: bool) -> None:
            for hostile in group:
                await one(hostile, look_for_harm)

        waiting = [hostile for hostile in tried if "timeout" in hostile.status]
        # alone, because what outlives a session is found by looking for processes that are new
        await all_of([hostile for hostile in tried if hostile.cell], look_for_harm=True)
        others = [hostile for hostile in tried if not hostile.cell and hostile not in waiting]
        await asyncio.gather(all_of(others, look_for_harm=True), all_of(waiting, look_for_harm=False))
    finally:
        await sandbox.aclose()
        planted.remove()
    return found


def table(found: dict[Layer, Found]) -> str:
    """The findings in Markdown, as docs/security.md has them."""
    titles = {hostile.number: hostile.title for hostile in CATALOGUE}
    lines = ["| layer off | program | what gets through |", "|---|---|---|"]
    for layer, each in found.items():
        for number in sorted(each.through):
            lines.append(
                f"| {layer} | {number} {titles[number]} | {GETS_THROUGH[layer].get(number, 'not known')} |"
            )
        if not each.through:
            lines.append(f"| {layer} | none | |")
        for number, reason in sorted(each.skipped.items()):
            lines.append(f"| {layer} | {number} {titles[number]} | not tried: {reason} |")
    return "\n".join(lines)


def main() -> None:
    """Prints the table for this machine and user."""
    from mathagent.errors import SandboxError

    found: dict[Layer, Found] = {}
    for layer in LAYERS:
        try:
            found[layer] = asyncio.run(find(layer))
        except SandboxError as error:
            print(f"without {layer}: {error}\n")
    print(f"As user {os.getuid()}:\n\n{table(found)}")


if __name__ == "__main__":
    main()
