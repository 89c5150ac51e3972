"""A small sandbox for tests of the wire: it "runs" one-line orders in its own process, with sessions and snapshots.

Orders: ``say TEXT``, ``sleep SECONDS``, ``fault`` (a bug in the sandbox), ``broken`` (SandboxError), ``die`` (the
server kills itself), ``print`` (to stdout), ``big BYTES``, ``keep NAME``, ``names``, ``fetch``, ``pid``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mathagent.errors import SandboxError
from mathagent.sandbox.base import Layer, Limits
from mathagent.types import Execution

ROOT = Path(__file__).parents[1]


def server_command(sandbox: str = "hosted_sandbox:HostedSandbox", parallel: int = 4) -> list[str]:
    """Starts a real server that hosts ``sandbox``, from this checkout."""
    program = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n"
        "from mathagent.sandbox.serve import main; sys.exit(main(sys.argv[1:]))"
    )
    # a module path must have a dot to be one
    name = sandbox.replace("hosted_sandbox:", "tests.hosted_sandbox:")
    return [sys.executable, "-c", program, "--sandbox", name, "--parallel", str(parallel)]


class HostedSandbox:
    """See the module."""

    name = "hosted"
    label = "hosted/T"

    def __init__(self, max_parallel: int = 2, unsafe: bool = False) -> None:
        self.max_parallel, self.running, self.most = max_parallel, 0, 0
        self.sessions = 0
        self.closed = False
        self.cancelled: list[str] = []

    async def run(
        self,
        code: str,
        limits: Limits | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        fetch: Sequence[str] = (),
    ) -> Execution:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self.obey(code, limits or Limits(), dict(files or {}), fetch, [])
        except asyncio.CancelledError:
            self.cancelled.append(code)
            raise
        finally:
            self.running -= 1

    async def session(
        self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None
    ) -> HostedSession:
        self.sessions += 1
        return HostedSession(self, limits or Limits(), [])

    def layers(self) -> list[Layer]:
        return [Layer(name="pretence", active=True, detail="a test double")]

    async def aclose(self) -> None:
        self.closed = True

    async def obey(
        self, code: str, limits: Limits, files: dict[str, bytes], fetch: Sequence[str], names: list[str]
    ) -> Execution:
        order, _, rest = code.partition(" ")
        done = Execution(status="ok", sandbox=self.label)
        match order:
            case "say":
                return done.model_copy(update={"stdout": rest})
            case "sleep":
                await asyncio.sleep(float(rest))
            case "fault":
                raise KeyError("a bug")
            case "broken":
                raise SandboxError("no program can be started: the disk is full")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "print":
                print("noise on stdout", flush=True)
                os.write(1, b"more noise\n")
            case "big":
                return done.model_copy(update={"stdout": "x" * int(rest)})
            case "keep":
                names.append(rest)
            case "names":
                return done.model_copy(update={"value": " ".join(names)})
            case "fetch":
                return done.model_copy(update={"files": {name: files[name] for name in fetch if name in files}})
            case "once":  # with a file's path: an error the second time
                if not made_new(Path(rest)):
                    return Execution(status="error", error="FileExistsError: not again", sandbox=self.label)
            case "pid":
                return done.model_copy(update={"value": str(os.getpid())})
            case _:
                return Execution(status="error", error=f"SyntaxError: {code!a}", sandbox=self.label)
        return done


class HostedSession:
    """A session is the names kept so far; the order ``once`` goes wrong in a second process of the same test."""

    def __init__(self, sandbox: HostedSandbox, limits: Limits, names: list[str]) -> None:
        self.sandbox, self.limits, self.names = sandbox, limits, names

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, *, fetch: Sequence[str] = ()
    ) -> Execution:
        return await self.sandbox.obey(code, self.limits, dict(files or {}), fetch, self.names)

    async def snapshot(self) -> HostedSession:
        self.sandbox.sessions += 1
        return HostedSession(self.sandbox, self.limits, list(self.names))

    async def aclose(self) -> None:
        self.sandbox.sessions -= 1


def made_new(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
