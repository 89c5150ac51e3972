"""mathagent bench → report, in every format, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from mathagent.cli import run
from mathagent.evals.records import Record
from mathagent.types import Answer
from tests.unit.evals.report_records import record, solution


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return write(tmp_path / "records.jsonl", two_arms())


def two_arms() -> list[Record]:
    cot = [record(i, "incorrect" if i % 3 else "correct", confidence=0.4) for i in range(12)]
    return [*cot, *(record(i, strategy="pal", confidence=0.9) for i in range(12))]


def write(path: Path, records: list[Record]) -> Path:
    path.write_text("".join(f"{one.model_dump_json()}\n" for one in records), encoding="utf-8")
    return path


def test_the_ending_says_the_format(records: Path, tmp_path: Path) -> None:
    beginnings = {
        "r.html": "<!DOCTYPE html>",
        "r.md": "# sums: cot, pal",
        "r.json": "{",
        "r.tex": "%",
        "r.csv": "dataset,",
    }
    for name, beginning in beginnings.items():
        assert run(["report", str(records), "-o", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(beginning)


def test_without_output_text_goes_to_standard_output(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(records), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [arm["summary"]["accuracy"] for arm in report["datasets"][0]["arms"]] == [pytest.approx(1 / 3), 1]
    assert report["sources"] == ["records.jsonl"]  # no folder of this machine
    assert run(["report", str(records), "--format", "csv", "--table", "items"]) == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 24


def test_several_attempts_have_their_coverage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried = [
        record(i, "correct" if (i + a) % 4 == 0 else "incorrect", attempt=a) for i in range(8) for a in range(4)
    ]
    path = write(tmp_path / "tried.jsonl", tried)
    assert run(["report", str(path), "--format", "csv", "--table", "coverage"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["k"], float(row["pass_at_k"])) for row in rows] == [("1", 0.25), ("2", 0.5), ("4", 1.0)]


def test_repeated_sampling_has_the_coverage_of_its_candidates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One attempt an item, of which each holds several samples."""
    solve = solution("3 + 4", "7", strategy="monkeys")
    wrong = solve.candidates[0].model_copy(update={"answer": Answer(raw="8", normal="8")})
    solve = solve.model_copy(update={"candidates": (*solve.candidates, wrong, wrong, wrong)})
    path = write(tmp_path / "drawn.jsonl", [record(i, strategy="monkeys", solution=solve) for i in range(6)])
    assert run(["report", str(path), "--format", "csv", "--table", "coverage"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["k"], float(row["pass_at_k"])) for row in rows] == [("1", 0.25), ("2", 0.5), ("4", 1.0)]


def test_a_search_has_its_oracle_beside_its_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve = solution("3 + 4", "7", strategy="rebase")
    wrong = solve.candidates[0].model_copy(update={"answer": Answer(raw="8", normal="8")})
    solve = solve.model_copy(update={"candidates": (*solve.candidates, wrong, wrong)})
    chosen = [record(i, "correct" if i else "incorrect", strategy="rebase", solution=solve) for i in range(4)]
    path = write(tmp_path / "searched.jsonl", chosen)
    assert run(["report", str(path), "--format", "csv", "--table", "search"]) == 0
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert [float(row[name]) for name in ("leaves", "chosen", "oracle", "majority")] == [3, 0.75, 1, 0]


def test_inspect_and_nemo_get_a_folder_with_files_for_each_arm(records: Path, tmp_path: Path) -> None:
    assert run(["report", str(records), "--format", "inspect", "-o", str(tmp_path / "logs")]) == 0
    logs = sorted((tmp_path / "logs").iterdir())
    assert [log.name for log in logs] == ["00_sums_cot.eval", "01_sums_pal.eval"]
    assert "header.json" in zipfile.ZipFile(logs[0]).namelist()
    assert run(["report", str(records), "--format", "nemo", "-o", str(tmp_path / "nemo")]) == 0
    lines = (tmp_path / "nemo" / "pal" / "sums" / "output.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 12


def test_one_file_holds_all_lines_of_nemo(records: Path, tmp_path: Path) -> None:
    assert run(["report", str(records), "-o", str(tmp_path / "all.jsonl")]) == 0
    assert len((tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()) == 24


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "r.doc"], "which format"),
        (["--format", "pdf"], "there is no such format"),
        (["--format", "csv", "--table", "nothing"], "it has summary"),
        (["--format", "csv", "--table", "items", "--table", "summary"], "one table"),
        (["--format", "csv", "--table", "coverage"], "is empty"),
        (["--format", "html", "--table", "items"], "is for md, csv and latex"),
        (["--format", "inspect"], "needs --output"),
        (["-o", "both.eval"], "name a folder"),
        (["-o", "no/such/folder/r.html"], "cannot write there"),
    ],
)
def test_what_cannot_be_is_refused(
    records: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", str(records), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_run_that_is_not_there_or_twice(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "no-such-run"]) == 2
    assert "no-such-run" in capsys.readouterr().err
    assert run(["report", str(records), str(records)]) == 2
    assert "given twice" in capsys.readouterr().err
