from __future__ import annotations

import os
from pathlib import Path

import pytest

from mathagent.console.trace_file import TraceFile
from mathagent.errors import StorageError, UsageError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_looking_leaves_nothing_and_writing_one_file(tmp_path: Path) -> None:
    file = TraceFile(tmp_path / "out.html")
    assert "out.html" not in names(tmp_path)
    assert not any(name.startswith(".trace") for name in names(tmp_path))
    file.write("<p>π</p>")
    assert (tmp_path / "out.html").read_bytes() == "<p>π</p>".encode()
    assert not any(name.startswith(".trace") for name in names(tmp_path))


def test_an_old_trace_is_replaced_and_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    old = tmp_path / "old.html"
    old.write_text("old")
    old.chmod(0o640)
    link = tmp_path / "link.html"
    link.symlink_to(old)
    file = TraceFile(link)
    assert old.read_text() == "old"
    file.write("new")
    assert link.is_symlink()
    assert old.read_text() == "new"
    assert old.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "no plain file"),
        ("missing/out.html", "No such file"),
        ("plain/out.html", "Not a directory"),
        ("x" * 300, "name too long"),
        ("pipe", "no plain file"),
    ],
)
def test_a_place_that_will_not_do_is_said_at_once(tmp_path: Path, place: str, words: str) -> None:
    (tmp_path / "plain").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    with pytest.raises(UsageError, match=words):
        TraceFile(tmp_path / place)
    assert names(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "out.html"
    file.write_text("old")
    file.chmod(0o400)
    with pytest.raises(UsageError, match="may not be written"):
        TraceFile(file)


def test_a_folder_that_has_gone_meanwhile_is_a_storage_error(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = TraceFile(folder / "out.html")
    folder.rmdir()
    with pytest.raises(StorageError, match=r"cannot write the trace to .*out\.html"):
        file.write("x")
