"""What mathagent doctor says of the memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mathagent.cli import run
from mathagent.config import settings
from mathagent.memory.static_embedder import TABLE_FILE


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without the models that this machine may have."""
    home = tmp_path / "bare home"
    monkeypatch.setenv("MATHAGENT_HOME", str(home))
    settings.cache_clear()
    return home


def memory_findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    code = run(["doctor", "--json"])
    findings = json.loads(capsys.readouterr().out)
    assert code == (1 if any(one["state"] == "missing" for one in findings) else 0)
    return {one["name"]: one for one in findings if one["area"] == "memory"}


def test_a_memory_and_its_embedder_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = memory_findings(capsys)
    assert found["store"]["state"] == "ok"
    assert f"{home / 'memory.db'}, 0 experiences" in found["store"]["detail"]
    assert found["embedder"]["state"] == "off"
    assert "hashed" in found["embedder"]["detail"]
    assert "mathagent models pull minilm" in found["embedder"]["advice"]
    assert not (home / "memory.db").exists()
    assert run(["memory", "add", "--facts"]) == 0
    assert " experiences, " in memory_findings(capsys)["store"]["detail"]


def test_a_damaged_store_and_a_damaged_table_are_missing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    (home / "memory.db").write_bytes(b"no database " * 100)
    found = memory_findings(capsys)
    assert found["store"]["state"] == "missing"
    assert "mathagent memory doctor" in found["store"]["advice"]
    (home / "models").mkdir()
    (home / "models" / TABLE_FILE).write_bytes(b"no table")
    found = memory_findings(capsys)
    assert found["embedder"]["state"] == "missing"
    assert "mathagent models pull minilm" in found["embedder"]["advice"]
