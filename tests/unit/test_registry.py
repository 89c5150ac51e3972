"""The lazy table: built-ins, plugins and full paths by one door, and one line for what does not load."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mathagent.errors import UnknownName, UsageError
from mathagent.registry import Registry

TABLE = Registry("codec", "mathagent.codecs", {"json": "json:loads", "missing": "no_such_module_at_all:x"})


def test_loads_by_name_and_by_full_path() -> None:
    import json
    import os.path

    assert TABLE.load("json") is json.loads
    assert TABLE.load("os.path:join") is os.path.join
    assert TABLE.load("json.decoder:JSONDecoder.decode") is json.JSONDecoder.decode


def test_names_do_not_load_anything() -> None:
    sys.modules.pop("colorsys", None)
    table = Registry("x", "mathagent.x", {"b": "colorsys:rgb_to_hsv", "a": "colorsys:hsv_to_rgb"})
    assert table.names() == ["a", "b"]
    assert table.path("a") == "colorsys:hsv_to_rgb"
    assert "colorsys" not in sys.modules


@pytest.mark.parametrize("name", ["jsn", "", ":", "json:loads", "/etc/passwd", "x" * 100_000])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UnknownName, match="no codec is named"):
        TABLE.load(name)


@pytest.mark.parametrize("name", ["missing", "os.path:", "os.path:no_such", "no.such:thing", ".os:path", "a..b:c"])
def test_what_does_not_load_is_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        TABLE.load(name)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("code", ["raise RuntimeError('a\\nb')", "def (", "1/0"])
def test_a_module_that_breaks_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    (tmp_path / "broken_pkg").mkdir()
    (tmp_path / "broken_pkg" / "part.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_pkg", raising=False)
    with pytest.raises(UsageError, match=r"codec 'broken_pkg\.part:x' cannot be loaded") as caught:
        TABLE.load("broken_pkg.part:x")
    assert len(str(caught.value).splitlines()) == 1


def test_plugins_come_in_and_replace_no_builtin(monkeypatch: pytest.MonkeyPatch) -> None:
    def points(*, group: str) -> tuple[EntryPoint, ...]:
        assert group == "mathagent.codecs"
        return (EntryPoint("toml", "tomllib:loads", group), EntryPoint("json", "tomllib:loads", group))

    monkeypatch.setattr("importlib.metadata.entry_points", points)
    import json
    import tomllib

    assert TABLE.names() == ["json", "missing", "toml"]
    assert TABLE.plugin_names() == ["toml"]
    assert TABLE.load("toml") is tomllib.loads
    assert TABLE.load("json") is json.loads
    with pytest.raises(UnknownName, match="did you mean toml"):
        TABLE.load("tmol")
