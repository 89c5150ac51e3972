"""TraceFile: where a trace, or what else is made of a solution, is written: found out before, written in one piece."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from mathagent.errors import StorageError, UsageError


class TraceFile:
    """The file at ``path``, which need not be there yet; its folder must.

    Raises UsageError where it cannot be written, so that nobody waits for a solve whose trace has no place. The file
    itself is not touched before ``write``. ``wanted_by`` stands before what is wrong, ``what`` is what is written.
    """

    def __init__(self, path: Path, *, wanted_by: str = "--trace", what: str = "the trace") -> None:
        self._what = what
        try:
            self.path = path.expanduser().resolve()  # a link is kept, and the file behind it written
            mode = self.path.stat().st_mode if self.path.exists() else None
            if mode is not None and not stat.S_ISREG(mode):
                raise UsageError(f"{wanted_by} {path}: this is no plain file; name a file, for example trace.html")
            if mode is not None and not os.access(self.path, os.W_OK):
                raise UsageError(f"{wanted_by} {path}: the file is there and may not be written; name another one")
            self._mode = mode
            self._write_beside(b"").unlink()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL in the name
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(
                f"{wanted_by} {path}: cannot write there ({reason}); name a file you can write"
            ) from error

    def write(self, page: str | bytes) -> None:
        """Puts ``page`` there, text as UTF-8: after a crash the file is the old or the new one. Raises StorageError."""
        try:
            written = self._write_beside(page.encode("utf-8") if isinstance(page, str) else page)
            try:
                if self._mode is not None:
                    written.chmod(stat.S_IMODE(self._mode))
                written.replace(self.path)
            except OSError:
                written.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StorageError(f"cannot write {self._what} to {self.path}: {error.strerror}") from error

    def _write_beside(self, data: bytes) -> Path:
        """A new file with ``data`` in the same folder; nothing is left of it where that fails."""
        beside = self.path.with_name(f".trace-{secrets.token_hex(6)}")
        try:
            with beside.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        return beside
