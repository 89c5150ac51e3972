"""From what is known about an ended run to its Execution. Pure: no process, no clock.

Kernel facts (wait status, CPU time, who killed it) decide; the program's own report is text from a stranger. It
shares its process with whatever writes the report, so it can forge any: it is parsed strictly, capped, and believed
only about things on which the program might as well have printed a lie.
"""

from __future__ import annotations

import math
import os
import re
import signal
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Base64Bytes, Field, ValidationError

from mathagent.sandbox.base import Limits
from mathagent.types import Execution, ExecutionStatus, Value

REPORT_BYTES = 2**20
"""Cap on a report without files: more is a flood, not a report."""
MAX_PROCESSES = 64
CUT = "… (cut)"

_EXIT = re.compile(rb"^exit (\d{1,6}) (\d{1,12})$", re.MULTILINE)

EndReason = Literal["exit", "timeout", "output-limit", "memory", "processes", "closed", "lost"]


class Report(Value):
    """What the worker writes on the result pipe, in JSON."""

    status: Literal["ok", "error", "memory"]
    value: str | None = Field(default=None, max_length=REPORT_BYTES)
    error: str | None = Field(default=None, max_length=2_000)
    traceback: str | None = Field(default=None, max_length=20_000)
    files: dict[str, Base64Bytes] = Field(default_factory=dict)


class Ended(Value):
    """The facts of an ended run.

    ``reason`` is why the trusted side stopped waiting, ``detail`` the pipe that overflowed. ``root_exit`` is the exit
    code of the outermost process (negative: its signal; None: not known), ``control`` what the supervisor wrote.
    ``killed_at_mb`` is the tree's peak memory as seen at the kill, 0 if it was not killed.
    """

    reason: EndReason
    detail: str = ""
    root_exit: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    report: bytes = b""
    control: bytes = b""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    killed_at_mb: float = 0.0

    @property
    def started(self) -> bool:
        """Whether the worker came as far as the program: said before the program can say anything."""
        return self.control.startswith(b"ready")

    @property
    def exit_code(self) -> int | None:
        """Exit code of the program (negative: its signal); of the root process where nobody reported it."""
        reported = _EXIT.search(self.control)
        if reported is None:
            return self.root_exit
        status = int(reported[1])
        try:
            return os.waitstatus_to_exitcode(status) if status <= 0xFFFF else self.root_exit
        except ValueError:  # no wait status: a program that got hold of the control pipe wrote it
            return self.root_exit

    @property
    def peak_memory_mb(self) -> float:
        """Peak resident set of the program, MB."""
        reported = _EXIT.search(self.control)
        return self.killed_at_mb if reported is None else int(reported[2]) / 1024


def value_chars(limits: Limits) -> int:
    """How long the text of a value may be; longer ones are cut, and end in ``CUT``."""
    return min(limits.output_bytes, 500_000)


def report_cap(limits: Limits, fetch: Sequence[str]) -> int:
    """How many bytes a report may have: with fetched files, those in base64 as well."""
    return REPORT_BYTES + (fetch_bytes(limits) * 4 // 3 if fetch else 0)


def fetch_bytes(limits: Limits) -> int:
    """How many bytes of files are brought back at most."""
    return min(limits.file_mb, 16) * 2**20


def conclude(ended: Ended, limits: Limits, sandbox: str = "", fetch: Sequence[str] = ()) -> Execution:
    """The Execution of ``ended``, with those files of the report that ``fetch`` names. Never raises."""
    status, fields = _verdict(ended, limits)
    files, value = fields.pop("files", {}), fields.pop("value", None)
    return Execution(
        sandbox=sandbox,
        files={name: data for name, data in files.items() if name in fetch},
        value=value and value[: value_chars(limits) + len(CUT)],
        status=status,
        stdout=ended.stdout.decode("utf-8", "replace"),
        stderr=ended.stderr.decode("utf-8", "replace"),
        wall_s=ended.wall_s,
        cpu_s=ended.cpu_s,
        peak_memory_mb=ended.peak_memory_mb,
        **fields,
    )


def _verdict(ended: Ended, limits: Limits) -> tuple[ExecutionStatus, dict[str, Any]]:
    if ended.reason == "timeout":
        return "timeout", {"error": f"stopped: still running after {limits.timeout_s:g} s"}
    if ended.reason == "output-limit":
        return "output-limit", {"error": f"stopped: wrote more than allowed to {ended.detail}"}
    if ended.reason == "memory":
        return "memory", {"error": f"stopped: used more than {limits.memory_mb} MB of memory"}
    if ended.reason == "processes":
        return "refused", {"error": f"stopped: started more than {MAX_PROCESSES} processes"}
    if ended.reason == "closed":
        return "refused", {"error": "stopped: the sandbox was closed"}
    if ended.reason == "lost":
        return "crashed", {"error": "stopped: the sandbox's own process was ended from outside; run it again"}
    code = ended.exit_code
    if code is None or code > 0:
        return "error", {"error": f"the program ended itself with exit code {code}"}
    return _by_signal(-code, ended, limits) if code < 0 else by_report(ended.report)


def _by_signal(number: int, ended: Ended, limits: Limits) -> tuple[ExecutionStatus, dict[str, Any]]:
    # the clock of the limit counts in ticks and runs ahead of the sum that is reported, the more so on a busy machine
    if number == signal.SIGKILL and ended.cpu_s > 0.6 * math.ceil(limits.cpu_s):
        return "timeout", {"error": f"stopped: used up its {math.ceil(limits.cpu_s)} s of CPU time"}
    if number == signal.SIGKILL and ended.peak_memory_mb > 0.8 * limits.memory_mb:
        return "memory", {"error": "stopped by the system while it used much memory"}
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return "crashed", {"error": f"crashed: {name}", "signal": number}


def by_report(data: bytes) -> tuple[ExecutionStatus, dict[str, Any]]:
    """Status and fields that a program says of itself."""
    if not data:
        return "error", {"error": "the program ended its process or closed its result channel: no result"}
    try:
        report = Report.model_validate_json(data, strict=True)
    except (ValidationError, RecursionError):
        return "error", {"error": "the program broke its result channel: no result"}
    fields = report.model_dump(exclude={"status", "files"}) | {"files": report.files}
    if report.status == "ok":
        return "ok", {"value": fields["value"], "files": fields["files"]}
    return report.status, fields | {"value": None, "error": report.error or "failed without a message"}
