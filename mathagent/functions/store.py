"""Written functions on disk: one Python file each, with how it came about on its first line.

A file is written whole or not at all, by one process at a time; it carries a digest of all that is in it. One without a
readable first line is damaged, and written anew; one whose digest does not fit was changed after it was tested, and is
refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import ValidationError

from mathagent.errors import StorageError
from mathagent.functions.coding import Flaw, Written
from mathagent.storage import try_lock
from mathagent.types import Value

STORE_VERSION = 1
LOCK_POLL_S = 0.05
_MARK = "# mathagent function: "
_ADVICE = "# Written by a model, and tested. It runs in the sandbox only. A file that was edited is refused.\n"


class Header(Value):
    """The first line of a file: what it is for, who wrote it, and the ``digest`` of all this and the code."""

    version: int
    key: str
    model: str
    tries: int
    flaws: dict[Flaw, int]
    digest: str = ""


class FunctionStore:
    """A folder of written functions. Many processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str, key: str) -> Path:
        """Where the function ``name`` with this key (hex) is kept."""
        return self.folder / f"{re.sub(r'[^A-Za-z0-9_]+', '_', name)[:60]}-{key[:16]}.py"

    def read(self, name: str, key: str) -> Written | None:
        """The function that is stored; None where there is none, or only a damaged file (with a warning).

        Raises StorageError where the file cannot be read, or was changed since it was written.
        """
        path = self.path(name, key)
        try:
            text = path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(
                f"cannot read {path}: {error.strerror}; set MATHAGENT_HOME to another folder"
            ) from error
        first, _, rest = text.partition("\n")
        header, code = _header(first), rest.removeprefix(_ADVICE)
        if header is None:
            warnings.warn(f"{path} is damaged; the function is written anew", RuntimeWarning, stacklevel=2)
            return None
        if header.version != STORE_VERSION or header.key != key or header.digest != _digest(header, code):
            raise StorageError(
                f"{path} is not as it was written and tested, so it is not run; delete the file, or have the function"
                " written anew: compile(anew=True)"
            )
        return Written(code=code, model=header.model, tries=header.tries, flaws=header.flaws)

    def write(self, name: str, key: str, written: Written) -> Path:
        """Stores a function, in place of an older file. Raises StorageError."""
        path = self.path(name, key)
        header = Header(
            version=STORE_VERSION, key=key, model=written.model, tries=written.tries, flaws=written.flaws
        )
        header = header.model_copy(update={"digest": _digest(header, written.code)})
        text = f"{_first_line(header)}\n{_ADVICE}{written.code}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _replace(path, text.encode())
        except OSError as error:
            raise StorageError(
                f"cannot write {path}: {error.strerror}; set MATHAGENT_HOME to another folder"
            ) from error
        return path

    @asynccontextmanager
    async def locked(self, name: str, key: str) -> AsyncIterator[None]:
        """Held by one at a time of all processes, threads and tasks: only one has a function written. Raises
        StorageError. The lock ends with its holder, however that ends."""
        path = self.path(name, key).with_suffix(".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as error:
            raise StorageError(
                f"cannot write {path}: {error.strerror}; set MATHAGENT_HOME to another folder"
            ) from error
        with file:
            while not try_lock(file):  # noqa: ASYNC110 - other processes hold it: no event tells
                await asyncio.sleep(LOCK_POLL_S)
            yield


def _header(line: str) -> Header | None:
    """What a file's first line says; None where it is damaged."""
    if not line.startswith(_MARK):
        return None
    try:
        header = Header.model_validate_json(line.removeprefix(_MARK))
    except ValidationError:
        return None
    return header if line == _first_line(header) else None


def _first_line(header: Header) -> str:
    return f"{_MARK}{header.model_dump_json()}"


def _digest(header: Header, code: str) -> str:
    described = json.dumps(header.model_dump(mode="json", exclude={"digest"}), sort_keys=True)
    return hashlib.sha256(f"{described}\n{code}".encode()).hexdigest()


def _replace(path: Path, data: bytes) -> None:
    """Puts ``data`` in the place of ``path``, at once and for good."""
    handle, new = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(new).replace(path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise
