"""Our ways to run a program, and the table of all that benchmarks/sandbox.py compares.

Read by the Python of each peer too, which has no mathagent: it is imported in ``start``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox_peers import (
    STATE_MB,
    Bubblewrap,
    InProcess,
    InspectLocal,
    Jupyter,
    Mode,
    Pyodide,
    PythonC,
    Smolagents,
)

if TYPE_CHECKING:
    from mathagent.sandbox.base import Sandbox, Session
    from mathagent.types import Execution


class Ours(Mode):
    """A fresh program for each run, in the sandbox that ``open`` makes."""

    packages = ("mathagent", "sympy", "numpy")

    def open(self) -> Sandbox:
        from mathagent.sandbox.process import ProcessSandbox

        return ProcessSandbox()

    async def start(self) -> None:
        self.sandbox = self.open()

    def versions(self) -> dict[str, str]:
        return super().versions() | {"sandbox": self.sandbox.label}

    async def run(self, code: str) -> str:
        return _printed(await self.sandbox.run(code))

    async def aclose(self) -> None:
        await self.sandbox.aclose()


class OneShot(Ours):
    label = "**ours: `process`, one-shot**"
    throughput = True


class Ready(Ours):
    label = "**ours: `process`, ready pool of 3**"
    throughput = True

    def open(self) -> Sandbox:
        from mathagent.sandbox.process import ProcessSandbox

        return ProcessSandbox(ready=3)


class SessionCell(Ours):
    label = "**ours: `process`, cell of a session (state kept)**"

    async def start(self) -> None:
        await super().start()
        self.session = await self.sandbox.session()

    async def run(self, code: str) -> str:
        return _printed(await self.session.run(code))

    async def aclose(self) -> None:
        await self.session.aclose()
        await super().aclose()


class SnapshotCell(SessionCell):
    label = "**ours: `process`, snapshot of a session + cell**"

    async def run(self, code: str) -> str:
        self.branch: Session = await self.session.snapshot()
        return _printed(await self.branch.run(code))

    async def finish(self, printed: str) -> str:
        await self.branch.aclose()
        return printed


class BigSnapshot(SessionCell):
    """Only the snapshot is timed; a cell in it, untimed, shows that the state is there."""

    label = f"**ours: `process`, snapshot of {STATE_MB} MB of state**"
    kinds = ("snapshot",)

    async def start(self) -> None:
        await super().start()
        _printed(await self.session.run(f"state = [bytearray(b'x') * 2**20 for _ in range({STATE_MB})]"))

    async def run(self, code: str) -> str:
        self.code, self.branch = code, await self.session.snapshot()
        return ""

    async def finish(self, printed: str) -> str:
        try:
            return _printed(await self.branch.run(self.code))
        finally:
            await self.branch.aclose()


class Subprocess(Ours):
    label = "**ours: `subprocess`**"

    def open(self) -> Sandbox:
        from mathagent.sandbox.fresh_process import FreshProcessSandbox

        return FreshProcessSandbox()


MODES: dict[str, type[Mode]] = {
    "exec": InProcess,
    "python-c": PythonC,
    "bubblewrap": Bubblewrap,
    "jupyter": Jupyter,
    "smolagents": Smolagents,
    "pyodide": Pyodide,
    "inspect": InspectLocal,
    "one-shot": OneShot,
    "ready": Ready,
    "session": SessionCell,
    "snapshot": SnapshotCell,
    "big-snapshot": BigSnapshot,
    "subprocess": Subprocess,
}


def _printed(execution: Execution) -> str:
    if not execution.ok:
        raise RuntimeError(f"{execution.status}: {execution.error}")
    return execution.stdout
