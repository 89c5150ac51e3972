"""mathagent optimize-prompt, as a user types it: the file that it writes, its use, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mathagent.cli import run as run_command

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = run_command([str(one) for one in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    items = [{"id": f"p{n}", "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(8)]
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def script(folder: Path, *replies: object) -> str:
    path = folder / "replies.json"
    path.write_text(json.dumps(replies))
    return f"script:{path}"


def test_a_search_writes_a_file_that_a_strategy_can_use(cli: Cli, data: Path, tmp_path: Path) -> None:
    # Two train problems with "", "A" and two sentences of ours; then three texts on two other problems.
    model = script(tmp_path, *["The answer is 3."] * 40)
    best = tmp_path / "best.json"
    asked = ("optimize-prompt", data, "-o", best, "--method", "pe2", "-s", "cot", "-m", model, "--start", "A")
    sizes = ("--train", 2, "--validation", 2, "--steps", 1, "--edits", 1, "--parents", 1, "--concurrency", 1)
    code, out, err = cli(*asked, *sizes)
    assert code == 0, err
    assert "4 texts on 2 problems" in err
    assert "the best text: (no text)" in out  # equally good, and the shortest
    assert "to beat: train 0.0% (0/2; 0.0%" in out
    assert "not told apart from the text to beat" in out
    assert "It is the empty text itself." in out
    written = json.loads(best.read_text())
    assert written["settings"] == {"trigger": ""}
    assert (written["chosen"]["validation"]["problems"], written["model"]) == (2, model)
    code, out, err = cli("solve", "What is 1 + 2?", "-s", "cot", "-m", model, "--set", f"@{best}", "--json")
    assert code == 0, err
    assert json.loads(out)["config"]["trigger"] == ""
    code, again, err = cli(*asked, *sizes, "--json")
    assert code == 0, err
    assert json.loads(again) == written


def test_what_was_set_beside_the_text_is_part_of_how_to_use_it(cli: Cli, data: Path, tmp_path: Path) -> None:
    model = script(tmp_path, *["The answer is 3."] * 40)
    best = tmp_path / "best.json"
    asked = (
        "optimize-prompt",
        data,
        "-o",
        best,
        "--method",
        "pe2",
        "-s",
        "cot",
        "-m",
        model,
        "--temperature",
        "0.5",
    )
    sizes = ("--train", 2, "--validation", 2, "--steps", 1, "--edits", 1, "--parents", 1, "--concurrency", 1)
    code, out, err = cli(*asked, *sizes, "--set", "always_extract=false")
    assert code == 0, err
    told = " ".join(out.split())
    assert "-s cot --set @" in told
    assert "best.json --set temperature=0.5 --set always_extract=false" in told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--method", "pe3"), "no method is named 'pe3'; did you mean pe2"),
        (("-s", "nobody"), "no strategy is named 'nobody'"),
        (("--setting", "sistem"), "has no setting 'sistem'"),
        (("--setting", "n"), "is no text"),
        (("--set", "system=x"), "leave out --set system"),
        (("--set", "nonsense=1"), "no setting 'nonsense'"),
        (("--set", "@missing.json"), "cannot read the file"),
        (("--train", "100"), "too few problems"),
        (("--train", "0"), "--train"),
        (("--validation-data", "missing.jsonl"), "missing.jsonl"),
        (("--optimizer", "script:x"), "add --method pe2"),
        (("--max-solves", "3"), "the first round tries 60 texts on 2 problems"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    cli: Cli, data: Path, tmp_path: Path, more: tuple[str, ...], told: str
) -> None:
    model = script(tmp_path, "42")
    sizes = ("--train", 2, "--validation", 2)
    code, out, err = cli("optimize-prompt", data, "-o", tmp_path / "best.json", "-m", model, *sizes, *more)
    assert code == 2
    assert out == ""
    assert told in err
    assert err.strip().count("\n") == 0
    assert not (tmp_path / "best.json").exists()


def test_a_file_that_cannot_be_written_is_said_before_anything_is_solved(
    cli: Cli, data: Path, tmp_path: Path
) -> None:
    model = script(tmp_path)
    for output in (tmp_path / "nowhere" / "best.json", tmp_path):
        code, _, err = cli("optimize-prompt", data, "-o", output, "-m", model)
        assert code == 2
        assert "--output" in err
