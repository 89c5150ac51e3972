"""Control groups on a make-believe /sys/fs/cgroup: which are made, and that none is left half made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mathagent.sandbox import cgroup
from mathagent.sandbox.cgroup import Cgroup

pytestmark = pytest.mark.skipif(not hasattr(os, "sysconf"), reason="no sysconf here")


def groups(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("mathagent-*"))


@pytest.fixture(autouse=True)
def no_real_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "_move_tree", lambda pid, folder: None)


def test_version_1_gets_one_group_for_each_controller(tmp_path: Path) -> None:
    for name in ("memory", "pids"):
        (tmp_path / name).mkdir()
    made = Cgroup.around(7, tmp_path)
    assert made is not None
    assert [path.parent.name for path in groups(tmp_path)] == ["memory", "pids"]
    limit = int((made.folders[0] / "memory.limit_in_bytes").read_text())
    assert 0 < limit < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_version_2_without_delegated_controllers_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu io\n")
    assert Cgroup.around(7, tmp_path) is None
    assert groups(tmp_path) == []


def test_a_group_that_cannot_be_filled_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory").mkdir()

    def refuse(pid: int, folder: Path) -> None:
        for file in folder.iterdir():
            file.unlink()  # as the kernel's own files, they do not keep the folder from going
        raise PermissionError

    monkeypatch.setattr(cgroup, "_move_tree", refuse)
    assert Cgroup.around(7, tmp_path) is None
    assert groups(tmp_path) == []


def test_none_is_made_where_nothing_is_mounted(tmp_path: Path) -> None:
    assert Cgroup.around(7, tmp_path) is None
