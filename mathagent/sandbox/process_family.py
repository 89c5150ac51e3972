"""The processes of a session: the first one, and those forked from it for snapshots."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Protocol

from mathagent.sandbox.zygote_link import pid_of


class ProcessHandle(Protocol):
    """A process that can be signalled and ended."""

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process itself."""
        ...

    def kill(self) -> None:
        """Ends the process and all below it; does not wait."""
        ...

    def close(self) -> None:
        """Ends it and frees what is held for it; safe to call twice."""
        ...

    def pid(self) -> int:
        """Its number as this process sees it; 0 if unknown."""
        ...

    async def wait_status(self) -> int | None:
        """The wait status once it has ended; None where nobody can tell."""
        ...


class Branch:
    """A process forked for a snapshot; its pidfd came from the session, so it may be anything."""

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd

    def send(self, number: signal.Signals) -> None:
        with suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)

    def close(self) -> None:
        if self._pidfd >= 0:
            self.kill()
            os.close(self._pidfd)
            self._pidfd = -1

    def pid(self) -> int:
        return pid_of(self._pidfd)

    async def wait_status(self) -> int | None:
        return None


class Family:
    """A first process and its forks: all live in its PID namespace, so it must outlive them."""

    def __init__(self, root: ProcessHandle) -> None:
        self.root, self.members = root, 0

    def leave(self) -> None:
        self.members -= 1
        if self.members == 0:
            self.root.close()
