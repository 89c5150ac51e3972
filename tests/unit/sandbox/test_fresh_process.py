"""What only this sandbox promises: failures of its own means, waiting runs, the layers."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from mathagent.errors import SandboxError
from mathagent.sandbox import fresh_process
from mathagent.sandbox.base import Limits
from mathagent.sandbox.fresh_process import FreshProcessSandbox


@pytest.mark.parametrize("namespaces", [True, False])
@pytest.mark.parametrize("python", ["/nonexistent/python", "/bin/false"])
async def test_python_that_does_not_start(monkeypatch: pytest.MonkeyPatch, python: str, namespaces: bool) -> None:
    monkeypatch.setattr(fresh_process, "python_executable", lambda: python)
    with pytest.raises(SandboxError, match=r"did not start|can be started"):
        await FreshProcessSandbox(namespaces=namespaces).run("1")


async def test_worker_that_fails_before_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "worker.py"
    broken.write_text("raise RuntimeError('broken worker')")
    monkeypatch.setattr(fresh_process, "WORKER", broken)
    with pytest.raises(SandboxError, match="RuntimeError: broken worker"):
        await FreshProcessSandbox().run("1")


async def test_no_scratch_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(SandboxError, match="TMPDIR"):
        await FreshProcessSandbox().run("1")


async def test_waiting_does_not_count_as_running() -> None:
    sandbox = FreshProcessSandbox(max_parallel=1)
    runs = await asyncio.gather(
        *(sandbox.run("import time; time.sleep(0.4)", Limits(timeout_s=5)) for _ in range(4))
    )
    assert [run.status for run in runs] == ["ok"] * 4
    assert all(run.wall_s < 4 for run in runs)


async def test_without_pidfd_it_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int) -> int:
        raise OSError("no pidfd")

    monkeypatch.setattr("os.pidfd_open", refuse, raising=False)
    sandbox = FreshProcessSandbox()
    assert (await sandbox.run("6 * 7")).value == "42"
    assert (await sandbox.run("while True: pass", Limits(timeout_s=0.5))).status == "timeout"


def test_layers_tell_weaker_from_stronger() -> None:
    weak = {layer.name: layer for layer in FreshProcessSandbox(namespaces=False).layers()}
    assert not weak["network"].active
    assert not weak["tree kill"].active
    assert not weak["files"].active
    assert weak["time-out"].active
    assert "not blocked" in weak["network"].detail
