"""mathagent runs and replay, as a user types them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mathagent.cli import run as run_command
from mathagent.config import settings
from mathagent.storage import open_database

Cli = Callable[..., tuple[int, str, str]]
PROGRAM = "```python\ndef solution():\n    return {value}\n```"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = run_command(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def benched(tmp_path: Path, cli: Cli) -> str:
    """A run of pal over three problems, with replies from a script: right, wrong, and a program that fails."""
    items = [{"id": f"p{n}", "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(3)]
    data = tmp_path / "sums.jsonl"
    data.write_text("".join(json.dumps(item) + "\n" for item in items))
    replies = [PROGRAM.format(value=value) for value in ("1", "7", "1 / 0")]
    script = tmp_path / "replies.json"
    script.write_text(json.dumps(replies))
    model = f"script:{script}"
    code, _, err = cli(
        "bench", str(data), "-s", "pal", "-m", model, "--concurrency", "1", "--name", "sums", "--json"
    )
    assert code == 0, err
    return "sums"


def test_list_says_how_far_and_how_right(benched: str, cli: Cli) -> None:
    code, out, _ = cli("runs", "list", "--json")
    (row,) = json.loads(out)
    assert code == 0
    assert (row["id"], row["done"], row["planned"], row["status"]) == (benched, 3, 3, "finished")
    assert row["accuracy"] == pytest.approx(1 / 3)
    assert row["arms"].startswith("pal")
    code, out, _ = cli("runs", "list")
    assert "33.3%" in out
    assert "3/3" in out


def test_show_has_numbers_costs_and_failures_with_examples(benched: str, cli: Cli) -> None:
    code, out, _ = cli("runs", "show", benched, "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["run"]["spec"]["strategies"] == ["pal"]
    assert shown["arms"][0]["correct"] == 1
    assert shown["costs"]["calls"] == 3
    assert shown["costs"]["dollars"] == 0.0
    assert {(one["kind"], one["count"]) for one in shown["failures"]} == {("wrong", 1), ("code-error", 1)}
    code, out, _ = cli("runs", "show", "last")
    assert "p1" in out
    assert "code-error: 1" in out


def test_export_is_what_other_commands_read(benched: str, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    assert cli("runs", "export", benched, "-o", str(file))[0] == 0
    code, out, _ = cli("runs", "show", str(file), "--json")
    assert code == 0
    assert json.loads(out)["run"] is None
    assert json.loads(out)["arms"][0]["problems"] == 3
    _, out, _ = cli("runs", "export", benched, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["problem_id"], row["outcome"], row["calls"]) for row in rows] == [
        ("p0", "correct", "1"),
        ("p1", "incorrect", "1"),
        ("p2", "incorrect", "1"),
    ]
    code, _, err = cli("runs", "export", benched, "--format", "xml")
    assert code == 2
    assert "jsonl, csv, json" in err


def test_a_run_is_gone_on_with_from_any_folder_and_wherever_its_data_lies(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    item = {"id": "p", "question": "What is 1 + 1?", "answer": "2"}
    copy = {**item, "id": "again"}
    (here / "own.jsonl").write_text(f"{json.dumps(item)}\n{json.dumps(copy)}\n")
    script = tmp_path / "replies.json"
    script.write_text(json.dumps([{"error": "gone"}, "\\boxed{2}", "\\boxed{2}", "\\boxed{2}"]))
    monkeypatch.chdir(here)
    asked = ("bench", "own.jsonl", "-s", "cot", "-m", f"script:{script}", "--concurrency", "1", "--no-cache")
    code, out, err = cli(*asked, "--name", "mine")
    assert code == 3, err
    assert "were the 1 without a grade wrong" in " ".join(out.split())
    assert "p = again" in " ".join(out.split())
    monkeypatch.chdir(elsewhere)
    script.write_text(json.dumps(["\\boxed{2}"]))
    code, out, err = cli("bench", "--resume", "mine", "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    assert (row["problems"], row["correct"], row["ungraded"], row["copies"]) == (1, 1, 0, [["p", "again"]])
    (here / "own.jsonl").rename(elsewhere / "own.jsonl")
    code, _, err = cli("bench", "--resume", "mine")
    assert code == 2
    assert str(here / "own.jsonl") in err
    assert cli("bench", "--resume", "mine", "own.jsonl")[0] == 0
    (elsewhere / "own.jsonl").write_text(json.dumps({**item, "answer": "3"}) + "\n")
    code, _, err = cli("bench", "--resume", "mine", "own.jsonl")
    assert code == 2
    assert "items was" in err


def test_rm_asks_and_takes_only_what_no_other_run_has(benched: str, cli: Cli, tmp_path: Path) -> None:
    code, _, err = cli("runs", "rm", benched)  # nobody is there to be asked
    assert code == 2
    assert "--yes" in err
    code, out, _ = cli("runs", "rm", benched, "--yes", "--json")
    assert code == 0
    assert json.loads(out) == [{"run": benched, "records": 3}]
    assert json.loads(cli("runs", "list", "--json")[1]) == []
    assert cli("runs", "show", benched)[0] == 2


def test_replay_runs_the_programs_again_and_finds_the_same(benched: str, cli: Cli, tmp_path: Path) -> None:
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    cli("runs", "export", benched, "-o", str(before))
    code, out, err = cli("replay", benched, "-o", str(after))
    assert code == 0, out + err
    assert "3 of 3 records are the same" in out
    assert after.read_bytes() == before.read_bytes()
    assert len(json.loads(cli("runs", "list", "--json")[1])) == 1  # a replay is no run


def test_replay_names_the_item_and_the_call_whose_completion_is_missing(benched: str, cli: Cli) -> None:
    with open_database(settings().cache_path) as connection:
        connection.execute("DELETE FROM completions WHERE completion LIKE '%return 7%'")
    code, out, _ = cli("replay", benched)
    assert code == 1
    assert "p1 (sums, pal): missing" in out
    assert "sample 0 of role 'coder' is not in the cache" in out
    assert "2 of 3 records are the same" in out


def test_replay_lists_what_is_different(benched: str, cli: Cli) -> None:
    with open_database(settings().cache_path) as connection:
        connection.execute("UPDATE completions SET completion = replace(completion, 'return 7', 'return 2')")
    code, out, _ = cli("replay", benched, "--json")
    shown = json.loads(out)
    assert code == 1
    assert shown["counts"] == {"same": 2, "different": 1}
    (one,) = shown["records"]
    places = {difference["place"]: (difference["before"], difference["now"]) for difference in one["differences"]}
    assert places["answer"] == ("7", "2")
    assert places["outcome"] == ("incorrect", "correct")


def test_a_run_that_is_not_there_is_a_usage_error(benched: str, cli: Cli) -> None:
    code, _, err = cli("replay", "nothing")
    assert code == 2
    assert "no run is named 'nothing'" in err


def test_looking_at_runs_loads_no_graph_and_no_model() -> None:
    heavy = "{'langgraph', 'openai', 'sympy', 'numpy', 'genai_prices'} & set(sys.modules)"
    program = f"import sys; from mathagent.cli import run; run(['runs', 'list']); print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
