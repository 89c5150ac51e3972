"""Looking at trees of processes and ending them, on processes of our own."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from mathagent.sandbox import process_tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
TREE = "import subprocess, sys; print(flush=True); subprocess.run(['sleep', '60'])"


def wait_for(condition: object) -> None:
    deadline = time.monotonic() + 30
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_tree_is_seen_and_killed_by_group_and_token() -> None:
    token = os.urandom(8).hex()
    env = {process_tree.TOKEN_VARIABLE: token}
    leader = subprocess.Popen([sys.executable, "-c", TREE], start_new_session=True, env=os.environ | env)
    stray = subprocess.Popen(["sleep", "60"], start_new_session=True, env=os.environ | env)
    other = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        wait_for(lambda: process_tree.descendants(leader.pid, 10))
        assert leader.pid in process_tree.children(os.getpid())
        tree = [leader.pid, *process_tree.descendants(leader.pid, 10)]
        assert len(tree) == 2
        assert 0 < process_tree.memory_mb(tree) < 100
        assert 0 < process_tree.peak_memory_mb(tree) < 100
        process_tree.kill_group(leader.pid, token)
        assert leader.wait(30) == stray.wait(30) == -9
        assert other.poll() is None
        wait_for(lambda: not process_tree.children(leader.pid))
    finally:
        for process in (leader, stray, other):
            process.kill()
            process.wait()


def test_gone_processes_are_no_error() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert process_tree.children(gone.pid) == []
    assert process_tree.descendants(gone.pid, 5) == []
    assert process_tree.memory_mb([gone.pid]) == 0
    assert process_tree.peak_memory_mb([]) == 0
    process_tree.kill_group(gone.pid, "no such token")
    process_tree.kill_namespace(gone.pid)


def test_killing_a_namespace_ends_all_members() -> None:
    prefix = process_tree.namespace_prefix()
    if not prefix:
        pytest.skip("no user namespaces here")
    outer = subprocess.Popen([*prefix, "sh", "-c", "sleep 60 & sleep 60"], stderr=subprocess.DEVNULL)
    wait_for(lambda: len(process_tree.descendants(outer.pid, 10)) >= 3)
    members = process_tree.descendants(outer.pid, 10)
    process_tree.kill_namespace(outer.pid)
    outer.wait(30)
    assert all(not os.path.exists(f"/proc/{pid}") for pid in members)  # noqa: PTH110


def test_without_the_unshare_program_there_is_no_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_tree.shutil, "which", lambda name: None)
    assert process_tree.namespace_prefix.__wrapped__() == ()
    monkeypatch.setattr(process_tree.shutil, "which", lambda name: "/bin/false")
    assert process_tree.namespace_prefix.__wrapped__() == ()
