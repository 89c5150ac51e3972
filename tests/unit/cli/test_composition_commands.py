"""Compositions on the command line: wherever the name of a strategy is accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mathagent.cli import run

PROGRAM = {"text": "```python\ndef solution():\n    return 5\n```", "role": "coder"}
SILENT = {"text": "I do not know that, sorry: it is not for me to say.", "role": "coder"}
WORDS = {"text": "So it is \\boxed{5}.", "role": "reasoner"}


def script(folder: Path, *replies: dict[str, str]) -> str:
    path = folder / "script.json"
    path.write_text(json.dumps(replies), encoding="utf-8")
    return f"script:{path}"


def test_solve_and_its_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "trace.html"
    model = script(tmp_path, SILENT, WORDS)
    arguments = [
        "solve",
        "What is 2+3?",
        "-s",
        "pal|cot",
        "-m",
        model,
        "--json",
        "--no-cache",
        "--trace",
        str(page),
    ]
    assert run([*arguments, "--memory-mode", "off"]) == 0
    solution = json.loads(capsys.readouterr().out)
    assert (solution["answer"], solution["strategy"]) == ("5", "pal | cot")
    assert [one["strategy"] for one in solution["trials"]] == ["pal", "cot"]
    text = page.read_text(encoding="utf-8")
    assert "pal | cot" in text
    assert "1 pal" in text  # the graph


def test_bench_splits_at_commas_outside_of_brackets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps({"question": "What is 2+3?", "answer": "5"}) + "\n", encoding="utf-8")
    model = script(tmp_path, PROGRAM, WORDS, PROGRAM)
    listed = "pal(n=1), vote(cot,pal)"
    assert run(["bench", str(problems), "-s", listed, "-m", model, "--no-cache", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(one["strategy"], one["correct"]) for one in shown] == [("pal(n=1)", 1), ("vote(cot, pal)", 1)]


def test_a_config_file_takes_compositions(tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps({"question": "What is 2+3?", "answer": "5"}) + "\n", encoding="utf-8")
    grid = tmp_path / "grid.toml"
    grid.write_text(
        f'datasets = ["problems.jsonl"]\nmodels = "{script(tmp_path, SILENT, WORDS)}"\ncache = false\n'
        '[[arms]]\nstrategy = "pal | cot"\nsettings = {threshold = 0.6}\n'
    )
    records = tmp_path / "records.jsonl"
    assert run(["bench", "--config", str(grid), "-o", str(records)]) == 0
    record = json.loads(records.read_text(encoding="utf-8"))
    assert (record["strategy"], record["outcome"], record["config"]["threshold"]) == ("pal | cot", "correct", 0.6)


def test_show_says_what_a_composition_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "show", "pal(n=4) & vote(cot,tir)", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["name"] == "pal(n=4) & vote(cot, tir)"
    assert [node["label"] for node in shown["graph"]["nodes"]][1:4] == ["1 pal n=4", "2 vote cot, tir", "select"]
    settings = {one["name"]: one for one in shown["settings"]}
    assert [part["n"] for part in settings["parts"]["default"]] == [4, None]


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("pal |", "at its end the name of a strategy is missing"),
        ("pal | coot", "no strategy is named 'coot'; did you mean cot"),
        ("pal(n=0)", "n = 0 is wrong"),
        ("pal | cot(m=1)", "has no setting 'm'"),
        ("vote(pal)", "a vote needs two strategies at least"),
        ("pal cot | tir", "'cot | tir' is not expected here"),
    ],
)
@pytest.mark.parametrize("command", [["solve", "1+1"], ["bench", "x.jsonl"], ["strategies", "show"]], ids=str)
def test_a_bad_expression_is_one_line_and_exit_code_2(
    command: list[str], strategy: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = tmp_path / "x.jsonl"
    problems.write_text(json.dumps({"question": "What is 2+3?", "answer": "5"}) + "\n", encoding="utf-8")
    model = ["-m", script(tmp_path, WORDS)]
    words = [str(problems) if word == "x.jsonl" else word for word in command]
    arguments = [*words, strategy] if command[0] == "strategies" else [*words, "-s", strategy, *model]
    assert run(arguments) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert message in line
    assert captured.out == ""


def test_calibrate_knows_them_by_their_one_spelling(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps({"question": "What is 2+3?", "answer": "5"}) + "\n", encoding="utf-8")
    model = script(tmp_path, PROGRAM)
    records = tmp_path / "records.jsonl"
    bench = ["bench", str(problems), "-s", "pal | cot", "-m", model, "--no-cache", "-o", str(records)]
    assert run(bench) == 0
    capsys.readouterr()
    run(["calibrate", str(records), "-s", "pal|cot", "--dry-run", "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert row["strategy"] == "pal | cot"
