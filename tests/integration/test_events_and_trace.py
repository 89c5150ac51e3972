"""``mathagent solve --events`` and ``--trace`` as programs and people meet them: real processes, the scripted model."""

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

from mathagent.events import SolveFinished, event_adapter

COMMAND = [sys.executable, "-m", "mathagent", "solve", "What is $6 \\cdot 7$?", "--no-cache"]
PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"


def script(folder: Path, *replies: object) -> list[str]:
    path = folder / "script.json"
    path.write_text(json.dumps(list(replies)), encoding="utf-8")
    return ["--model", f"script:{path}"]


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return preforked.run(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, cwd=cwd
    )


def start(*arguments: str) -> subprocess.Popen[str]:
    return preforked.Popen(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_every_event_is_a_line_and_the_last_holds_the_solution(tmp_path: Path) -> None:
    done = run("-s", "pal", *script(tmp_path, PROGRAM), "--events")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    events = [event_adapter.validate_json(line) for line in done.stdout.splitlines()]
    kinds = [event.kind for event in events]
    assert kinds[0] == "solve-started"
    assert kinds.index("code-started") < kinds.index("code-finished") < kinds.index("candidate-proposed")
    assert "token-delta" not in kinds
    assert isinstance(events[-1], SolveFinished)
    assert events[-1].solution.answer == "42"


def test_pieces_come_with_events_all(tmp_path: Path) -> None:
    done = run("-s", "cot", *script(tmp_path, "so \\boxed{42}"), "--events-all")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert "".join(line["text"] for line in lines if line["kind"] == "token-delta") == "so \\boxed{42}"
    assert lines[-1]["kind"] == "solve-finished"


def test_events_are_utf8_whatever_the_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = run("-s", "cot", *script(tmp_path, "π is \\boxed{42}"), "--events")
    assert "π is" in done.stdout


def test_exit_codes_are_those_of_solve(tmp_path: Path) -> None:
    assert run("-s", "pal", *script(tmp_path, "no idea"), "--events").returncode == 1
    down = run("-s", "cot", *script(tmp_path, {"error": "the endpoint is down"}), "--events")
    assert down.returncode == 1
    assert json.loads(down.stdout.splitlines()[-1])["kind"] != "solve-finished"
    assert down.stderr.strip() == "mathagent: the endpoint is down"


@pytest.mark.parametrize("other", ["--json", "--quiet"])
def test_events_leave_no_room_for_other_output(tmp_path: Path, other: str) -> None:
    done = run(*script(tmp_path, PROGRAM), "--events", other)
    assert done.returncode == 2
    assert "--events" in done.stderr


def test_a_reader_that_goes_ends_the_solve_quietly(tmp_path: Path) -> None:
    slow = {"text": "\\boxed{42}", "delay_s": 60}
    process = start("-s", "cot", *script(tmp_path, slow), "--set", "n=2", "--events-all")
    assert process.stdout is not None
    assert process.stderr is not None
    assert "solve-started" in process.stdout.readline()
    process.stdout.close()
    process.send_signal(signal.SIGINT)  # the next event finds the pipe closed
    started = time.monotonic()
    assert process.wait(timeout=30) != 0
    assert time.monotonic() - started < 30
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_a_reader_that_wants_the_first_line_only(tmp_path: Path) -> None:
    process = start("-s", "pal", *script(tmp_path, PROGRAM), "--events")
    assert process.stdout is not None
    assert process.stderr is not None
    assert "solve-started" in process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr.read() == ""
    process.stderr.close()


def test_trace_is_a_page_with_the_run(tmp_path: Path) -> None:
    done = run("-s", "pal", *script(tmp_path, PROGRAM), "--trace", "out.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "answer: 42" in done.stdout
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    for words in ("<math", "solution", "write_program", "run_program", "solve-finished", "process/"):
        assert words in page
    assert {path.name for path in tmp_path.iterdir()} >= {"out.html", "script.json"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".trace")]


def test_trace_and_events_and_json_go_together(tmp_path: Path) -> None:
    first = run("-s", "pal", *script(tmp_path, PROGRAM), "--trace", str(tmp_path / "a.html"), "--events")
    second = run("-s", "pal", *script(tmp_path, PROGRAM), "--trace", str(tmp_path / "b.html"), "--json")
    assert json.loads(first.stdout.splitlines()[-1])["solution"]["answer"] == "42"
    assert json.loads(second.stdout)["answer"] == "42"
    assert (tmp_path / "a.html").exists()
    assert (tmp_path / "b.html").exists()


def test_an_unwritable_trace_is_said_before_the_solve_starts(tmp_path: Path) -> None:
    place = tmp_path / "missing" / "out.html"
    done = run("-s", "pal", *script(tmp_path, {"text": PROGRAM, "delay_s": 60}), "--trace", str(place))
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"mathagent: --trace {place}: cannot write there (No such file or directory)")


def test_the_trace_of_a_solve_that_failed(tmp_path: Path) -> None:
    place = tmp_path / "out.html"
    done = run("-s", "cot", *script(tmp_path, {"error": "the endpoint is down"}), "--trace", str(place))
    assert done.returncode == 1
    assert "An error ended the solve: the endpoint is down" in place.read_text(encoding="utf-8")


def test_wrong_usage_writes_no_trace(tmp_path: Path) -> None:
    place = tmp_path / "out.html"
    done = run("-s", "no-such", *script(tmp_path, PROGRAM), "--trace", str(place))
    assert done.returncode == 2
    assert not place.exists()


def test_the_trace_of_a_solve_that_a_budget_ended(tmp_path: Path) -> None:
    place = tmp_path / "out.html"
    replies = ["\\boxed{42}", "\\boxed{43}", "\\boxed{42}", "\\boxed{41}"]
    done = run("-s", "self-consistency", "--set", "over=cot", "--set", "window=2", "--budget-calls", "2",
               *script(tmp_path, *replies), "--trace", str(place))  # fmt: skip
    assert done.returncode == 3, done.stderr
    page = place.read_text(encoding="utf-8")
    assert "A limit of the budget ended the search" in page
    assert "Candidate 2" in page


@pytest.mark.parametrize("times", [1, 2])
def test_the_trace_after_ctrl_c(tmp_path: Path, times: int) -> None:
    place = tmp_path / "out.html"
    slow = {"text": "\\boxed{42}", "delay_s": 60}
    process = start("-s", "cot", *script(tmp_path, slow), "--trace", str(place), "--events")
    assert process.stdout is not None
    assert "solve-started" in process.stdout.readline()
    for _ in range(times):
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.05)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in place.read_text(encoding="utf-8")
