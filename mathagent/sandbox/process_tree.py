"""Process trees of strangers: keep one apart, look at it, kill all of it.

Where Linux allows user namespaces (to root and to anybody else), each run gets its own user, PID, network and IPC
namespace through ``unshare`` of util-linux. The PID namespace is the sturdiest tree kill there is: when its process
1 dies, the kernel kills every member, whatever they did with sessions, double forks or environments. It also means
that the program cannot signal or trace anything outside. Elsewhere the process group is killed, and on Linux then
all processes that carry the run's token in their environment, which finds daemons (setsid, double fork) but not
those that replaced their environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

TOKEN_VARIABLE = "MATHAGENT_RUN"

_UNSHARE = (
    # An inner uid other than 0: exec then drops the capabilities that a new user namespace comes with.
    *("--user", "--map-user=1000", "--map-group=1000"),
    *("--pid", "--fork", "--kill-child", "--net", "--ipc", "--"),
)
_PROBE_S = 10.0


@cache
def namespace_prefix() -> tuple[str, ...]:
    """The command that puts what follows it into fresh namespaces; empty where that does not work here."""
    unshare = shutil.which("unshare") if sys.platform == "linux" else None
    if unshare is None:
        return ()
    command = (unshare, *_UNSHARE)
    try:
        tried = subprocess.run((*command, "true"), capture_output=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if tried.returncode == 0 else ()


def children(pid: int) -> list[int]:
    """Process ids of the direct children of ``pid``; none if it is gone or the kernel does not say."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        return []
    return found


def descendants(pid: int, limit: int) -> list[int]:
    """Up to about ``limit`` processes below ``pid``, nearest first."""
    found = children(pid)
    for child in found:  # grows while we walk
        if len(found) > limit:
            break
        found += children(child)
    return found


def memory_mb(pids: list[int]) -> float:
    """Memory of ``pids`` together in MB, shared pages divided by their sharers; 0 where /proc does not say."""
    return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in pids) / 1024


def peak_memory_mb(pids: list[int]) -> float:
    """Peak resident set in MB of the biggest of ``pids``; 0 where /proc does not say."""
    return max((_kilobytes(f"/proc/{pid}/status", "VmHWM:") for pid in pids), default=0) / 1024


def _kilobytes(path: str, field: str) -> int:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return 0  # it has just ended
    return sum(int(line.split()[1]) for line in lines if line.startswith(field))


def kill_namespace(outer: int) -> None:
    """Kills the PID namespace whose ``unshare`` process is ``outer``.

    Only process 1 of it is killed: ``outer`` ends by itself once the kernel has ended every member, so its end
    means that all are dead, and it carries their CPU time.
    """
    inner = children(outer)
    for pid in inner or [outer]:
        _kill(pid)


def kill_group(leader: int, token: str) -> None:
    """Kills the process group of ``leader``, then all whose environment holds ``token``, until none is left."""
    with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(leader, signal.SIGKILL)
    for _ in range(100):  # a process that forks faster than we look cannot hold us here
        found = list(_carriers(token))
        if not found:
            return
        for pid in found:
            _kill(pid)


def _carriers(token: str) -> Iterator[int]:
    """Living processes with ``token`` in the environment that they were started with."""
    needle = f"{TOKEN_VARIABLE}={token}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (folder / "environ").read_bytes():  # empty for zombies
                yield int(folder.name)
        except OSError:
            continue  # gone, or not ours to read


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_windows_tree(pid: int) -> None:
    """Kills ``pid`` and its descendants with Windows' own tool."""
    subprocess.run(("taskkill", "/T", "/F", "/PID", str(pid)), capture_output=True, check=False)
