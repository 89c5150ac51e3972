"""The tables of an experience store, how they came to be, and how its file is opened.

Experiences are the truth. All else is derived and can be made again (memory/store_doctor.py): the full text index
over their key texts, their vectors, and the totals in ``meta``, which triggers keep.
"""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

from mathagent.errors import StorageError
from mathagent.storage import BUSY_TIMEOUT_S, open_database, storage_advice

MIGRATION_SET = "experiences"
DIGEST_MODULUS = 2**60
"""Digests add up modulo this: two of them stay below SQLite's 2^63, beyond which it counts in floating point."""
CACHE_KIB = 32 * 1024

# unicode61, not porter: how common a query's words are is looked up in the vocabulary (memory/lexical.py), which would
# hold stems; what inflection hides, the vectors find.
# AUTOINCREMENT: the number of a deleted row never comes back, so that a vector index cannot mistake a new row for it.
# experiences_by_filter holds all that a filter asks: looking for the few that pass reads no contents.
# Vectors have numbers of their own: one that is embedded again is newer than the index, not stale within it.
_FIRST_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE experiences (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
    " trust INTEGER NOT NULL, subject TEXT NOT NULL, strategy TEXT NOT NULL, model TEXT NOT NULL,"
    " dataset TEXT NOT NULL, created REAL NOT NULL, last_used REAL NOT NULL, score REAL, uses INTEGER NOT NULL,"
    " successes INTEGER NOT NULL, claim INTEGER, shape INTEGER NOT NULL, digest INTEGER NOT NULL,"
    " key_text TEXT NOT NULL, content TEXT NOT NULL, provenance TEXT NOT NULL, evidence TEXT NOT NULL)",
    "CREATE INDEX experiences_by_claim ON experiences (claim) WHERE claim IS NOT NULL",
    "CREATE INDEX experiences_by_filter ON experiences (kind, trust, subject, strategy, model, dataset)",
    "CREATE TABLE vectors (number INTEGER PRIMARY KEY AUTOINCREMENT, experience INTEGER NOT NULL,"
    " embedder TEXT NOT NULL, vector BLOB NOT NULL)",
    "CREATE UNIQUE INDEX vectors_by_experience ON vectors (experience, embedder)",
    "CREATE VIRTUAL TABLE texts USING fts5(key_text, content='experiences', content_rowid='number',"
    " tokenize='unicode61 remove_diacritics 2')",
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(texts, row)",
    "INSERT INTO meta VALUES ('experiences', 0), ('digest', 0)",
    "CREATE TRIGGER experience_added AFTER INSERT ON experiences BEGIN"
    " INSERT INTO texts (rowid, key_text) VALUES (new.number, new.key_text);"
    " UPDATE meta SET value = value + 1 WHERE name = 'experiences';"
    f" UPDATE meta SET value = (value + new.digest) % {DIGEST_MODULUS} WHERE name = 'digest'; END",
    "CREATE TRIGGER experience_deleted AFTER DELETE ON experiences BEGIN"
    " INSERT INTO texts (texts, rowid, key_text) VALUES ('delete', old.number, old.key_text);"
    " DELETE FROM vectors WHERE experience = old.number;"
    " UPDATE meta SET value = value - 1 WHERE name = 'experiences';"
    f" UPDATE meta SET value = (value + {DIGEST_MODULUS} - old.digest) % {DIGEST_MODULUS} WHERE name = 'digest'; END",
    "CREATE TRIGGER experience_changed AFTER UPDATE OF digest ON experiences BEGIN"
    f" UPDATE meta SET value = (value + {DIGEST_MODULUS} - old.digest + new.digest) % {DIGEST_MODULUS}"
    " WHERE name = 'digest'; END",
    "CREATE TRIGGER key_text_changed AFTER UPDATE OF key_text ON experiences BEGIN"
    " INSERT INTO texts (texts, rowid, key_text) VALUES ('delete', old.number, old.key_text);"
    " INSERT INTO texts (rowid, key_text) VALUES (new.number, new.key_text); END",
    "CREATE TRIGGER vector_added AFTER INSERT ON vectors BEGIN"
    " INSERT INTO meta VALUES ('vectors of ' || new.embedder, 1)"
    " ON CONFLICT (name) DO UPDATE SET value = value + 1; END",
    "CREATE TRIGGER vector_deleted AFTER DELETE ON vectors BEGIN"
    " UPDATE meta SET value = value - 1 WHERE name = 'vectors of ' || old.embedder; END",
)
MIGRATIONS: dict[str, tuple[str, ...]] = {"first_tables": _FIRST_TABLES}
"""What each migration executes, in order. One that a release has made is never edited: a change is a new one."""


