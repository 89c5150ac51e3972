"""mathagent verify, end to end: real processes, solutions from solve and bench, every kind of bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import preforked
import pytest

from mathagent.evals.records import Record
from mathagent.events import SolveFinished
from mathagent.scorers.check_programs import build_check
from mathagent.scorers.check_proposals import Domain, Reverse, Substitution
from mathagent.types import Check, Problem, Solution

DUCKS = Problem(text="16 eggs a day, 3 are eaten, 4 baked, the others sold at $2 each. What does she make?")
REVERSE = build_check(Reverse(quantity="16", program="answer / 2 + 3 + 4"), DUCKS, "18")
WRONG = build_check(Substitution(equations=("x = 2*(16 - 3)",), asked="x"), DUCKS, "18")
OWN = Check(kind="execution", program="(16 - 3 - 4) * 2", expected="18", outcome="undecided")


def solution(*certificate: Check, **more: Any) -> Solution:
    values: dict[str, Any] = {
        "problem": DUCKS,
        "answer": "18",
        "confidence": 0.5,
        "confidence_basis": "x",
        "certificate": certificate,
        "strategy": "pal",
        "model": "script:x",
    }
    return Solution(**(values | more))


def verify(*arguments: str, stdin: str | bytes = b"", new: bool = False) -> subprocess.CompletedProcess[str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = preforked.run(
        [sys.executable, "-m", "mathagent", "verify", *arguments],
        input=data,
        capture_output=True,
        timeout=120,
        new=new,
        env=os.environ | {"MATHAGENT_MODEL": "openai:there-is-no-model"},
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_what_holds_is_shown_and_the_exit_code_says_so(tmp_path: Path) -> None:
    path = tmp_path / "solution.json"
    path.write_text(solution(OWN, REVERSE).model_dump_json(indent=2), encoding="utf-8")
    done = verify(str(path), new=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "answer: 18" in done.stdout
    assert done.stdout.count("✓") == 2
    assert "follows 16, which the problem states" in done.stdout
    assert "2 checks hold" in done.stdout


def test_outcomes_in_the_file_are_not_trusted() -> None:
    lying = solution(
        REVERSE.model_copy(update={"outcome": "holds"}), WRONG.model_copy(update={"outcome": "holds"})
    )
    done = verify("-", "--json", stdin=lying.model_dump_json())
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert (report["answer"], report["result"]) == ("18", "fails")
    assert [one["outcome"] for one in report["checks"]] == ["holds", "fails"]
    assert [one["strength"] for one in report["checks"]] == ["strong", "strong"]
    changed = verify("-", stdin=lying.model_copy(update={"answer": "20"}).model_dump_json())
    assert changed.returncode == 3
    assert "it is about the answer 18" in " ".join(changed.stdout.split())


def test_nothing_in_the_file_drives_the_terminal() -> None:
    claiming = REVERSE.model_copy(update={"claim": "\x1b[31mproved\x1b[0m\r"})
    done = verify("-", stdin=solution(claiming, answer="\x1b]0;title\x0718\x1b[2J").model_dump_json())
    assert "answer: 18\n" in done.stdout
    assert "proved" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (solution(), "no certificate"),
        (solution(OWN), "only weak ones hold"),
        (solution(build_check(Domain(minimum=0), DUCKS, "18")), "only weak ones hold"),
        (solution(REVERSE, answer=None), "1 undecided"),
        (solution(REVERSE.model_copy(update={"program": REVERSE.program + "\n1/0"})), "ZeroDivisionError"),
        (
            solution(REVERSE.model_copy(update={"program": f"answer = 0x{'f' * 5000}\nanswer"})),
            "thousands of digits",
        ),
    ],
)
def test_nothing_decided(given: Solution, words: str) -> None:
    done = verify("-", stdin=given.model_dump_json())
    assert done.returncode == 3
    assert words in " ".join(done.stdout.split())


def test_a_record_of_a_benchmark() -> None:
    record = Record(
        key="k",
        dataset="d",
        problem_id="p",
        strategy="pal",
        config={},
        model="m",
        reference="18",
        answer="18",
        outcome="correct",
        reason="",
        solution=solution(REVERSE),
    )
    assert verify("-", stdin=record.model_dump_json()).returncode == 0
    failed = record.model_copy(update={"solution": None, "outcome": "error", "error": "the endpoint is down"})
    done = verify("-", stdin=failed.model_dump_json())
    assert done.returncode == 2
    assert "the endpoint is down" in done.stderr


def test_the_last_line_of_the_events() -> None:
    finished = SolveFinished(solution=solution(REVERSE))
    assert verify("-", stdin=finished.model_dump_json()).returncode == 0


def test_a_certificate_of_before_this_version() -> None:
    old = json.loads(solution(OWN).model_dump_json())
    old["certificate"] = [
        {"kind": "execution", "program": "6*7", "expected": "42", "outcome": "holds", "seconds": 0.1}
    ]
    old["answer"] = "42"
    done = verify("-", "--json", stdin=json.dumps(old))
    assert done.returncode == 3
    assert [one["outcome"] for one in json.loads(done.stdout)["checks"]] == ["holds"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines programs by itself")
def test_a_hostile_certificate_is_confined_and_ends(tmp_path: Path) -> None:
    here = tmp_path / "owned"
    write = f"import pathlib\npathlib.Path({str(here)!r}).write_text('x')\n"
    hostile = solution(
        Check(kind="recomputation", program=f"{write}(16 - 7) * 2", expected="18", outcome="holds"),
        Check(kind="recomputation", program="while True: pass\n1", expected="18", outcome="holds"),
        Check(kind="reverse", program=f"{write}answer = 18\nanswer - 2", expected="16", outcome="holds"),
    )
    done = verify("-", "--timeout", "1", stdin=hostile.model_dump_json())
    assert done.returncode == 3
    assert not here.exists()
    assert "still running after 1 s" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        ("", ["cannot be read as JSON"]),
        ("[1]", ["no solution but a JSON list"]),
        ('{"a": 1}', ["is no solution: it has no problem", "solve --json"]),
        ('{"a": 1}\n{"a": 2}', ["several JSON values", "one of its lines"]),
        (b"\xff\xfe", ["not UTF-8"]),
        ("[" * 100_000, ["nested too deeply", "cannot be read"]),
        ("9" * 5000, ["cannot be read"]),
        (
            solution().model_dump_json().replace('"pal"', '"pal", "colour": "red"'),
            ["colour is unknown", "version"],
        ),
        (
            solution(OWN).model_dump_json().replace("execution", "magic"),
            ["certificate.0.kind is wrong", "version"],
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(stdin: str | bytes, words: list[str]) -> None:
    done = verify("-", stdin=stdin)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("mathagent: standard input ")
    assert any(word in done.stderr for word in words)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = verify(str(tmp_path / "nope.json"))
    assert done.returncode == 2
    assert "cannot read" in done.stderr
    assert verify(str(tmp_path)).returncode == 2
