"""``mathagent judge-bench`` in real processes: tables, JSON, records, resume, a run that is killed, and bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import preforked
import pytest
from preforked import mathagent as run

from mathagent.config import settings
from mathagent.evals.records import RecordStore, read_records

COMMAND = [sys.executable, "-m", "mathagent"]


def script(folder: Path, *replies: object) -> str:
    path = folder / "script.json"
    path.write_text(json.dumps(list(replies)), encoding="utf-8")
    return f"script:{path}"


@pytest.fixture
def processbench(tmp_path: Path) -> str:
    rows = [
        {"id": f"p{n}", "problem": f"Question {n}?", "steps": ["2 + 2 = 4", "4 + 3 = 8"], "label": label}
        for n, label in enumerate([1, -1, 0])
    ]
    path = tmp_path / "toy.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def test_table_json_records_and_resume(tmp_path: Path, processbench: str) -> None:
    model = script(tmp_path, r"\boxed{1}", r"\boxed{-1}", r"\boxed{1}")
    out = tmp_path / "records.jsonl"
    arguments = ["judge-bench", processbench, "-m", model, "--concurrency", "1"]
    done = run(*arguments, "-o", str(out))
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("critic"))
    assert "toy" in done.stdout
    assert "66.7" in done.stdout  # E 50, C 100
    assert line
    assert "\x1b" not in done.stdout + done.stderr
    assert [record.answer for record in read_records(out)] == ["step 2", "correct", "step 2"]
    script(tmp_path)  # no reply is left: whatever is asked now fails
    again = run(*arguments, "--json", new=True)
    assert again.returncode == 0, again.stderr
    (result,) = json.loads(again.stdout)
    assert result["processbench"]["subsets"]["toy"]["error_accuracy"] == 0.5
    assert (result["critic"], result["kind"], result["missing"]) == ("critic", "processbench", 0)
    store = RecordStore(settings().runs_path)
    runs = store.runs()
    assert [(one.status, one.planned, sum(one.counts.values())) for one in runs] == [("finished", 3, 3)] * 2
    assert len(store.run_records(runs[1].id)) == 3
    store.close()


def test_several_roles_and_failing_items(tmp_path: Path, processbench: str) -> None:
    wrong = json.dumps({"reasoning": "", "score": 0.1})
    model = script(tmp_path, *[r"\boxed{1}"] * 3, wrong, {"error": "the endpoint is down"}, wrong)
    done = run(
        "judge-bench", processbench, "--role", "critic,judge", "-m", model, "--concurrency", "1", "--no-cache"
    )
    assert done.returncode == 3, done.stderr
    assert "the endpoint is down" in done.stderr
    assert "1 item could not be judged" in done.stdout
    assert "names no step" in done.stdout


def test_scorers_are_measured_like_roles(tmp_path: Path, processbench: str) -> None:
    replies = [json.dumps({"reasoning": "", "scores": scores}) for scores in ([0.9, 0.6], [0.9, 0.8], [0.5, 0.2])]
    model = script(tmp_path, *replies)
    arguments = ["judge-bench", processbench, "-m", model, "--concurrency", "1"]
    done = run(*arguments, "--scorer", "step-judge", "--scorer", "arithmetic", "--tune-on", "toy")
    assert done.returncode == 0, done.stderr
    assert "scorer:step-judge" in done.stdout
    assert "a step is wrong below a score of 0.7, chosen on toy, which the average leaves out" in done.stdout
    assert "scorer:arithmetic" in done.stdout
    script(tmp_path)  # no reply is left
    again = run(*arguments, "--scorer", "step-judge", "--tune-on", "toy", "--json")
    (result,) = json.loads(again.stdout)
    assert (result["threshold"], result["tuned_on"]) == (0.7, "toy")
    assert result["processbench"]["subsets"]["toy"]["f1"] == 1.0


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, processbench: str) -> None:
    model = script(tmp_path, r"\boxed{1}", {"text": r"\boxed{-1}", "delay_s": 60})
    arguments = ["judge-bench", processbench, "-m", model, "--concurrency", "1", "--name", "mine", "--no-cache"]
    process = preforked.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(1200):
        if settings().runs_path.exists():
            store = RecordStore(settings().runs_path)
            kept = [one for one in store.runs() if one.counts]
            store.close()
            if kept:
                break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    script(tmp_path, r"\boxed{-1}", r"\boxed{0}")
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["processbench"]["average_f1"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["procesbench"], ["no process data set is named 'procesbench'", "did you mean processbench"]),
        (["missing.jsonl"], ["there is no file missing.jsonl"]),
        (["{toy}", "--role", "verifyer"], ["no critic is named 'verifyer'", "verifier"]),
        (["{toy}", "--role", "mathagent.agents.role:CODER"], ["free text"]),
        (["{toy}", "--tasks", "solving"], ["--tasks is for MathCheck"]),
        (["{toy}", "--reason-judge", "{model}"], ["--reason-judge grades the reasons of MR-GSM8K"]),
        (["{toy}", "--n", "3", "--temperature", "0"], ["at temperature 0"]),
        (["{toy}", "--set", "votes=3"], ["no setting 'votes'"]),
        (["{toy}", "--role", "critic,critic"], ["names something twice"]),
        (["{toy}", "--scorer", "steps-judge"], ["no scorer is named 'steps-judge'", "step-judge"]),
        (["{toy}", "--tune-on", "toy"], ["name one with --scorer"]),
        (["{toy}", "--scorer", "judge", "--tune-on", "math"], ["--tune-on math names none of the sets"]),
        (
            ["{toy}", "--scorer", "judge", "--tune-on", "toy", "--set", "threshold=0.1"],
            ["leave out --set threshold"],
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, processbench: str, arguments: list[str], words: list[str]) -> None:
    model = script(tmp_path)
    given = [one.replace("{toy}", processbench).replace("{model}", model) for one in arguments]
    done = run("judge-bench", *given, "-m", model)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr
