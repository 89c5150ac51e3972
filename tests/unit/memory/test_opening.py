"""Where a store is opened, and with what; nothing is made by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.config import settings
from mathagent.errors import ModelFileError, UsageError
from mathagent.memory.opening import open_store
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.static_embedder import TABLE_FILE


@pytest.fixture
def no_models(own_home: Path) -> Path:
    """An empty model folder: the hashed embedder."""
    (own_home / "models").unlink()
    (own_home / "models").mkdir()
    return own_home / "models"


async def test_the_users_own_store_lies_in_the_home_folder(own_home: Path, no_models: Path) -> None:
    store = open_store()
    assert isinstance(store, SqliteStore)
    assert store.path == settings().memory_path == own_home / "memory.db"
    assert store.embedder.name.startswith("hashed")
    assert (await store.statistics()).experiences == 0
    await store.aclose()
    assert not store.path.exists()


async def test_a_file_of_ones_own(tmp_path: Path, no_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = open_store(Path("~/notes.db"), read_only=True)
    assert isinstance(store, SqliteStore)
    assert store.path == tmp_path / "notes.db"
    with pytest.raises(UsageError, match="for reading only"):
        await store.add(())
    await store.aclose()


def test_a_damaged_table_is_an_error_and_no_other_embedder(no_models: Path) -> None:
    (no_models / TABLE_FILE).write_bytes(b"no table")
    with pytest.raises(ModelFileError, match="models"):
        open_store()
