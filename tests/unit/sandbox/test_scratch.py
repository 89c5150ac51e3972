"""Scratch folders: names, and what dead processes left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mathagent.sandbox.scratch import lay_out, new_folder, refused_name, remove_folder, sweep


@pytest.mark.parametrize("name", ["a", "a.txt", "sub/b.txt", "./a", "größe.txt"])
def test_names_inside(name: str) -> None:
    assert refused_name([name]) is None


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../../b", "c:a", "a\\b", "a\0b", "a\nb", "a\x1bb"])
def test_names_that_are_refused(name: str) -> None:
    assert "scratch" in (refused_name(["fine", name]) or "")


def test_folders_of_dead_processes_are_swept_and_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / f"mathagent-run-{dead.pid}-abc"
    left.mkdir()
    lay_out(left, {"scratch/deep/file": b"x"})
    kept = [
        tmp_path / f"mathagent-run-{os.getpid()}-abc",
        tmp_path / f"other-run-{dead.pid}-abc",
        new_folder("run"),
    ]
    for folder in kept[:2]:
        folder.mkdir()
    link = tmp_path / f"mathagent-session-{dead.pid}-abc"
    link.symlink_to(kept[1])
    sweep()
    assert not left.exists()
    assert all(folder.exists() for folder in (*kept, link))
    remove_folder(kept[2])
    assert not kept[2].exists()
