"""Opening a database: what it is set to, and the one line where it cannot be opened."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mathagent import storage
from mathagent.errors import StorageError
from mathagent.storage import open_database, storage_advice


def test_opens_in_wal_mode_and_makes_its_folder(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "a" / "b" / "x.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (30_000,)
    connection.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="set MATHAGENT_HOME to a folder you can write") as caught:
        open_database(tmp_path / "file" / "x.db")
    assert str(tmp_path / "file" / "x.db") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.db").mkdir()
    with pytest.raises(StorageError, match="set MATHAGENT_HOME"):
        open_database(tmp_path / "x.db")


def test_a_read_only_file_system(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system takes rights that this user lacks")
    try:
        with pytest.raises(StorageError, match="set MATHAGENT_HOME"):
            open_database(tmp_path / "x.db")
        with pytest.raises(StorageError, match="set MATHAGENT_HOME"):
            open_database(tmp_path / "home" / "x.db")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def _open_all(paths: list[Path], barrier: Any, failures: Any) -> None:
    for path in paths:
        barrier.wait(60)
        try:
            connection = open_database(path)
            connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
            connection.close()
        except Exception as error:
            failures.put(f"{error}")


def test_processes_that_make_one_file_at_the_same_moment(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, failures = context.Barrier(4), context.SimpleQueue()
    paths = [tmp_path / f"{index}.db" for index in range(60)]
    processes = [context.Process(target=_open_all, args=(paths, barrier, failures)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert failures.empty(), failures.get()
    assert [process.exitcode for process in processes] == [0] * 4


def test_gives_up_on_a_lock_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_S", 0.1)
    holder = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="locked; another process holds it"):
        open_database(tmp_path / "x.db")
    holder.close()


def test_advice() -> None:
    path = Path("/h/cache.db")
    assert storage_advice(sqlite3.DatabaseError("file is not a database"), path).endswith("a new one is made")
    assert storage_advice(sqlite3.OperationalError("database or disk is full"), path) == "free some disk space"
    assert "MATHAGENT_HOME" in storage_advice(sqlite3.OperationalError("unable to open database file"), path)
    assert storage_advice(sqlite3.OperationalError("disk I/O error"), Path(__file__).parent).startswith(
        "it is a folder"
    )
