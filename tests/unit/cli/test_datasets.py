"""mathagent datasets list, show and audit, as a person and as a program see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mathagent.cli import run
from mathagent.evals.datasets import DATASETS, item_hash, load_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"id": "a", "question": "What is 2 + 3?", "answer": "5", "solution": "2 + 3 = 5\n#### 5"},
        {"id": "b", "question": "Prove that 1 = 1.", "answer": "1", "solution": "\\boxed{}"},
    ]
    data = tmp_path / "data"
    data.mkdir()
    (data / "gsm8k.test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return data


def test_list(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["datasets", "list", "--data", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = "Cobbe et al. 2021, arXiv 2110.14168 · 2 here · en · MIT"
    assert [line.split()[0] for line in lines if line.startswith("gsm8k")] == ["gsm8k"]
    assert next(line for line in lines if line.startswith("gsm8k")).split("GSM8K · ")[1] == shown
    assert "not here" in next(line for line in lines if line.startswith("aime25"))
    assert run(["datasets", "list", "--data", str(folder), "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(DATASETS.names())
    assert rows["gsm8k"]["found"] == {"test": 2}
    assert rows["aime25"]["subsets"]["test"]["hub"][0]["repo"] == "math-ai/aime25"
    assert run(["datasets", "list", "--data", str(folder / "none")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_show(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["datasets", "show", "gsm8k", "--data", str(folder), "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    first = load_dataset("gsm8k", data_dir=folder).problems[0]
    for part in ("arXiv 2110.14168", "MIT", "gsm8k.test.jsonl; hub: openai/gsm8k main test", item_hash(first)):
        assert part in shown
    assert "fields: id, question, answer, solution" in shown
    assert "Prove" not in shown
    assert run(["datasets", "show", "gsm8k", "--data", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [item["hash"] for item in told["items"]] == [
        item_hash(one) for one in load_dataset("gsm8k", data_dir=folder).problems
    ]


def test_show_without_data_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mathagent.evals.datasets.loading.library_is_here", lambda: False)
    assert run(["datasets", "show", "aime25"]) == 0
    shown = capsys.readouterr().out
    assert "hub: math-ai/aime25 test" in shown
    assert "put aime25.test.jsonl" in shown
    assert run(["datasets", "show", "nothing-like-it"]) == 2
    assert "no data set is named" in capsys.readouterr().err


def test_audit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["datasets", "audit", "gsm8k", "--data", str(folder)]) == 0
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert lines["proof"] == lines["empty-box"] == ["1", "b"]
    assert lines["self-unequal"] == lines["perturbed-equal"] == ["0"]
    path = str(folder / "gsm8k.test.jsonl")
    assert run(["datasets", "audit", path, "--against", path, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["id"], row["keep"], row["signals"]["contaminated"]) for row in rows] == [
        ("a", False, True),
        ("b", False, True),
    ]


def test_audit_refuses_what_is_to_be_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"question": "q", "steps": ["s"], "label": -1}
    (tmp_path / "processbench.math.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert run(["datasets", "audit", "processbench:math", "--data", str(tmp_path)]) == 2
    assert "labels, not answers" in capsys.readouterr().err
