"""One program in a clone of the zygote, as the trusted side sees it: clock, caps, kill, facts."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Limits
from mathagent.sandbox.outcome import REPORT_BYTES, Ended, EndReason, fetch_bytes, report_cap, value_chars
from mathagent.sandbox.pipes import Pipe
from mathagent.sandbox.zygote_link import Clone, ZygoteLink

EXIT_S = 5.0
"""How long the kernel may take to end a killed clone and the zygote to tell."""
DRAIN_S = 0.5
READY = b"ready\n"
"""What a clone says on its result channel once it is confined, before it reads its program."""


def numbers(limits: Limits) -> dict[str, int]:
    """The limits that the kernel keeps."""
    return {"memory_mb": limits.memory_mb, "cpu_s": math.ceil(limits.cpu_s), "file_mb": limits.file_mb}


def payload(code: str, files: Mapping[str, bytes], fetch: Sequence[str], limits: Limits, *, lower: bool) -> bytes:
    """What a clone reads: a header, the program, the files. ``lower``: it was made with wider limits than these."""
    source = code.encode("utf-8", "surrogatepass")
    header = {
        "code": len(source),
        "files": {name: len(data) for name, data in files.items()},
        "fetch": list(fetch),
        "fetch_bytes": fetch_bytes(limits),
        "value_chars": value_chars(limits),
        "limits": numbers(limits) if lower else None,
    }
    return b"".join((json.dumps(header).encode(), b"\n", source, *files.values()))


class CloneRun:
    """A clone with its pipes. ``prepare`` makes it, ``begin`` starts its clock, ``finish`` gives the facts."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[EndReason] = self.loop.create_future()
        self.clone: Clone | None = None
        self.started_at = time.monotonic()
        self._overflowed = ""
        self._timer: asyncio.TimerHandle | None = None
        caps = {"stdout": 0, "stderr": 0, "the result channel": REPORT_BYTES}
        self.pipes: dict[str, Pipe] = {}
        try:
            for name, cap in caps.items():
                self.pipes[name] = Pipe(cap, partial(self._overflow, name))
        except OSError as error:
            self.close()
            raise SandboxError(f"no pipe can be made: {error}; fewer runs at once will do") from error

    def prepare(self, link: ZygoteLink, source: int, scratch: str, *, prefault: bool = False) -> None:
        """Asks ``link`` for a clone that reads its program from ``source``, which stays the caller's."""
        request: dict[str, Any] = {"kind": "run", "limits": numbers(self.limits), "scratch": scratch}
        fds = [source, *(pipe.write_fd for pipe in self.pipes.values())]
        self.clone = link.clone(request | {"prefault": prefault}, fds)
        self.clone.exited.add_done_callback(lambda exited: self.end("lost" if exited.result().lost else "exit"))

    def begin(self, limits: Limits, fetch: Sequence[str]) -> None:
        """Starts the clock and the reading; ``limits`` may be narrower than those the clone was made with."""
        self.limits = limits
        self.pipes["stdout"].cap = self.pipes["stderr"].cap = limits.output_bytes
        self.pipes["the result channel"].cap = len(READY) + report_cap(limits, fetch)
        self.started_at = time.monotonic()
        self._timer = self.loop.call_later(limits.timeout_s, self.end, "timeout")
        for pipe in self.pipes.values():
            pipe.start()

    def end(self, reason: EndReason) -> None:
        """Says why the run is over; the first reason counts."""
        if not self.ended.done():
            self.ended.set_result(reason)

    async def finish(self) -> Ended:
        """Waits for the end, kills what is left, reads what is left. Raises SandboxError if nothing could run."""
        assert self.clone is not None
        reason = await self.ended
        wall_s = time.monotonic() - self.started_at
        self.clone.kill()
        await asyncio.wait([self.clone.exited], timeout=EXIT_S)
        if not self.clone.exited.done():
            raise SandboxError("a killed program does not end; see `mathagent doctor`")
        how = self.clone.exited.result()
        await asyncio.wait([pipe.eof for pipe in self.pipes.values()], timeout=DRAIN_S)
        if reason == "exit" and self._overflowed:  # by what was still in the pipe
            reason = "output-limit"
        stdout, stderr, report = (bytes(pipe.data) for pipe in self.pipes.values())
        if reason == "exit" and not report.startswith(READY):
            said = how.failed or report.decode("utf-8", "replace") or f"wait status {how.status}"
            raise SandboxError(f"no program could be confined ({said}); see `mathagent doctor`")
        return Ended(
            reason=reason,
            detail=self._overflowed,
            stdout=stdout,
            stderr=stderr,
            report=report[len(READY) :],
            control=b"ready\nexit %d %d\n" % (how.status, how.peak_kb),
            wall_s=wall_s,
            cpu_s=how.cpu_s,
        )

    def close(self) -> None:
        """Kills what still runs and closes every descriptor; safe to call twice."""
        if self._timer is not None:
            self._timer.cancel()
        if self.clone is not None:
            self.clone.close()
        for pipe in self.pipes.values():
            pipe.close()

    def _overflow(self, pipe: str) -> None:
        self._overflowed = self._overflowed or pipe
        self.end("output-limit")
