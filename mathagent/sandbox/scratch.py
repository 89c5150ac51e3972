"""Scratch folders on disk, and which file names may go into one."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from mathagent.config import child_environment
from mathagent.errors import SandboxError

DROP_TO = 61_999
"""The plain user that root's programs run as; a number without an account and without files."""
_FOLDER = re.compile(r"^mathagent-(?:run|session|sandbox)-(\d+)-")


def new_folder(kind: str) -> Path:
    """A new private folder for ``kind`` of use. Raises SandboxError where none can be made."""
    try:
        # resolved: where /tmp is a link, the program's own idea of its folder is the same
        return Path(tempfile.mkdtemp(prefix=f"mathagent-{kind}-{os.getpid()}-")).resolve()
    except OSError as error:
        raise SandboxError(f"no scratch folder can be made: {error}; free or name another TMPDIR") from error


def sweep() -> None:
    """Removes the folders of processes of ours that were killed and could not do it themselves."""
    for folder in Path(tempfile.gettempdir()).glob("mathagent-*-*-*"):
        found = _FOLDER.match(folder.name)
        if found is None or alive(int(found[1])):
            continue
        with suppress(OSError, SandboxError):  # somebody else's
            if folder.lstat().st_uid in (os.getuid(), DROP_TO) and not folder.is_symlink():
                remove_folder(folder)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def refused_name(names: Iterable[str]) -> str | None:
    """Why one of ``names`` is no file of a scratch folder; None where all are."""
    for name in names:
        parts = PurePosixPath(name).parts
        inside = parts and not PurePosixPath(name).is_absolute() and ".." not in parts
        if not inside or set(name) & {"\\", "\0", ":"} or not name.isprintable():
            return f"file name {name!r} does not stay in the scratch folder"
    return None


def lay_out(scratch: Path, files: Mapping[str, bytes]) -> None:
    """Writes ``files`` into ``scratch``. Raises OSError."""
    for name, content in files.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


async def remove_beside_loop(folder: Path) -> None:
    """``remove_folder`` in a thread, and shielded: a program may leave much, and a second cancel must not stop it."""
    await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, remove_folder, folder))


def remove_folder(folder: Path) -> None:
    """Deletes ``folder``, whatever a program made in it: no modes, a tree too deep for Python's own rmtree.

    Raises SandboxError if something is left.
    """
    try:
        for name in ("request", "scratch"):  # the usual case: nothing was written
            path = folder / name
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        folder.rmdir()
        return
    except OSError:
        pass
    if os.name == "posix":
        # rm keeps few descriptors open and does not recurse; chmod only where a folder was made unreadable
        for command in (("rm", "-rf"), ("chmod", "-R", "u+rwx"), ("rm", "-rf")):
            subprocess.run(
                (*command, "--", str(folder)), capture_output=True, check=False, env=child_environment()
            )
            if not folder.exists():
                return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise SandboxError(f"the scratch folder {folder} cannot be deleted; delete it by hand")
