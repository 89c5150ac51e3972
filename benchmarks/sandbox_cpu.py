"""CPU time of a whole family of processes, those that have ended included: by cgroup, or by adding up /proc.

Used by benchmarks/sandbox.py (CPU a run) and benchmarks/sandbox_soak.py (what is left after many runs).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
PAUSE_S = 0.01
IDLE_S = 0.0003
"""CPU within one pause below which a family counts as idle: a kernel's heartbeat may tick."""
WAIT_S = 3.0


class Family(Protocol):
    """A process and all that come from it."""

    def cpu_s(self) -> float:
        """CPU seconds (user and system) since the family was formed."""
        ...

    def close(self) -> None:
        """Forgets the family; its processes must have ended."""
        ...


class ControlGroup:
    """A family in a control group of its own."""

    def __init__(self, folder: Path, pid: int) -> None:
        folder.mkdir()
        self.folder = folder
        try:
            (folder / "cgroup.procs").write_text(str(pid))
            self.cpu_s()
        except OSError:
            folder.rmdir()
            raise

    def cpu_s(self) -> float:
        version_1 = self.folder / "cpuacct.usage"
        if version_1.exists():
            return int(version_1.read_text()) / 1e9
        lines = (self.folder / "cpu.stat").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec")) / 1e6

    def close(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while self.folder.exists():
            try:
                self.folder.rmdir()
            except OSError:  # a process has not quite gone
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_S)


class ProcessTree:
    """A family found through parents in /proc: without what left it; exact to a tick (10 ms) for each reading."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu_s(self) -> float:
        return sum(process.ticks for process in tree(self.pid)) / TICKS_A_SECOND

    def close(self) -> None:
        pass


class Process:
    """One line of /proc/<pid>/stat. ``ticks`` are its own and those of the children that it has waited for."""

    def __init__(self, pid: int) -> None:
        text = Path(f"/proc/{pid}/stat").read_text()
        fields = text[text.rindex(")") + 2 :].split()
        self.pid, self.name = pid, text[text.index("(") + 1 : text.rindex(")")]
        self.state, self.parent = fields[0], int(fields[1])
        self.ticks = sum(map(int, fields[11:15]))
        self.memory_mb = int(fields[21]) * PAGE_MB

    @property
    def open_files(self) -> int:
        """Number of its open descriptors; 0 where we may not look."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))  # noqa: PTH208 - counted while it may end
        except OSError:
            return 0


def tree(pid: int) -> list[Process]:
    """The process ``pid``, if it lives, and all that come from it."""
    processes = {process.pid: process for process in _processes()}
    members = [processes[pid]] if pid in processes else []
    for member in members:  # grows while we walk
        members += [process for process in processes.values() if process.parent == member.pid]
    return members


def _processes() -> Iterator[Process]:
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                yield Process(int(name))
            except OSError:
                continue  # it has just ended


class Meters:
    """Forms families, all of them by the best method that works here; ``method`` says which."""

    def __init__(self) -> None:
        self.parent: Path | None = None
        self.method = f"/proc/<pid>/stat of the process tree (ticks of {1000 // TICKS_A_SECOND} ms)"
        for version, folder in _own_groups():
            # tried out with a real process: a folder that can be made may still not take one
            with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
                try:
                    group = ControlGroup(folder / f"mathagent-probe-{child.pid}", child.pid)
                except OSError:
                    continue
                finally:
                    child.kill()
                    child.wait()
            group.close()
            self.parent, self.method = folder, version
            return

    def family(self, name: str, pid: int) -> Family:
        if self.parent is None:
            return ProcessTree(pid)
        return ControlGroup(self.parent / f"mathagent-{os.getpid()}-{name}", pid)


def _own_groups() -> Iterator[tuple[str, Path]]:
    """The folders of our own control groups that count CPU time, the finest counter first."""
    own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    for kind, word, version in (("cgroup", "cpuacct", "cgroup v1 cpuacct"), ("cgroup2", "", "cgroup v2 cpu.stat")):
        for _, target, found, options, *_ in mounts:
            if found == kind and (kind == "cgroup2" or word in options.split(",")):
                for _, controllers, path in own:
                    if word in controllers.split(","):
                        yield version, Path(target) / path.lstrip("/")


def settled_cpu_s(family: Family) -> float:
    """CPU seconds of ``family`` once it is idle again: what it does after its answer belongs to the run."""
    before, deadline = family.cpu_s(), time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        time.sleep(PAUSE_S)
        now = family.cpu_s()
        if now - before < IDLE_S:
            return now
        before = now
    return before


def machine_busy_s() -> float:
    """CPU seconds that this machine has worked since it started, all processors together."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS_A_SECOND
