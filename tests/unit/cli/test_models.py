"""The table of an embedding model through the commands: fetched from the user's own copy, listed, deleted."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from mathagent.cli.models import list_command, pull_command, remove_command
from mathagent.config import settings
from mathagent.memory.static_embedder import TABLE_FILE, default_embedder
from mathagent.models import catalog

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))
from tiny_encoder import tiny_archive


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of a tiny encoder, which the manifest takes for the real one; the model folder is empty."""
    path = tiny_archive(tmp_path / "model.zip")
    facts = {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    models = catalog._manifest()
    other = tuple(m if m.kind == "chat" else m.model_copy(update=facts) for m in models)
    monkeypatch.setattr(catalog, "_manifest", lambda: other)
    monkeypatch.setenv("MATHAGENT_HOME", str(tmp_path / "elsewhere"))
    settings.cache_clear()
    return path


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    list_command(as_json=True)
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    row: dict[str, object] = rows["minilm"]
    return row


def test_pull_list_and_remove(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = settings().models_dir
    assert not listed(capsys)["present"]
    assert pull_command("minilm", from_file=archive) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(folder / TABLE_FILE)
    assert "minilm table: " in told.err
    assert default_embedder(folder).name.startswith("minilm-static-")
    assert archive.exists()
    row = listed(capsys)
    assert row["present"]
    assert row["kind"] == "embedding"
    assert row["stored_bytes"] == (folder / TABLE_FILE).stat().st_size
    list_command(as_json=False)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("minilm")]
    assert "yes" in line
    assert remove_command("minilm") == 0
    assert "freed" in capsys.readouterr().out
    assert default_embedder(folder).name.startswith("hashed-")
    assert not listed(capsys)["present"]
