"""What every source of weights works with: where to write, whom to tell, and how to say that it failed."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mathagent.errors import ModelFileError
from mathagent.models.catalog import ModelEntry, size_text

MOVE_ADVICE = "free some space, or let MATHAGENT_HOME name a folder on another disk"


Finish = Callable[[Path, Path, Callable[[int, int], None]], None]
"""Makes what is kept (second path) out of what was fetched (first path), and calls back with (bytes made, of all)."""


class Report(Protocol):
    """Shows progress: of what is fetched, or (``total_bytes`` given) of what is made of it."""

    def __call__(self, done_bytes: int, message: str = "", total_bytes: int = ...) -> None: ...


class SourceFailed(ModelFileError):
    """This source cannot give the model (the message says why); another one may."""


class PullCancelled(ModelFileError):
    """The caller no longer wants the model. What is fetched so far is kept for the next time."""


@dataclass(frozen=True)
class FetchJob:
    """One model being fetched into ``folder``.

    ``cancelled()`` says whether the caller has gone; ``finish`` makes what is kept (None: what was fetched is kept).
    """

    entry: ModelEntry
    folder: Path
    report: Report
    cancelled: Callable[[], bool]
    finish: Finish | None = None

    def partial(self, kind: str) -> Path:
        """The unfinished file of the source ``kind``; sources never share one."""
        return self.folder / f"{self.entry.file_name}.{kind}.partial"

    def check_cancelled(self) -> None:
        """Raises PullCancelled where the caller has gone."""
        if self.cancelled():
            raise PullCancelled(f"fetching {self.entry.name} was cancelled; what is fetched so far is kept")

    def check_space(self, needed: int) -> None:
        """Raises ModelFileError where fewer than ``needed`` bytes are free."""
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise ModelFileError(
                f"{self.entry.name} needs {size_text(needed)} more in {self.folder}, where {size_text(free)} are free;"
                f" {MOVE_ADVICE}"
            )

    def disk_error(self, error: OSError) -> ModelFileError:
        """The one-line error for a failed read or write in the folder."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return ModelFileError(
                f"no space is left in {self.folder} for {self.entry.name} ({size_text(self.entry.size)});"
                f" {MOVE_ADVICE}, then try again: what is fetched so far is kept"
            )
        return ModelFileError(
            f"cannot store {self.entry.name} in {self.folder}: {error.strerror or error};"
            " make it writable, or let MATHAGENT_HOME name another folder"
        )
