"""The command line as a person or a script meets it: real processes, the scripted model, every kind of bad input.

Those with ``new=True`` start as a person's do; the others are forked by a process that has imported mathagent.
"""

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

COMMAND = [sys.executable, "-m", "mathagent"]
PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"


def run(
    *arguments: str, stdin: str | bytes | None = None, env: dict[str, str] | None = None, new: bool = False
) -> subprocess.CompletedProcess[str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = preforked.run(
        [*COMMAND, *arguments],
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        timeout=120,
        new=new,
        env={**os.environ, **(env or {})},
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def script(folder: Path, *replies: object) -> str:
    path = folder / "script.json"
    path.write_text(json.dumps(list(replies)), encoding="utf-8")
    return f"script:{path}"


def assert_one_line_error(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mathagent: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


def test_solve_shows_program_output_answer_and_cost(tmp_path: Path) -> None:
    done = run("solve", "What is 6*7?", "--strategy", "pal", "--model", script(tmp_path, PROGRAM), new=True)
    assert done.returncode == 0, done.stderr
    assert "42" in done.stdout
    assert "uncalibrated" in done.stdout
    assert "return 6 * 7" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_solve_json_is_one_value_and_nothing_else(tmp_path: Path) -> None:
    done = run("solve", "What is 6*7?", "-s", "pal", "-m", script(tmp_path, PROGRAM), "--json")
    solution = json.loads(done.stdout)
    assert solution["answer"] == "42"
    assert {"answer", "confidence", "certificate", "candidates", "usage", "stopped", "strategy", "model"} <= set(
        solution
    )
    assert solution["certificate"][0]["kind"] == "execution"
    assert solution["usage"]["calls"] == 1


def test_quiet_prints_the_answer_only(tmp_path: Path) -> None:
    done = run("solve", "What is 6*7?", "-s", "pal", "-m", script(tmp_path, PROGRAM), "-q")
    assert done.stdout == "42\n"
    assert done.stderr == ""


def test_a_quiet_answer_cannot_steer_the_terminal(tmp_path: Path) -> None:
    said = script(tmp_path, "Clearly \\boxed{\x1b]0;owned\x07seven\x1b[2J}.")
    done = run("solve", "Which?", "-s", "cot", "--model", said, "--no-cache", "-q")
    assert done.returncode == 0, done.stderr
    assert "seven" in done.stdout
    assert not {"\x1b", "\x07"} & {*done.stdout}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_stdout_cannot_hold_is_escaped(tmp_path: Path, encoding: str) -> None:
    said = script(tmp_path, "Clearly \\boxed{α 🎉}.")
    solve = ("solve", "Which?", "-s", "cot", "--model", said, "--no-cache")
    done = run(*solve, "--quiet", env={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stdout) == (0, "\\alpha\\ud83c\\udf89\n"), done.stderr
    done = run(*solve, "--json", env={"PYTHONIOENCODING": encoding})
    assert json.loads(done.stdout)["candidates"][0]["answer"]["raw"] == "α 🎉"


def test_problem_from_stdin_and_from_a_file(tmp_path: Path) -> None:
    model = script(tmp_path, {"text": PROGRAM, "contains": ["Was ist 6·7?"]})
    assert run("solve", "-s", "pal", "-m", model, "-q", "--no-cache", stdin="Was ist 6·7?\n").stdout == "42\n"
    assert run("solve", "-", "-s", "pal", "-m", model, "-q", "--no-cache", stdin="Was ist 6·7?").stdout == "42\n"
    (tmp_path / "problem.txt").write_text("Was ist 6·7?", encoding="utf-8")
    done = run("solve", "-f", str(tmp_path / "problem.txt"), "-s", "pal", "-m", model, "-q", "--no-cache")
    assert done.stdout == "42\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines programs by itself")
def test_programs_are_confined_unless_unsafe_local_is_said(tmp_path: Path) -> None:
    files = f"os.listdir({str(tmp_path)!r})"
    program = f"```python\nimport os\ndef solution():\n    return int('script.json' in {files})\n```"
    arguments = ("solve", "How many files?", "--strategy", "pal", "--json", "--no-cache", "--model")
    confined = json.loads(run(*arguments, script(tmp_path, program)).stdout)
    assert confined["answer"] is None
    execution = confined["candidates"][0]["steps"][-1]["execution"]
    assert "No such file" in execution["error"] or "Permission denied" in execution["error"]
    assert execution["sandbox"].startswith("process/")
    unsafe = run(*arguments, script(tmp_path, program), "--unsafe-local")
    assert json.loads(unsafe.stdout)["answer"] == "1"
    assert "WARNING" in unsafe.stderr
    assert "your own rights" in unsafe.stderr


def test_settings_reach_the_strategy(tmp_path: Path) -> None:
    model = script(tmp_path, *[PROGRAM] * 3)
    done = run(
        "solve",
        "x?",
        "-s",
        "pal",
        "-m",
        model,
        "--n",
        "3",
        "--temperature",
        "0.2",
        "--set",
        "timeout_s=3",
        "--json",
    )
    config = json.loads(done.stdout)["config"]
    assert (config["n"], config["temperature"], config["timeout_s"]) == (3, 0.2, 3.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["solve", ""], ["empty"]),
        (["solve", "x", "--strategy", "pall"], ["no strategy is named 'pall'", "did you mean pal"]),
        (
            ["solve", "x", "--model", "qwen2.5-coder-1.5"],
            ["no model is named", "did you mean", "qwen2.5-coder-1.5b"],
        ),
        (["solve", "x", "--model", "embedded:nope"], ["nope"]),
        (["solve", "x", "--model", "openai:"], ["needs a model name"]),
        (["solve", "x", "--model", "openai:gpt-4o-mini"], ["OPENAI_API_KEY", "--base-url"]),
        (["solve", "x", "--model", "openai:m", "--base-url", "localhost:1"], ["http"]),
        (["solve", "x", "--set", "n"], ["key=value"]),
        (["solve", "x", "--set", "colour=red", "-s", "cot"], ["has no setting 'colour'", "trigger"]),
        (["solve", "x", "--set", "n=many", "-s", "cot"], ["n = 'many' is wrong"]),
        (["solve", "x", "--n", "0", "-s", "cot"], ["n = 0 is wrong"]),
        (["solve", "x", "--temperature", "9", "-s", "cot"], ["temperature"]),
        (["solve", "x", "--budget-tokens", "0"], ["--budget-tokens must be greater than 0"]),
        (["solve", "x", "--budget-seconds", "-1"], ["--budget-seconds must be greater than 0"]),
        (["solve", "x", "--no-such-flag"], ["--no-such-flag"]),
        (["solve", "x", "--sandbox", "proces"], ["no sandbox is named 'proces'", "did you mean process"]),
        (["solve", "x", "--sandbox", "docker", "--unsafe-local"], ["leave out --sandbox docker"]),
        (["solve", "x", "-f", "also.txt"], ["not both"]),
        (["solve", "-f", "missing.txt"], ["cannot read missing.txt"]),
        (["bench", "missing.jsonl"], ["there is no file missing.jsonl"]),
        (["nonsense"], ["nonsense"]),
        (["models", "pull", "qwen"], ["qwen"]),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(arguments: list[str], words: list[str]) -> None:
    assert_one_line_error(run(*arguments), 2, *words)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is the default")
def test_a_sandbox_that_confines_nothing_must_be_asked_for_loudly() -> None:
    assert_one_line_error(run("solve", "x", "--sandbox", "subprocess"), 2, "--unsafe-local")


def test_bad_stdin() -> None:
    assert_one_line_error(run("solve", stdin=b"", new=True), 2, "standard input is empty")
    assert_one_line_error(run("solve", stdin=b"\x89PNG\r\n\xff\xfe"), 2, "not UTF-8")
    assert_one_line_error(run("solve", stdin=b"a\x00b"), 2, "NUL")
    assert_one_line_error(run("solve", stdin="x" * 1_000_000), 2, "1,000,000 characters")
    assert_one_line_error(run("solve", stdin="x" * 5_000_000), 2, "4 MB")


def test_bad_environment() -> None:
    assert_one_line_error(run("solve", "x", env={"MATHAGENT_SLOTS": "none"}), 2, "MATHAGENT_SLOTS")


def test_home_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = run("solve", "x", "-m", script(tmp_path, PROGRAM), env={"MATHAGENT_HOME": str(blocked / "home")})
    assert_one_line_error(done, 1, "MATHAGENT_HOME")


def test_unreachable_endpoint_says_what_to_do() -> None:
    done = run(
        "solve",
        "x",
        "-s",
        "pal",
        "-m",
        "openai:m",
        "--base-url",
        "http://127.0.0.1:9/v1",
        "-q",
        "--budget-seconds",
        "30",
    )
    assert done.returncode in (1, 3), done.stderr
    assert "Traceback" not in done.stderr


def test_no_answer_is_exit_1(tmp_path: Path) -> None:
    broken = "```python\ndef solution():\n    return 1 / 0\n```"
    done = run("solve", "x", "-s", "pal", "-m", script(tmp_path, broken))
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "code-error" in done.stdout


def test_budget_end_is_exit_3_with_the_best_so_far(tmp_path: Path) -> None:
    replies = [f"\\boxed{{{answer}}}" for answer in (1, 2, 1, 3)]
    done = run(
        *("solve", "x", "-s", "self-consistency", "-m", script(tmp_path, *replies)),
        *("--set", "over=cot", "--budget-calls", "4", "--json"),
    )
    assert done.returncode == 3
    solution = json.loads(done.stdout)
    assert (solution["answer"], solution["stopped"]) == ("1", "budget")


def test_ctrl_c_keeps_the_best_so_far(tmp_path: Path) -> None:
    replies = [*(f"\\boxed{{{answer}}}" for answer in (1, 2, 1, 3)), *[{"text": "late", "delay_s": 60}] * 4]
    model = script(tmp_path, *replies)
    process = preforked.Popen(
        [*COMMAND, "solve", "x", "-s", "self-consistency", "-m", model, "--set", "over=cot"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = iter(process.stderr.readline, "")
    assert any(line.startswith("4 of 16 samples") for line in lines), "it ended before its first vote"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in out
    assert "Traceback" not in err


def test_version_and_help() -> None:
    assert run("--version", new=True).stdout.startswith("mathagent ")
    assert "solve" in run("--help", new=True).stdout
    assert "--budget-seconds" in run("solve", "--help").stdout


def problems(folder: Path, count: int) -> Path:
    path = folder / "doubles.jsonl"
    lines = [
        json.dumps({"id": f"p{n}", "question": f"What is {n}+{n}?", "answer": str(2 * n)}) for n in range(count)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_bench_table_json_output_and_resume(tmp_path: Path) -> None:
    file = problems(tmp_path, 3)
    model = script(tmp_path, "\\boxed{0}", "\\boxed{2}", "\\boxed{5}")
    done = run(
        "bench", str(file), "-s", "cot", "-m", model, "--concurrency", "1", "-o", str(tmp_path / "records.jsonl")
    )
    assert done.returncode == 0, done.stderr
    assert "66.7%" in done.stdout
    records = [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]
    assert [record["outcome"] for record in records] == ["correct", "correct", "incorrect"]
    empty = script(tmp_path)
    again = run("bench", str(file), "-s", "cot", "-m", empty, "--json", new=True)
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)[0]
    assert (summary["problems"], summary["correct"], summary["failures"]) == (3, 2, {"wrong": 1})


def test_bench_with_failing_problems_is_exit_3(tmp_path: Path) -> None:
    model = script(tmp_path, "\\boxed{0}", {"error": "the endpoint is down"})
    done = run("bench", str(problems(tmp_path, 2)), "-s", "cot", "-m", model, "--concurrency", "1", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)[0]["errors"] == 1
    assert "the endpoint is down" in done.stderr


def test_kill_9_loses_and_repeats_nothing(tmp_path: Path) -> None:
    file = problems(tmp_path, 6)
    slow = [{"text": f"\\boxed{{{2 * n}}}", "delay_s": 0 if n < 3 else 60} for n in range(6)]
    arguments = ["bench", str(file), "-s", "cot", "--concurrency", "1", "--json"]
    process = preforked.Popen([*COMMAND, *arguments, "-m", script(tmp_path, *slow)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    runs = Path(os.environ["MATHAGENT_HOME"]) / "runs.db"
    while count_records(runs) < 3:
        assert time.monotonic() < deadline, "the first records never came"
        time.sleep(0.1)
    process.kill()
    process.wait()
    rest = script(tmp_path, *(f"\\boxed{{{2 * n}}}" for n in range(3, 6)))
    done = run(*arguments, "-m", rest)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)[0]
    assert (summary["problems"], summary["correct"]) == (6, 6)
    assert count_records(runs) == 6


def count_records(path: Path) -> int:
    import sqlite3

    if not path.exists():
        return 0
    try:
        return int(sqlite3.connect(path).execute("SELECT count(*) FROM records").fetchone()[0])
    except sqlite3.OperationalError:  # the table is not there yet
        return 0
