"""How every SQLite file of ours is opened: WAL, patient with other writers, clear errors."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mathagent.errors import StorageError

BUSY_TIMEOUT_S = 30.0


def open_database(path: Path) -> sqlite3.Connection:
    """Opens or creates the database at ``path``, usable from any thread (callers lock).

    Raises StorageError, naming the path and what to do, where that is impossible.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    except (OSError, sqlite3.Error) as error:
        raise StorageError(f"cannot open {path}: {error}; set MATHAGENT_HOME to a folder you can write") from error
    return connection
