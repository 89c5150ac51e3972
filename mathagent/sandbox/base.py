"""The Sandbox protocol and the limits of one run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from mathagent.types import Execution, Value


class Limits(Value):
    """Bounds of one run. ``timeout_s`` is wall clock, ``output_bytes`` caps stdout and stderr each."""

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


class Sandbox(Protocol):
    """Runs programs that nobody trusts. One sandbox serves many concurrent runs, each apart from all others."""

    name: str

    async def run(
        self, code: str, limits: Limits | None = None, files: Mapping[str, bytes] | None = None
    ) -> Execution:
        """Runs ``code`` as a fresh program and says what happened.

        The value of the last expression statement becomes ``Execution.value`` (as in a notebook). ``files``
        (relative name → content) are laid into the private scratch folder, the working directory. Whatever
        the program does is an Execution; SandboxError is raised only where no program can run at all.
        Cancelling the call kills the program and all it started.
        """
        ...

    def layers(self) -> list[Layer]:
        """What holds on this machine and what does not, for ``mathagent doctor`` and the record of a run."""
        ...

    async def aclose(self) -> None:
        """Ends every run and process; safe to call twice."""
        ...
