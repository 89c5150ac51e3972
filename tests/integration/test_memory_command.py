"""mathagent memory as real processes: pipes, locales, readers that go, and what a solve leaves and sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import preforked
import pytest

COMMAND = [sys.executable, "-m", "mathagent"]
PROGRAM = "```python\ndef solution():\n    return 12 * 3\n```"
HENS = "A farm has 12 hens. Each lays 3 eggs. How many eggs are there?"


def run(*arguments: str, stdin: bytes | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return preforked.run(
        [*COMMAND, *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=120,
        env=os.environ | variables,
    )


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "heron.md").write_text("# Heron\n\nThe area √(s(s−a)(s−b)(s−c)) follows from the sides.\n", "utf-8")
    return folder


def test_one_memory_flows_into_another(notes: Path, tmp_path: Path) -> None:
    assert run("memory", "add", str(notes)).returncode == 0
    other, ascii_only = str(tmp_path / "other.db"), {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    exporting = subprocess.Popen(
        [*COMMAND, "memory", "export"], stdout=subprocess.PIPE, env=os.environ | ascii_only
    )
    importing = subprocess.run(
        [*COMMAND, "memory", "import", "--memory", other],
        stdin=exporting.stdout,
        capture_output=True,
        timeout=120,
        env=os.environ | ascii_only,
    )
    assert exporting.wait(60) == 0
    assert importing.stdout == b"remembered: 1 new\n", importing.stderr
    here, there = (
        json.loads(run("memory", "stats", "--json", *place).stdout) for place in ((), ("--memory", other))
    )
    assert here["fingerprint"] == there["fingerprint"]
    assert here["identity"] != there["identity"]
    shown = run("memory", "search", "area of the sides", **ascii_only)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.isascii()


def test_a_reader_may_go(tmp_path: Path) -> None:
    assert run("memory", "add", "--facts").returncode == 0
    process = preforked.Popen([*COMMAND, "memory", "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) in (0, 1)
    assert process.stderr.read() == b""
    process.stderr.close()


def test_what_a_solve_confirms_is_shown_to_the_next_one(tmp_path: Path) -> None:
    data, script = tmp_path / "train.jsonl", tmp_path / "script.json"
    data.write_text(json.dumps({"id": "hens", "problem": HENS, "answer": "36", "solution": "12 times 3: 36."}))
    learned = run("memory", "learn", str(data))
    assert learned.stdout == b"remembered: 1 new\n", learned.stderr

    # As data for a model that writes words.
    script.write_text(json.dumps([{"text": "So \\boxed{55}.", "contains": [HENS]}]))
    again = ("solve", "A farm has 11 hens. Each lays 5 eggs. How many eggs are there?", "-s", "cot")
    solved = run(*again, "-m", f"script:{script}", "--json", "--no-cache")
    assert solved.returncode == 0, solved.stderr
    (shown,) = json.loads(solved.stdout)["recalled"]
    whole = json.loads(run("memory", "show", shown, "--json").stdout)
    assert whole["provenance"]["item"] == "hens"

    # And not where it is switched off.
    script.write_text(json.dumps([{"text": "So \\boxed{55}.", "lacks": [HENS]}]))
    off = run(*again, "-m", f"script:{script}", "--json", "--no-cache", "--memory-mode", "off")
    assert json.loads(off.stdout)["recalled"] == []

    # Events and trace tell it.
    script.write_text(json.dumps(["So \\boxed{55}."]))
    trace = tmp_path / "trace.html"
    told = run(*again, "-m", f"script:{script}", "--events", "--no-cache", "--trace", str(trace))
    events = [json.loads(line) for line in told.stdout.splitlines()]
    (recalled,) = [event for event in events if event["kind"] == "recalled"]
    assert recalled["found"][0]["id"] == shown
    assert "train/hens" in trace.read_text("utf-8")

    assert run("memory", "forget", shown).returncode == 2
    assert run("memory", "forget", shown, "--yes").stdout == b"forgotten: 1\n"
    assert run("memory", "show", shown).returncode == 2


def test_an_unreadable_memory_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_bytes(b"no database at all " * 100)
    done = run("memory", "search", "x", "--memory", str(tmp_path / "no.db"))
    assert done.returncode == 1
    assert len(done.stderr.decode().strip().splitlines()) == 1
    assert b"no.db" in done.stderr
    done = run("memory", "stats", "--memory", str(tmp_path))
    assert done.returncode == 1
    assert len(done.stderr.decode().strip().splitlines()) == 1
