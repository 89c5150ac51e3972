"""A cascade and roles, from the command line, in a benchmark with its replay, and in a session."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from fake_endpoint import Behaviour, FakeEndpoint
from rich.console import Console

from mathagent.cli import run
from mathagent.console.page import Page
from mathagent.console.repl_commands import Command
from mathagent.console.repl_session import ReplOptions, Session
from mathagent.errors import UsageError
from mathagent.evals.bench_spec import BenchSpec
from mathagent.evals.datasets import load_dataset
from mathagent.evals.grid import Grid
from mathagent.evals.records import RecordStore
from mathagent.evals.replay import Replay


def answer(body: dict[str, Any], index: int) -> str:
    """The small model is unsure of all but the first problem, the large one always says 42."""
    sure = body["model"] == "large" or "first" in body["messages"][-1]["content"]
    return f"So it is \\boxed{{{42 if sure else body.get('seed', 0) % 97 + index}}}."


@pytest.fixture
async def server() -> AsyncIterator[FakeEndpoint]:
    running = await FakeEndpoint(Behaviour(text=answer)).start()
    yield running
    await running.stop()


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    rows = [{"problem": f"What is the {word} number?", "answer": "42"} for word in ("first", "second")]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


async def test_a_benchmark_of_a_cascade_resumes_and_replays(
    server: FakeEndpoint, problems: Path, tmp_path: Path
) -> None:
    small, large = (f"openai:{name}@{server.url}" for name in ("small", "large"))
    spec = BenchSpec(
        datasets=(str(problems),),
        strategies=("self-consistency",),
        settings={"n": 4, "over": "cot", "stop": "none"},
        models=f"cascade({small},{large},below=0.8)",
        seed=5,
    )
    data, store = [load_dataset(str(problems))], RecordStore(tmp_path / "runs.db")
    async with Grid(spec, data, store) as grid:
        records = await grid.measure(lambda record, known: None)
        asked = Counter(body["model"] for body in server.bodies)
        again = await grid.measure(lambda record, known: None)
    assert [record.outcome for record in records] == ["correct", "correct"]
    assert asked == {"small": 2, "large": 1}  # one request for all samples each
    assert again == records
    assert len(server.bodies) == 3
    used = [[one.model for one in record.solution.by_model] for record in records if record.solution]
    assert used == [["openai:small"], ["openai:small", "openai:large"]]
    assert records[1].model == f"{small},{large},below=0.8"
    assert records[1].dollars is None  # nobody lists what a private address costs
    async with Replay(grid.run, records) as replay:
        made = await replay.run(lambda one: None)
    assert [one.status for one in made] == ["same", "same"]
    assert len(server.bodies) == 3
    store.close()


def test_the_command_line_takes_a_cascade_and_roles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, replies in (
        ("small", [{"text": "no idea", "finish_reason": "length"}]),
        ("large", ["It is forty-two."]),
        ("other", [{"text": "\\boxed{42}", "role": "extractor"}] * 2),
    ):
        Path(f"{name}.json").write_text(json.dumps(replies))
    models = ["--model", "script:small.json,script:large.json", "--role", "extractor=script:other.json"]
    assert run(["solve", "What is 6·7?", "-s", "cot", *models, "--json", "--no-cache"]) == 0
    solution = json.loads(capsys.readouterr().out)
    assert solution["answer"] == "42"
    assert solution["model"] == "script:small.json,script:large.json,extractor=script:other.json"
    assert {one["backend"] for one in solution["by_model"]} >= {"script:large.json", "script:other.json"}
    assert run(["solve", "x", "--model", "script:small.json", "--role", "extractor"]) == 2
    assert "ROLE=MODEL" in capsys.readouterr().err
    assert run(["solve", "x", "--model", "script:small.json", "--role", "verifer=script:other.json"]) == 2
    assert "did you mean verifier" in capsys.readouterr().err


def test_a_session_takes_a_cascade() -> None:
    shown = StringIO()
    session = Session(ReplOptions(model="script:a.json"), Page(Console(file=shown)))
    session.run(Command("/model", ("script:a.json,openai:m@http://h/v1,judge=script:b.json",)))
    assert session.options.model == "script:a.json,openai:m@http://h/v1,judge=script:b.json"
    assert session.solver_is_stale
    with pytest.raises(UsageError, match="no model is named 'nowhere'"):
        session.run(Command("/model", ("script:a.json,nowhere",)))
