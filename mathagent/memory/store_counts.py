"""A store in numbers, and the fingerprint of what can be found in it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from mathagent.memory.base import StoreStatistics
from mathagent.memory.experience import TRUST_ORDER
from mathagent.memory.index_upkeep import index_path, vector_count
from mathagent.memory.schema import MIGRATIONS
from mathagent.memory.store_writes import count_experiences


def statistics_of(connection: sqlite3.Connection, path: Path, *, embedder: str, indexed: int) -> StoreStatistics:
    """The store at ``path`` in numbers."""
    by_trust = _counts(connection, "trust")
    return StoreStatistics(
        experiences=count_experiences(connection),
        by_kind=_counts(connection, "kind"),
        by_trust={trust: by_trust[place] for place, trust in enumerate(TRUST_ORDER) if place in by_trust},
        by_dataset=_counts(connection, "dataset"),
        database_bytes=_size(path) + _size(path.with_name(f"{path.name}-wal")),
        index_bytes=_size(index_path(path)),
        indexed=indexed,
        embedder=embedder,
        identity=connection.execute("SELECT value FROM meta WHERE name = 'identity'").fetchone()[0],
        fingerprint=fingerprint_of(connection, embedder),
    )


def empty_statistics(embedder: str) -> StoreStatistics:
    """Those of a store that is not there yet."""
    return StoreStatistics(
        experiences=0,
        by_kind={},
        by_trust={},
        by_dataset={},
        database_bytes=0,
        index_bytes=0,
        indexed=0,
        embedder=embedder,
        identity="",
        fingerprint="",
    )


def fingerprint_of(connection: sqlite3.Connection, embedder: str) -> str:
    """A hash (hex, 16 characters) that changes with any change of what ``embedder`` could find, and with nothing else:
    the same experiences in another file have the same one."""
    rows = connection.execute("SELECT name, value FROM meta WHERE name IN ('digest', 'experiences')")
    totals = dict(rows.fetchall())
    parts = [totals["digest"], totals["experiences"], embedder, vector_count(connection, embedder), *MIGRATIONS]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _counts(connection: sqlite3.Connection, column: str) -> dict[Any, int]:
    return dict(connection.execute(f"SELECT {column}, count(*) FROM experiences GROUP BY {column}").fetchall())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
