"""How every SQLite file of ours is opened: WAL, patient with other writers, clear errors; JSON files written whole; and
locks on other files."""

from __future__ import annotations

import errno
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import IO, Any

from mathagent.errors import StorageError

WAL_PAGES = 8000
"""How much is written (32 MB) before it is moved to the database file, which waits for the disk: every 100 records of a
benchmark, by SQLite's own 1,000."""
BUSY_TIMEOUT_S = 30.0


def open_database(path: Path) -> sqlite3.Connection:
    """Opens or creates the database at ``path``, usable from any thread (callers lock).

    Raises StorageError, naming the path and what to do, where that is impossible.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"cannot open {path}: {error}; set MATHAGENT_HOME to a folder you can write") from error
    try:
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    except sqlite3.Error as error:
        connection.close()
        raise StorageError(f"cannot open {path}: {error}; {storage_advice(error, path)}") from error
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # Of processes that switch one new file at the same moment, SQLite tells some "locked" at once, whatever the
    # timeout (each has read the old mode and none may wait for the others): 43 of 1,200 openings by 4 processes.
    give_up = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def store_json(path: Path, values: Any, advice: str) -> None:
    """Writes ``values``, as JSON for people to read, in the place of ``path``, whose folder is made.

    Raises StorageError, naming the path and with ``advice``, where that is impossible.
    """
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(f"{json.dumps(values, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; {advice}") from error


def storage_advice(error: sqlite3.Error, path: Path) -> str:
    """What to do about ``error`` of the database at ``path``."""
    text = str(error)
    if path.is_dir():
        return "it is a folder; name a file"
    if "not a database" in text or "malformed" in text:
        return f"the file is damaged; move {path.name} away and a new one is made"
    if "full" in text:
        return "free some disk space"
    if "locked" in text:
        return "another process holds it; try again when that one is done"
    return "set MATHAGENT_HOME to a folder you can write"


def try_lock(file: IO[bytes]) -> bool:
    """Takes the operating system's lock on an open file, or says that another process has it (False).

    The lock ends with the file's closing, and with its process, however that ends. A network folder that knows no
    locks gives it to everyone.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOTSUP):
            return True
        raise
    return True
