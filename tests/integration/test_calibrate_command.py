"""mathagent bench → calibrate → solve --min-confidence, end to end: real processes, the scripted model, bad input."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from preforked import mathagent as run


def script(folder: Path, *replies: object) -> str:
    """Always the same file, and so the same model to a calibration, whatever it says."""
    path = folder / "script.json"
    path.write_text(json.dumps(list(replies)), encoding="utf-8")
    return f"script:{path}"


def benched(folder: Path, count: int) -> Path:
    """The records of ``count`` problems, two samples each: agreement is right, disagreement nearly always wrong."""
    file, output = folder / "doubles.jsonl", folder / "records.jsonl"
    lines = [json.dumps({"question": f"What is {n}+{n}?", "answer": str(2 * n)}) for n in range(count)]
    file.write_text("\n".join(lines), encoding="utf-8")
    replies = []
    for n in range(count):
        right = n % 2 == 0 or n % 10 == 1
        replies += [f"\\boxed{{{2 * n if right else -1}}}", f"\\boxed{{{2 * n if n % 2 == 0 else -2}}}"]
    model = script(folder, *replies)
    done = run("bench", file, "-s", "cot", "-n", 2, "-m", model, "--concurrency", 1, "--no-cache", "-o", output)
    assert done.returncode == 0, done.stderr
    return output


def solve(folder: Path, *replies: object, least: float | str = 0.5) -> subprocess.CompletedProcess[str]:
    model = script(folder, *replies)
    return run(
        "solve", "What is 50+50?", "-s", "cot", "-n", 2, "-m", model, "--no-cache", f"--min-confidence={least}"
    )


def test_bench_calibrate_solve(tmp_path: Path) -> None:
    records = benched(tmp_path, 40)
    own = Path(os.environ["MATHAGENT_HOME"]) / "calibrations"

    dry = run("calibrate", records, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "not stored" in dry.stdout
    assert not own.exists()

    done = run("calibrate", records, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["strategy"], row["answers"], row["right"], row["unanswered"]) == ("cot", 40, 24, 0)
    assert row["calibration"]["after"]["brier"] < row["calibration"]["before"]["brier"]
    assert Path(row["stored"]).parent == own

    sure = solve(tmp_path, "\\boxed{100}", "\\boxed{100}")
    assert sure.returncode == 0, sure.stderr
    assert "answer: 100" in sure.stdout
    assert "calibrated on 40 problems of doubles" in sure.stdout
    assert "uncalibrated" not in sure.stdout

    unsure = solve(tmp_path, "\\boxed{-1}", "\\boxed{-2}")
    assert unsure.returncode == 4, unsure.stderr
    assert "unsure: -1" in unsure.stdout
    assert "less than was asked for" in unsure.stdout


def test_the_table_says_where_it_went(tmp_path: Path) -> None:
    records = benched(tmp_path, 20)
    done = run("calibrate", records, "--out", tmp_path / "shipped", "-s", "cot", new=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["strategy", "answers", "none", "right", "Brier", "ECE", "AURC"]
    assert lines[1].split()[:4] == ["cot", "20", "0", "60.0%"]
    (file,) = (tmp_path / "shipped").iterdir()
    assert file.name in done.stdout.replace("\n", "")


def test_too_few_answers_are_exit_3_and_store_nothing(tmp_path: Path) -> None:
    done = run("calibrate", benched(tmp_path, 6), "--out", tmp_path / "out")
    assert done.returncode == 3
    assert "too few answers: 6" in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["calibrate", "missing.jsonl"], "there is no file missing.jsonl"),
        (["calibrate", os.devnull], "holds no records"),
        (["calibrate", os.devnull, "--dry-run", "--out", "x"], "leave out --out"),
        (["calibrate"], "runs"),
        (["solve", "x", "--min-confidence", "1.5"], "from 0 to 1"),
        (["solve", "x", "--min-confidence", "nan"], "from 0 to 1"),
        (["solve", "x", "--min-confidence=-1"], "from 0 to 1"),
        (["solve", "x", "--min-confidence", "high"], "--min-confidence"),
    ],
)
def test_wrong_use_is_exit_2(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_strategy_without_records_is_exit_2(tmp_path: Path) -> None:
    done = run("calibrate", benched(tmp_path, 2), "-s", "pal")
    assert done.returncode == 2
    assert "no record is of strategy 'pal'; there are: cot" in done.stderr


def test_uncalibrated_answers_abstain_by_their_own_estimate(tmp_path: Path) -> None:
    model = script(tmp_path, "\\boxed{7}")
    arguments = ("solve", "What is 3+4?", "-s", "cot", "-m", model, "--min-confidence", 0.9)
    quiet = run(*arguments, "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (4, "\n", "unsure: 7\n")
    solution = json.loads(run(*arguments, "--json").stdout)
    assert (solution["abstained"], solution["answer"], solution["raw_confidence"]) == (True, "7", None)
    assert solution["confidence_basis"].endswith("; uncalibrated")
    enough = run(*arguments[:-1], 0.6, "-q")
    assert (enough.returncode, enough.stdout) == (0, "7\n")
