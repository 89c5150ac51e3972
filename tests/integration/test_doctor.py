"""mathagent doctor and models, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import preforked

COMMAND = [sys.executable, "-m", "mathagent"]


def run(*arguments: str, new: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
    """``new``: a process that has imported nothing, as a person's."""
    return preforked.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=120, new=new, env={**os.environ, **env}
    )


def test_doctor_reports_every_area() -> None:
    done = run("doctor", "--json", new=True)
    findings = json.loads(done.stdout)
    areas = {finding["area"] for finding in findings}
    assert {"machine", "storage", "models", "endpoint", "extras", "sandbox subprocess"} <= areas
    for finding in findings:
        assert finding["state"] == "ok" or finding["advice"]
    assert done.returncode == (1 if any(finding["state"] == "missing" for finding in findings) else 0)


def test_doctor_for_people() -> None:
    done = run("doctor", COLUMNS="100")
    assert "embedded:qwen2.5-coder-1.5b" in done.stdout
    assert "→" in done.stdout


def test_doctor_says_what_to_do_about_a_dead_endpoint_and_a_bad_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("doctor", "--json", OPENAI_BASE_URL="http://127.0.0.1:9/v1", MATHAGENT_HOME=str(tmp_path / "file"))
    assert done.returncode == 1
    findings = {(finding["area"], finding["name"]): finding for finding in json.loads(done.stdout)}
    assert findings["endpoint", "openai"]["state"] == "missing"
    assert "OPENAI_BASE_URL" in findings["endpoint", "openai"]["advice"]
    assert findings["storage", "home"]["state"] == "missing"
    assert "MATHAGENT_HOME" in findings["storage", "home"]["advice"]


def test_doctor_names_an_unknown_default_model() -> None:
    done = run("doctor", "--json", MATHAGENT_MODEL="qwen2.5-coder-1.5")
    findings = [finding for finding in json.loads(done.stdout) if finding["name"] == "default"]
    assert done.returncode == 1
    assert "did you mean" in findings[0]["detail"]


def test_models_list(tmp_path: Path) -> None:
    rows = json.loads(run("models", "list", "--json", new=True, MATHAGENT_HOME=str(tmp_path)).stdout)
    assert {row["name"] for row in rows} == {
        *("qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "smollm2-135m", "minilm")
    }
    assert not any(row["present"] for row in rows)
    assert "Apache-2.0" in run("models", "list", COLUMNS="100").stdout


def test_models_rm_of_what_is_not_here(tmp_path: Path) -> None:
    done = run("models", "rm", "smollm2-135m", MATHAGENT_HOME=str(tmp_path))
    assert done.returncode == 0
    assert "nothing to delete" in done.stdout


def test_a_wrong_file_is_not_taken_over(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"GGUF but not the model")
    done = run("models", "pull", "smollm2-135m", "--from", str(wrong), MATHAGENT_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "home").rglob("*.verified"))
