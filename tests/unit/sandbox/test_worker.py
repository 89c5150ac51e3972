"""The parts of the worker that can be looked at without a process of their own."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mathagent.sandbox.inside import program, worker

FOLDER = Path(worker.__file__).parent


@pytest.mark.parametrize("name", ["worker.py", "program.py", "rlimits.py"])
def test_imports_nothing_of_ours_and_nothing_slow(name: str) -> None:
    """These imports are paid by every run: json, re, ast, traceback, typing, pathlib cost 5 to 9 ms each."""
    tree = ast.parse((FOLDER / name).read_text())
    at_start = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert at_start <= {"__future__", "os", "sys", "_json"}


def test_program_is_imported_without_a_trace() -> None:
    path = list(sys.path)
    run_program = worker.import_beside("program").run_program
    assert run_program.__name__ == "run_program"
    assert sys.path == path
    assert "program" not in sys.modules


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_speaks_the_protocol_on_its_pipes(tmp_path: Path) -> None:
    """Without the sandbox around it: request file in; control, stderr and result pipes out."""
    request = tmp_path / "request"
    request.write_bytes(b"256 5 1 0 100 1000 0\n\nimport sys\nprint('to stderr', file=sys.stderr)\n6 * 7")
    (err_read, err_write), (result_read, result_write) = os.pipe(), os.pipe()
    done = subprocess.run(
        [sys.executable, "-P", "-s", worker.__file__, str(request), str(err_write), str(result_write)],
        capture_output=True,
        pass_fds=(err_write, result_write),
        start_new_session=True,
        timeout=60,
        check=True,
    )
    os.close(err_write)
    os.close(result_write)
    first, last, _ = done.stderr.split(b"\n")
    assert first == b"ready"
    assert last.startswith(b"exit 0 ")
    with os.fdopen(result_read, "rb") as result, os.fdopen(err_read, "rb") as err:
        assert result.read() == b'{"status": "ok", "value": "42"}'
        assert err.read() == b"to stderr\n"


def test_limits_are_set_in_a_child_of_ours() -> None:
    resource = pytest.importorskip("resource")
    code = (
        "from mathagent.sandbox.inside.rlimits import set_limits; import resource as r; set_limits(512, 7, 3);"
        "print(*(r.getrlimit(n)[1] for n in (r.RLIMIT_CPU, r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_CORE)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["7", str(3 * 2**20), "64", "0"]
    assert resource.getrlimit(resource.RLIMIT_CPU)[1] != 7


def test_program_module_has_no_state() -> None:
    assert program.execute(b"x = 1\nx", 100, {}) == program.execute(b"x = 1\nx", 100, {})
