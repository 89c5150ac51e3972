"""The first sandbox: a new Python process for each run, with limits, a private scratch folder and no environment.

Simple and slow: 24 ms of CPU a run (``python -c``: 14), 490 ms with a SymPy solve, nearly all of it the import.
What it protects from and what not is in docs/security.md; ``layers`` says it for this machine.
"""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mathagent.config import child_environment, python_executable
from mathagent.errors import SandboxError
from mathagent.sandbox import process_tree
from mathagent.sandbox.base import Layer, Limits
from mathagent.sandbox.cell_process import CellProcess
from mathagent.sandbox.child import Child
from mathagent.sandbox.fresh_cells import attach_fresh
from mathagent.sandbox.outcome import MAX_PROCESSES, Ended, conclude, fetch_bytes, report_cap, value_chars
from mathagent.sandbox.scratch import lay_out, new_folder, refused_name, remove_beside_loop
from mathagent.sandbox.session import LiveSession, open_session
from mathagent.types import Execution

WORKER = Path(__file__).parent / "inside" / "worker.py"
SESSION_CPU = 100
"""A session's process may use so many times the CPU seconds of one cell."""


class FreshProcessSandbox:
    """Runs each program in a process of its own.

    At most ``max_parallel`` run at a time (default: one a CPU, at least 2); others wait, and their clock starts when
    they do. ``namespaces=False`` does without Linux namespaces where they would work (weaker; for tests).
    """

    name = "subprocess"

    def __init__(self, max_parallel: int | None = None, namespaces: bool = True) -> None:
        self._slots = asyncio.Semaphore(max_parallel or max(2, os.cpu_count() or 1))
        self._jail = process_tree.namespace_prefix() if namespaces else ()
        self._children: set[Child] = set()
        self._sessions: set[LiveSession] = set()
        self._closed = False

    @property
    def label(self) -> str:
        """The name: there are no tiers."""
        return self.name

    async def run(
        self,
        code: str,
        limits: Limits | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        fetch: Sequence[str] = (),
    ) -> Execution:
        """Runs ``code`` as a fresh program; see ``Sandbox.run``. A file name outside the scratch is "refused"."""
        limits, files = limits or Limits(), files or {}
        refused = refused_name((*files, *fetch))
        if refused:
            return Execution(status="refused", error=refused, sandbox=self.name)
        async with self._slots:
            if self._closed:
                raise SandboxError("the sandbox is closed; open a new one")
            folder = new_folder("run")
            try:
                ended = await self._run_in(folder, code, limits, files, fetch)
            finally:
                await remove_beside_loop(folder)
        if not ended.started and ended.reason == "exit":
            said = (ended.stderr or ended.control).decode("utf-8", "replace").strip()
            message = said.splitlines() or ["no message"]
            raise SandboxError(f"the sandbox's Python did not start: {message[-1]}; see `mathagent doctor`")
        return conclude(ended, limits, self.name, fetch)

    async def session(self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None) -> LiveSession:
        """Opens a session; see ``Sandbox.session``. A snapshot runs the finished cells again in a new folder."""
        if sys.platform == "win32":
            raise SandboxError("the subprocess sandbox has no sessions on Windows; use --sandbox docker")
        return await open_session(self._start_cells, self._slots, self._sessions, limits, files, forks=False)

    async def aclose(self) -> None:
        """Ends every run (they return as "refused") and session; safe to call twice."""
        self._closed = True
        for session in list(self._sessions):
            await session.aclose()
        while self._children:
            for child in self._children:
                child.end("closed")
            await asyncio.sleep(0.005)

    def layers(self) -> list[Layer]:
        """What holds on this machine."""
        posix, jailed, linux = os.name == "posix", bool(self._jail), sys.platform == "linux"
        tree = {
            True: "the kernel kills the run's PID namespace, daemons included",
            False: "process group"
            + (" and all that carry the run's token; not those that drop it" if linux else ""),
        }
        apart = "has its own user, PID, network and IPC namespace" if jailed else "no namespaces here"
        return [
            Layer(name="time-out", active=True, detail="wall clock, kept outside the program"),
            Layer(name="output caps", active=True, detail="stdout, stderr and result, while reading"),
            Layer(name="CPU limit", active=posix, detail="RLIMIT_CPU, soft = hard, for each process"),
            Layer(
                name="memory limit", active=linux, detail="RLIMIT_AS for each process, sampling for all together"
            ),
            Layer(name="file limits", active=posix, detail="RLIMIT_FSIZE for each file, 64 open files; no total"),
            Layer(name="process limit", active=linux, detail=f"{MAX_PROCESSES}, by sampling every 0.25 s"),
            Layer(name="tree kill", active=jailed, detail=tree[jailed]),
            Layer(name="other processes", active=jailed, detail=f"signals and tracing: {apart}"),
            Layer(name="network", active=jailed, detail=f"{'blocked' if jailed else 'not blocked'}: {apart}"),
            Layer(name="environment", active=True, detail="empty but for what Python needs"),
            Layer(name="scratch", active=True, detail="a new folder for each run, deleted afterwards"),
            Layer(name="files", active=False, detail="readable and writable as by you: not isolated"),
            Layer(name="user", active=False, detail="programs run as the user who runs mathagent, root included"),
        ]

    async def _run_in(
        self, folder: Path, code: str, limits: Limits, files: Mapping[str, bytes], fetch: Sequence[str]
    ) -> Ended:
        scratch = folder / "scratch"
        child = Child(self._jail, limits)
        self._children.add(child)
        try:
            scratch.mkdir()
            lay_out(scratch, files)
            request = self._request(folder, code, limits, fetch)
            child.start(_command(request), _environment(scratch), scratch, report_cap(limits, fetch))
            await child.ended
            return await child.finish()
        except OSError as error:
            raise SandboxError(f"no program can be started: {error}") from error
        finally:
            child.close()
            self._children.discard(child)

    async def _start_cells(self, limits: Limits, files: Mapping[str, bytes]) -> CellProcess:
        """A new process for a session."""
        if self._closed:
            raise SandboxError("the sandbox is closed; open a new one")
        process = CellProcess(self.name)
        try:
            process.folder = new_folder("session")
            scratch = process.folder / "scratch"
            scratch.mkdir()
            lay_out(scratch, files)
            wide = limits.model_copy(update={"cpu_s": SESSION_CPU * limits.cpu_s})
            request = self._request(process.folder, "", wide, (), session=True)
            command = (*self._jail, *_command(request))
            await attach_fresh(process, command, _environment(scratch), scratch, bool(self._jail))
        except OSError as error:
            process.close()
            raise SandboxError(f"no session can be started: {error}") from error
        except BaseException:
            process.close()
            raise
        return process

    def _request(
        self, folder: Path, code: str, limits: Limits, fetch: Sequence[str], *, session: bool = False
    ) -> Path:
        """Writes the worker's request; returns its path."""
        # Without a namespace RLIMIT_NPROC would count every process of the user.
        processes = MAX_PROCESSES if self._jail else 0
        chars = value_chars(limits)
        numbers = (limits.memory_mb, math.ceil(limits.cpu_s), limits.file_mb, processes, chars)
        lines = (" ".join(map(str, (*numbers, fetch_bytes(limits), int(session)))), "\0".join(fetch), code)
        request = folder / "request"
        request.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        return request


def _command(request: Path) -> tuple[str, ...]:
    return (python_executable(), "-P", "-s", "-X", "utf8", str(WORKER), str(request))


def _environment(scratch: Path) -> dict[str, str]:
    """The whole environment of a program. One thread for BLAS, and one seed, so that runs repeat exactly."""
    fixed = {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "PYTHONHASHSEED": "0",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }
    kept = child_environment().get("SYSTEMROOT")  # Python does not start without it on Windows
    return fixed | ({"SYSTEMROOT": kept, "TEMP": str(scratch), "TMP": str(scratch)} if kept else {})
