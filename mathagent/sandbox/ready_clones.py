"""Clones made ahead of time: confined, their pages touched, waiting for a program. For one run with little waiting."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

from mathagent.sandbox.base import Limits
from mathagent.sandbox.clone_run import CloneRun, payload
from mathagent.sandbox.zygote_host import ZygoteHost

WIDEST = Limits(cpu_s=120, memory_mb=2048)
"""What they are made for; a program may have less. Others, and long programs, get a clone of their own."""
PIPE_BYTES = 60_000
"""What surely fits an empty pipe in one write."""


class ReadyClones:
    """Up to ``count`` clones in waiting, oldest first. Only where runs have namespaces (and so their own scratch)."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: list[tuple[CloneRun, int]] = []

    def take(self, code: str, limits: Limits, files: Mapping[str, bytes], fetch: Sequence[str]) -> CloneRun | None:
        """A clone that has begun to run ``code``; None where none waits or none fits."""
        narrower = (
            limits.memory_mb <= WIDEST.memory_mb
            and limits.cpu_s <= WIDEST.cpu_s
            and limits.file_mb <= WIDEST.file_mb
        )
        data = payload(code, files, fetch, limits, lower=True) if narrower and self._waiting else b""
        if not data or len(data) > PIPE_BYTES:
            return None
        while self._waiting:
            run, source = self._waiting.pop(0)
            if run.ended.done():
                run.close()
                os.close(source)
                continue
            run.begin(limits, fetch)
            with suppress(BrokenPipeError):  # it has ended just now; its own end says so
                os.write(source, data)
            os.close(source)
            return run
        return None

    def refill(self, host: ZygoteHost) -> None:
        """Makes as many as are missing. Raises SandboxError, OSError."""
        while len(self._waiting) < self._count and host.link.hello.namespaces:
            read_fd, write_fd = os.pipe()
            run = CloneRun(WIDEST)
            try:
                run.prepare(host.link, read_fd, host.jail.scratch, prefault=True)
            except BaseException:
                run.close()
                os.close(write_fd)
                raise
            finally:
                os.close(read_fd)
            self._waiting.append((run, write_fd))

    def drop(self) -> None:
        """Ends them all."""
        for run, source in self._waiting:
            run.close()
            os.close(source)
        self._waiting.clear()
