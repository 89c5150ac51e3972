"""Runs tests again as a plain user, from root.

Python may lie under /root and the checkout in a private temporary folder, where no other user can read them. So the
tests get a view of this machine (bubblewrap, with root's own rights) in which each private folder on the way is
replaced by an empty one that holds only what Python needs, read-only; inside it root becomes a plain user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mathagent.sandbox.jail import bubblewrap

from .planted import CHECKOUT

USER = 64_321
"""A number without account, files or processes."""
LIMIT_S = 400

_BECOME = """
import os, sys
user = int(sys.argv[1])
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Report:
    """What a plain user's run of the tests came to."""

    passed: int
    skipped: list[str]
    failures: list[str]
    output: str


def reason_to_skip() -> str | None:
    """Why no such run can be made here."""
    if bubblewrap() is None:
        return "no bubblewrap here to make Python readable for a plain user"
    with tempfile.TemporaryDirectory(prefix="mathagent-plain-") as home:
        tried = subprocess.run(
            (*_view(Path(home)), *_python("-c", "import pytest")), capture_output=True, check=False
        )
    return None if tried.returncode == 0 else f"no plain user can run Python here: {tried.stderr.decode()[-300:]}"


def run_tests(arguments: Sequence[str]) -> Report:
    """Runs pytest on ``arguments`` as user USER."""
    home = Path(tempfile.mkdtemp(prefix="mathagent-plain-"))
    try:
        os.chown(home, USER, USER)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        options = (
            "-p",
            "no:cacheprovider",
            "--basetemp",
            str(home / "pytest"),
            "--junit-xml",
            str(home / "report.xml"),
        )
        done = subprocess.run(
            (*_view(home), *_python("-m", "pytest", *options, *arguments)),
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=CHECKOUT,
            timeout=LIMIT_S,
        )
        return _read(home / "report.xml", done.stdout[-5000:] + done.stderr[-5000:])
    finally:
        shutil.rmtree(home)


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", _BECOME, str(USER), sys.executable, *arguments)


def _view(home: Path) -> tuple[str, ...]:
    """The command that shows what it starts this machine with Python, the checkout and ``home`` in reach."""
    path = bubblewrap()
    assert path is not None
    base = Path(os.path.realpath(sys.executable)).parents[1]
    needed = [Path(sys.prefix), Path(sys.base_prefix), base, CHECKOUT]
    needed += [Path(entry) for entry in sys.path if Path(entry).is_dir() and entry]
    covered = sorted({folder for folder in map(_private_folder, (*needed, home)) if folder is not None})
    command = [path, "--dev-bind", "/", "/", "--die-with-parent"]
    for folder in covered:
        command += ["--perms", "0755", "--tmpfs", str(folder)]
    outermost = [folder for folder in sorted(set(needed)) if not set(needed) & set(folder.parents)]
    for folder in outermost:
        for cover in covered:
            if folder.is_relative_to(cover):
                between = [
                    each for each in reversed(folder.parents) if each != cover and each.is_relative_to(cover)
                ]
                for each in between:  # bubblewrap would make them for root only
                    command += ["--perms", "0755", "--dir", str(each)]
                command += ["--ro-bind", str(folder), str(folder)]
    command += ["--bind", str(home), str(home)]
    return (*command, "--")


def _private_folder(path: Path) -> Path | None:
    """The topmost folder above ``path`` (or itself) that others cannot enter; None where they can."""
    for folder in (*reversed(path.parents), path):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def _read(report: Path, output: str) -> Report:
    if not report.exists():
        return Report(0, [], ["pytest did not report"], output)
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    failures, skipped = [], []
    for case in cases:
        for kind in ("failure", "error"):
            failures += [f"{case.get('name')}: {found.get('message', '')[:500]}" for found in case.iter(kind)]
        skipped += [f"{case.get('name')}: {found.get('message', '')[:200]}" for found in case.iter("skipped")]
    return Report(len(cases) - len(skipped) - len(failures), skipped, failures, output)