def open_writer(path: Path) -> sqlite3.Connection:
    """Opens or creates the store at ``path`` with the newest tables; transactions are the caller's (autocommit).

    Raises StorageError where that is impossible: no right to write, a damaged file, tables of a newer version.
    """
    connection = open_database(path)
    connection.isolation_level = None
    try:
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        if _applied(connection, path) != set(MIGRATIONS):
            _migrate(connection)
    except sqlite3.Error as error:
        connection.close()
        raise StorageError(f"cannot open {path}: {error}; {storage_advice(error, path)}") from error
    except StorageError:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection | None:
    """Opens the store at ``path`` for reading; None where there is none yet. Raises StorageError as ``open_writer``."""
    if not path.exists():
        return None
    try:
        connection = _connect_to_read(path)
    except sqlite3.Error as error:
        raise StorageError(f"cannot open {path}: {error}; {storage_advice(error, path)}") from error
    try:
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            connection.close()
            return None  # another process is about to make the tables
        if _applied(connection, path) != set(MIGRATIONS):
            raise StorageError(
                f"{path} has tables of an older version; open it once for writing, which renews them"
            )
    except sqlite3.Error as error:
        connection.close()
        raise StorageError(f"cannot read {path}: {error}; {storage_advice(error, path)}") from error
    except StorageError:
        connection.close()
        raise
    return connection


def renew_epoch(connection: sqlite3.Connection) -> None:
    """Makes every vector index that was made of this store foreign to it, in the caller's transaction."""
    connection.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (secrets.token_hex(8),))


def _connect_to_read(path: Path) -> sqlite3.Connection:
    def connect(mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?{mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            check_same_thread=False,
            isolation_level=None,
        )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    try:
        return connect("mode=ro")
    except sqlite3.OperationalError:
        # WAL keeps a file of shared memory beside the database; in a folder that nobody can write there is none, and
        # no writer either.
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return connect("mode=ro&immutable=1")


def _applied(connection: sqlite3.Connection, path: Path) -> set[str]:
    """The migrations that the file has had. Raises StorageError where this version does not know one of them."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    rows = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"
    applied = {name for (name,) in connection.execute(rows, (MIGRATION_SET,))} if found else set()
    unknown = sorted(applied - set(MIGRATIONS))
    if unknown:
        raise StorageError(
            f"{path} was written by a newer version of mathagent (it has the tables of '{unknown[0]}'); update"
            " mathagent, or name another file"
        )
    return applied


def _migrate(connection: sqlite3.Connection) -> None:
    from sqlite_utils import Database, Migrations  # half a second, paid only where tables are to be made

    migrations = Migrations(MIGRATION_SET)
    for name, statements in MIGRATIONS.items():

        def run(database: Database, statements: tuple[str, ...] = statements) -> None:
            for statement in statements:
                database.execute(statement)

        migrations(name=name)(run)
    # Many processes may open a new file at once: the first makes the tables, the others then find them.
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrations.apply(Database(connection))
        connection.execute(
            "INSERT OR IGNORE INTO meta VALUES ('identity', ?), ('epoch', ?)", (secrets.token_hex(8),) * 2
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
