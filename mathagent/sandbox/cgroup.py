"""A cgroup around a zygote and all its runs, where one can be made: bounds their memory and processes together."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from mathagent.sandbox.scratch import alive

ROOT = Path("/sys/fs/cgroup")
MEMORY_SHARE = 0.5
"""Of the machine's memory, for all programs that run at once."""
MAX_TASKS = 4096
REMOVE_TRIES = 100


class Cgroup:
    """Control groups of this process's own making; ``around`` makes them, ``remove`` takes them away."""

    def __init__(self, folders: list[Path]) -> None:
        self.folders = folders

    @classmethod
    def around(cls, pid: int, root: Path = ROOT) -> Cgroup | None:
        """Puts process ``pid`` (and what it starts from now on) under limits; None where nothing can be made."""
        folders = []
        for parent, limits in _wanted(root):
            _sweep(parent)
            folder = parent / f"mathagent-{os.getpid()}-{pid}"
            try:
                folder.mkdir()
            except OSError:
                continue
            try:
                for name, value in limits.items():
                    (folder / name).write_text(str(value))
                _move_tree(pid, folder)
            except OSError:
                with suppress(OSError):
                    folder.rmdir()
                continue
            folders.append(folder)
        return cls(folders) if folders else None

    def remove(self) -> None:
        """Removes the groups, whose processes have ended (the kernel notes that a little later)."""
        for folder in self.folders:
            for _ in range(REMOVE_TRIES):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)


def _sweep(parent: Path) -> None:
    """Removes the groups of processes of ours that were killed."""
    for folder in parent.glob("mathagent-*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not alive(int(owner)):
            with suppress(OSError):  # not ours, or not empty yet
                folder.rmdir()


def _wanted(root: Path) -> list[tuple[Path, dict[str, int]]]:
    """Parent folders and the limits to write: one unified (version 2) group, else one for each controller."""
    memory = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * MEMORY_SHARE)
    unified = {"memory.max": memory, "pids.max": MAX_TASKS}
    try:
        controllers = (root / "cgroup.controllers").read_text().split()
    except OSError:
        return [
            (root / "memory", {"memory.limit_in_bytes": memory}),
            (root / "pids", {"pids.max": MAX_TASKS}),
        ]
    if not {"memory", "pids"} <= set(controllers):
        return []
    own = next((line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line[:3] == "0::"), "/")
    return [(root / own.lstrip("/"), unified)]


def _move_tree(pid: int, folder: Path) -> None:
    """Moves a process and its descendants; those it starts later come along by themselves. Raises OSError."""
    pids = [pid]
    for each in pids:  # grows while we walk
        (folder / "cgroup.procs").write_text(str(each))
        with suppress(OSError):
            pids += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
