"""The tables of a store: made once, by whoever comes first, renewed, or refused."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mathagent.errors import StorageError
from mathagent.memory import schema
from mathagent.memory.schema import open_reader, open_writer


def names(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]


def test_the_migrations_are_recorded_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "odd name #1?.db"
    first = open_writer(path)
    identity = first.execute("SELECT value FROM meta WHERE name = 'identity'").fetchone()
    second = open_writer(path)
    assert names(first) == names(second) == list(schema.MIGRATIONS)
    assert second.execute("SELECT value FROM meta WHERE name = 'identity'").fetchone() == identity
    reader = open_reader(path)
    assert reader is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM meta")
    for connection in (first, second, reader):
        connection.close()


def test_many_that_open_a_new_store_at_once(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(6)

    def open_one() -> None:
        barrier.wait()
        try:
            open_writer(tmp_path / "x.db").close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_tables_of_an_older_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    open_writer(path).close()
    renewed = {**schema.MIGRATIONS, "more": ("CREATE TABLE more (x)", "INSERT INTO more VALUES (1)")}
    monkeypatch.setattr(schema, "MIGRATIONS", renewed)
    with pytest.raises(StorageError, match="older version; open it once for writing"):
        open_reader(path)
    open_writer(path).close()
    connection = open_reader(path)
    assert connection is not None
    assert names(connection) == ["first_tables", "more"]
    assert connection.execute("SELECT x FROM more").fetchall() == [(1,)]
    connection.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    broken = {**schema.MIGRATIONS, "more": ("CREATE TABLE more (x)", "INSERT INTO nowhere VALUES (1)")}
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    with pytest.raises(StorageError, match=r"cannot open .*no such table: nowhere"):
        open_writer(path)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert open_reader(path) is None


def test_tables_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = open_writer(path)
    connection.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('experiences', 'of_2031')")
    connection.close()
    for opener in (open_reader, open_writer):
        with pytest.raises(StorageError, match=r"newer version of mathagent .*'of_2031'.*update mathagent"):
            opener(path)


def test_no_store_and_no_database(tmp_path: Path) -> None:
    assert open_reader(tmp_path / "absent.db") is None
    (tmp_path / "empty.db").touch()
    assert open_reader(tmp_path / "empty.db") is None
    (tmp_path / "text.db").write_text("experiences, in words " * 99)
    for opener in (open_reader, open_writer):
        with pytest.raises(StorageError, match=r"the file is damaged; move text\.db away"):
            opener(tmp_path / "text.db")


def test_a_store_on_a_read_only_file_system(tmp_path: Path) -> None:
    disk, readable = tmp_path / "disk", tmp_path / "readable"
    disk.mkdir()
    readable.mkdir()
    connection = open_writer(disk / "x.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    mounts = [["mount", "--bind", disk, readable], ["mount", "-o", "remount,bind,ro", readable]]
    try:
        for mount in mounts:
            subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system takes rights that this user lacks")
    try:
        reader = open_reader(readable / "x.db")
        assert reader is not None
        assert reader.execute("SELECT count(*) FROM experiences").fetchone() == (0,)
        reader.close()
    finally:
        subprocess.run(["umount", readable], check=True)


def test_an_existing_store_is_opened_without_sqlite_utils(tmp_path: Path) -> None:
    open_writer(tmp_path / "x.db").close()
    program = (
        "import sys; from pathlib import Path; from mathagent.memory.schema import *;"
        "open_writer(Path(sys.argv[1])); open_reader(Path(sys.argv[1])); print('sqlite_utils' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "x.db"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"
