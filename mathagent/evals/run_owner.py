"""Which process writes a run, and whether it is still there: its number alone would do until another has it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str:
    """This process as a run notes it: ``host:pid:start``; without the start where that cannot be told."""
    start = started(os.getpid())
    return f"{platform.node()}:{os.getpid()}" + (f":{start}" if start else "")


def is_gone(owner: str) -> bool:
    """Whether the process that noted ``owner`` has ended, as far as this machine can tell: not that of another one.

    Its number may have gone to another process, which was started at another time. Owners of older versions say no
    start: for them the number decides.
    """
    host, pid, start = _parts(owner)
    if host != platform.node() or sys.platform == "win32":  # there, signal 0 would end it
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # it lives, and is another user's
        pass
    now = started(pid)
    return now == "" or bool(start and now and now != start)


def owner_words(owner: str) -> str:
    """``host:pid``, for people."""
    host, pid, _ = _parts(owner)
    return f"{host}:{pid}"


def started(pid: int) -> str | None:
    """When the process began, as a word that no other process of that number has; "" if it has ended and was only not
    yet waited for, None where it cannot be told. Where there is /proc: the boot, and clock ticks since."""
    if not (_PROC / "self" / "stat").exists():
        return _started_by_ps(pid)
    try:
        # The name of the program, in brackets, may hold anything.
        told = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        state, *fields = told.rpartition(")")[2].split()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return "" if state in "ZX" else f"{boot[:8]}.{fields[18]}"


def _started_by_ps(pid: int) -> str | None:
    try:
        told = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return "-".join(told.stdout.replace(":", ".").split()) or None


def _parts(owner: str) -> tuple[str, int, str]:
    """The host, the process and its start."""
    host, *rest = owner.rsplit(":", 2)
    pid, start = (*rest, "")[:2]
    return host, int(pid), start
