"""The Sandbox and Session protocols, and the limits of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import Field

from mathagent.types import Execution, Value


class Limits(Value):
    """Bounds of one run, or of one cell of a session.

    ``timeout_s`` is wall clock, ``output_bytes`` caps stdout and stderr each, ``file_mb`` the scratch folder (where
    the backend can bound it, else each file in it) and, up to 16, the fetched files together.
    """

    timeout_s: float = Field(default=10.0, gt=0)
    cpu_s: float = Field(default=10.0, gt=0)
    memory_mb: int = Field(default=1024, ge=64)
    output_bytes: int = Field(default=65_536, ge=1)
    file_mb: int = Field(default=64, ge=1)


class Layer(Value):
    """One layer of protection of a sandbox: does it hold on this machine, and what that means for a program."""

    name: str
    active: bool
    detail: str


class Session(Protocol):
    """A Python namespace that lives on between its cells, apart from all other runs and sessions."""

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, *, fetch: Sequence[str] = ()
    ) -> Execution:
        """Runs one cell and says what happened, as ``Sandbox.run`` does; the limits count for each cell anew.

        Names, imports and files that a cell leaves are there for the next one. A cell past its time is
        interrupted, and killed where it does not heed that. A process that died, or had to be killed, is replaced
        before the next cell by a new one in which the finished cells are run again; where they do not all finish
        there, the cell is "refused" and says so. Cells of one session run one after another.
        """
        ...

    async def snapshot(self) -> Session:
        """A second session that continues from the present state; the two do not see each other's later names.

        Files are shared or copied, as the backend says. Close both. Raises SandboxError where it cannot be made.
        """
        ...

    async def aclose(self) -> None:
        """Ends the session and frees what it holds; safe to call twice. Its snapshots live on."""
        ...


class Sandbox(Protocol):
    """Runs programs that nobody trusts. One sandbox serves many concurrent runs, each apart from all others."""

    name: str

    @property
    def label(self) -> str:
        """What held when programs ran, for records: the name, and the tier where the backend has tiers."""
        ...

    async def run(
        self,
        code: str,
        limits: Limits | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        fetch: Sequence[str] = (),
    ) -> Execution:
        """Runs ``code`` as a fresh program and says what happened.

        The value of the last expression statement becomes ``Execution.value`` (as in a notebook). ``files``
        (relative name → content) are laid into the private scratch folder, the working directory; those named in
        ``fetch`` are brought back in ``Execution.files`` if the program left them as plain files. Whatever
        the program does is an Execution; SandboxError is raised only where no program can run at all.
        Cancelling the call kills the program and all it started.
        """
        ...

    async def session(self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None) -> Session:
        """Opens a session; ``files`` are laid into its scratch folder. Raises SandboxError where it cannot."""
        ...

    def layers(self) -> list[Layer]:
        """What holds on this machine and what does not, for ``mathagent doctor`` and the record of a run."""
        ...

    async def aclose(self) -> None:
        """Ends every run, session and process; safe to call twice."""
        ...
