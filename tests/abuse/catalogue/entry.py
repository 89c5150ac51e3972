"""One hostile program as data: what it tries, and what must come of it."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mathagent.console.clean_text import clean
from mathagent.sandbox.base import Limits
from mathagent.types import Execution, ExecutionStatus

LEAK = "LEAK"
"""What a program says where an attempt succeeded."""

_FOLDER = Path(__file__).resolve().parents[1]
PRELUDE = (_FOLDER / "prelude.py").read_text(encoding="utf-8")
SCAN = (_FOLDER / "memory_scan.py").read_text(encoding="utf-8")
_SLOT = re.compile(r"@([A-Z_]+)@")

Layer = Literal["bubblewrap", "namespaces", "landlock", "seccomp", "rlimits", "cgroup"]
LAYERS: tuple[Layer, ...] = ("bubblewrap", "namespaces", "landlock", "seccomp", "rlimits", "cgroup")

SHORT = Limits(timeout_s=1.0, cpu_s=5.0, memory_mb=512)
NORMAL = Limits(timeout_s=20.0, cpu_s=20.0, memory_mb=512)


@dataclass(frozen=True)
class Hostile:
    """A program of the abuse suite, with its number there.

    ``program`` holds slots (@FOLDER@) for what the test plants around the sandbox; see ``planted``. ``value``,
    ``error`` and ``stdout`` are regular expressions for the whole text, ``shown`` for stdout as a terminal gets it.
    A program that gets through says LEAK.

    ``before`` runs first; ``beside`` runs at the same time, and ``beside_value`` is for its value. With ``cell`` the
    program runs in a session, which is closed afterwards. ``fetch`` names what the trusted side brings back; only
    ``files`` may come. ``dangerous_without`` are the layers without which it would disturb the machine.
    """

    number: int
    title: str
    program: str
    status: tuple[ExecutionStatus, ...] = ("ok",)
    value: str | None = None
    error: str | None = None
    stdout: str | None = None
    shown: str | None = None
    signal: tuple[int, ...] = ()
    limits: Limits = NORMAL
    before: str | None = None
    beside: str | None = None
    beside_value: str | None = None
    cell: bool = False
    fetch: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    scans_memory: bool = False
    machines: tuple[str, ...] = ()
    dangerous_without: frozenset[Layer] = frozenset()

    @property
    def id(self) -> str:
        """ "035-kill-everything": for the names of tests."""
        return f"{self.number:03d}-" + re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")

    def reason_to_skip(self, without: str | None = None) -> str | None:
        """Why the program does not run on this machine, or with the layer ``without`` switched off."""
        if self.machines and platform.machine() not in self.machines:
            return f"there is no such call on {platform.machine()}"
        if without in self.dangerous_without:
            return f"would disturb this machine without {without}"
        return None

    def text(self, body: str, slots: dict[str, str | int | list[int]]) -> str:
        """``body`` as it is run: after the prelude, with its slots filled. An unknown slot is a KeyError."""
        filled = _SLOT.sub(lambda match: repr(slots[match[1]]), body)
        return PRELUDE + (SCAN if self.scans_memory else "") + filled

    def problems(self, execution: Execution) -> list[str]:
        """What is not as it must be in the execution of ``program``; empty if all is."""
        found = []
        if execution.status not in self.status:
            found.append(f"status {execution.status!r} is not in {self.status}: {execution.error}")
        if self.signal and execution.signal not in self.signal:
            found.append(f"signal {execution.signal} is not in {self.signal}")
        for name in ("value", "error", "stdout"):
            wanted, got = getattr(self, name), getattr(execution, name)
            if wanted is not None and re.fullmatch(wanted, got or "", re.DOTALL) is None:
                found.append(f"{name} {(got or '')[:300]!r} does not match {wanted!r}")
        if self.shown is not None and re.fullmatch(self.shown, clean(execution.stdout), re.DOTALL) is None:
            found.append(f"shown {clean(execution.stdout)[:300]!r} does not match {self.shown!r}")
        if self.fetch and execution.files != self.files:
            found.append(f"fetched {sorted(execution.files)}, allowed are {sorted(self.files)}")
        return found + leaks(execution)


def leaks(execution: Execution) -> list[str]:
    """Where the program says that it got through."""
    said = {name: getattr(execution, name) or "" for name in ("value", "error", "stdout", "stderr")}
    return [f"{name}: {_around(text)}" for name, text in said.items() if LEAK in text]


def _around(text: str) -> str:
    at = text.index(LEAK)
    return text[max(0, at - 60) : at + 200]
