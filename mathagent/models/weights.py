"""The model folder: which weights are there and known to be right, what a half-done download left, and the lock.

Beside ``NAME.gguf`` may lie ``NAME.gguf.verified`` (what was checked, so that it is not hashed at every start),
``NAME.gguf.SOURCE.partial`` with its journal (half of a download), and ``NAME.gguf.lock``.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mathagent.errors import ModelFileError
from mathagent.models.catalog import ModelEntry
from mathagent.storage import try_lock
from mathagent.types import Value

LOCK_POLL_S = 0.2


class ModelStatus(Value):
    """What the model folder holds of one model. Bytes are on disk; ``partial_bytes`` belong to broken downloads."""

    name: str
    path: Path
    present: bool
    stored_bytes: int
    partial_bytes: int


def target(entry: ModelEntry, folder: Path) -> Path:
    """Where the model's file lies once it is complete."""
    return folder / entry.file_name


def find(entry: ModelEntry, folder: Path) -> Path | None:
    """The complete file whose bytes were checked and have not changed since, or None.

    "Not changed" means the same size and time of modification: nothing is hashed here.
    """
    path = target(entry, folder)
    try:
        known = json.loads(_marker(path).read_text(encoding="utf-8"))
        return path if known == _fingerprint(entry, path) else None
    except (OSError, ValueError):
        return None  # no file, no marker, or a marker that cannot be read: not known to be right


def mark_verified(entry: ModelEntry, path: Path) -> None:
    """Notes that the bytes of ``path`` have just been found right."""
    write_atomically(_marker(path), json.dumps(_fingerprint(entry, path)))


def write_atomically(path: Path, text: str) -> None:
    """Writes a small file so that it is either the old or the new one after a crash."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def status(entry: ModelEntry, folder: Path) -> ModelStatus:
    """What the folder holds of ``entry``; hashes nothing."""
    path = target(entry, folder)
    return ModelStatus(
        name=entry.name,
        path=path,
        present=find(entry, folder) is not None,
        stored_bytes=_size(path),
        partial_bytes=sum(_size(file) for file in leftovers(entry, folder)),
    )


def remove(entry: ModelEntry, folder: Path) -> int:
    """Deletes the model's file and whatever downloads left of it; returns the bytes freed.

    Raises ModelFileError where a file cannot be deleted or another process is fetching the model.
    """
    path = target(entry, folder)
    if not folder.is_dir():
        return 0
    before = _size(path) + sum(_size(file) for file in leftovers(entry, folder))

    def busy() -> None:
        raise ModelFileError(f"{entry.name} is being fetched by another process; end that first")

    with locked(entry, folder, busy):
        try:
            path.unlink(missing_ok=True)
            _marker(path).unlink(missing_ok=True)
            remove_leftovers(entry, folder)
        except OSError as error:
            raise ModelFileError(f"cannot delete {path}: {error.strerror}") from error
    return before


def leftovers(entry: ModelEntry, folder: Path) -> list[Path]:
    """Files and folders of half-done downloads of ``entry``."""
    prefix, kept = entry.file_name + ".", (entry.file_name + ".verified", entry.file_name + ".lock")
    if not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if file.name.startswith(prefix) and file.name not in kept]


def remove_leftovers(entry: ModelEntry, folder: Path) -> None:
    """Deletes what half-done downloads of ``entry`` left."""
    for file in leftovers(entry, folder):
        shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)


@contextmanager
def locked(entry: ModelEntry, folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the model's lock: one process at a time fetches or deletes it.

    ``waiting`` is called again and again while another holds it. The lock is the operating system's, on an open
    file: it ends with the process that holds it, however that ends.
    """
    with target(entry, folder).with_name(entry.file_name + ".lock").open("a+b") as file:
        while not try_lock(file):
            waiting()
            time.sleep(LOCK_POLL_S)
        yield


def _marker(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _fingerprint(entry: ModelEntry, path: Path) -> dict[str, str | int]:
    facts = path.stat()
    if facts.st_size != entry.size and entry.kind == "chat":  # of an embedding model, ``size`` is what is fetched
        raise ValueError(f"{path} has {facts.st_size} bytes")
    return {"sha256": entry.sha256, "size": facts.st_size, "mtime_ns": facts.st_mtime_ns}


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is none."""
    try:
        if path.is_dir():
            return sum(_size(file) for file in path.iterdir())
        return os.stat(path).st_size  # noqa: PTH116 - one call, and a vanished file is no error here
    except OSError:
        return 0
