"""The first sandbox: a new Python process for each run, with limits, a private scratch folder and no environment.

Simple and slow: 24 ms of CPU a run (``python -c``: 14), 490 ms with a SymPy solve, nearly all of it the import.
What it protects from and what not is in docs/security.md; ``layers`` says it for this machine.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from mathagent.config import child_environment, python_executable
from mathagent.errors import SandboxError
from mathagent.sandbox import process_tree
from mathagent.sandbox.base import Layer, Limits
from mathagent.sandbox.child import Child
from mathagent.sandbox.outcome import MAX_PROCESSES, Ended, conclude
from mathagent.types import Execution

WORKER = Path(__file__).with_name("worker.py")


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
        self._closed = False

    async def run(
        self, code: str, limits: Limits | None = None, files: Mapping[str, bytes] | None = None
    ) -> Execution:
        """Runs ``code`` as a fresh program; see ``Sandbox.run``. A file name outside the scratch is "refused"."""
        limits = limits or Limits()
        for name in files or {}:
            if not _stays_inside(name):
                return Execution(status="refused", error=f"file name {name!r} does not stay in the scratch folder")
        async with self._slots:
            if self._closed:
                raise SandboxError("the sandbox is closed; open a new one")
            try:
                folder = _new_folder()
            except OSError as error:
                raise SandboxError(
                    f"no scratch folder can be made: {error}; free or name another TMPDIR"
                ) from error
            try:
                ended = await self._run_in(folder, code, limits, files or {})
            finally:
                # in a thread and shielded: a program may leave many files, and a second cancel must not stop this
                loop = asyncio.get_running_loop()
                await asyncio.shield(loop.run_in_executor(None, remove_folder, folder))
        if not ended.started and ended.reason == "exit":
            said = (ended.stderr or ended.control).decode("utf-8", "replace").strip()
            message = said.splitlines() or ["no message"]
            raise SandboxError(f"the sandbox's Python did not start: {message[-1]}; see `mathagent doctor`")
        return conclude(ended, limits)

    async def aclose(self) -> None:
        """Ends every run (they return as "refused"); safe to call twice."""
        self._closed = True
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

    async def _run_in(self, folder: Path, code: str, limits: Limits, files: Mapping[str, bytes]) -> Ended:
        scratch = folder / "scratch"
        child = Child(self._jail, limits)
        self._children.add(child)
        try:
            request = self._lay_out(folder, scratch, code, limits, files)
            python = (python_executable(), "-P", "-s", "-X", "utf8", str(WORKER))
            child.start((*python, str(request)), _environment(scratch), scratch)
            await child.ended
            return await child.finish()
        except OSError as error:
            raise SandboxError(f"no program can be started: {error}") from error
        finally:
            child.close()
            self._children.discard(child)

    def _lay_out(self, folder: Path, scratch: Path, code: str, limits: Limits, files: Mapping[str, bytes]) -> Path:
        """Writes the files and the worker's request; returns the request's path."""
        scratch.mkdir()
        for name, content in files.items():
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        # Without a namespace RLIMIT_NPROC would count every process of the user.
        processes = MAX_PROCESSES if self._jail else 0
        value_chars = min(limits.output_bytes, 65_536)
        numbers = (limits.memory_mb, math.ceil(limits.cpu_s), limits.file_mb, processes, value_chars)
        request = folder / "request"
        request.write_bytes(" ".join(map(str, numbers)).encode() + b"\n" + code.encode("utf-8", "surrogatepass"))
        return request


def _new_folder() -> Path:
    # resolved: where /tmp is a link, the program's own idea of its folder is the same
    return Path(tempfile.mkdtemp(prefix="mathagent-run-")).resolve()


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
