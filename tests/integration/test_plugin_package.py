"""The example of a plugin package, installed beside mathagent, through the command line and the API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2] / "examples" / "plugin-package"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``pip install --target`` leaves it: the package, and the entry points of its pyproject.toml.

    Written by hand, since building a wheel needs the build backend, which the test machine may not be able to fetch.
    """
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (folder / "mathagent_factors").symlink_to(PACKAGE / "mathagent_factors", target_is_directory=True)
    info = folder / f"mathagent_factors-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines: list[str] = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def run(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs Python with the package installed."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH")))))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return python


def script(tmp_path: Path, *replies: str) -> str:
    path = tmp_path / "replies.json"
    path.write_text(json.dumps(replies), encoding="utf-8")
    return f"script:{path}"


def test_on_the_command_line(run: Any, tmp_path: Path) -> None:
    model = script(tmp_path, "36 has 9: \\boxed{9}")
    page = run("-m", "mathagent", "strategies", "show", "factor-hint", "--format", "json")
    assert "most_numbers" in page
    solved = json.loads(
        run("-m", "mathagent", "solve", "How many divisors has 36?", "-s", "factor-hint", "-m", model, "--json")
    )
    assert (solved["answer"], solved["strategy"]) == ("9", "factor-hint")


def test_a_benchmark_of_its_data_set_by_its_strategy(run: Any, tmp_path: Path) -> None:
    model = script(tmp_path, "\\boxed{6}", "\\boxed{9}")
    records = tmp_path / "records.jsonl"
    arguments = ("-s", "factor-hint", "-m", model, "--limit", "2", "-o", str(records), "--no-cache")
    run("-m", "mathagent", "bench", "divisors", *arguments)
    rows = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 2
    assert {row["grade"]["verdict"] if isinstance(row.get("grade"), dict) else row.get("grade") for row in rows}


def test_through_the_api(run: Any) -> None:
    """The strategy's prompt holds what the tool computed in the sandbox; the tool is in the toolbox by its name."""
    program = """
import asyncio
from mathagent import Solver
from mathagent.models.scripted import Reply, ScriptedBackend

async def main():
    backend = ScriptedBackend([Reply(text="\\\\boxed{24}", role="reasoner", contains=("360 = 2^3 * 3^2 * 5",))])
    async with Solver(backend, cache=False) as solver:
        solution = await solver.solve("How many divisors has 360?", "factor-hint")
    backend.assert_finished()
    print(solution.answer)

asyncio.run(main())
"""
    assert run("-c", program) == "24\n"


def test_a_setting_that_is_wrong_names_those_that_there_are(run: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mathagent", "solve", "x", "-s", "factor-hint", "--set", "nmbers=2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "most_numbers" in done.stderr
