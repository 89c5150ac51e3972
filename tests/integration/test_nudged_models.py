"""``nudge(…)`` from the command line, over endpoints in a benchmark and its replay, and with a real model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fake_endpoint import Behaviour, FakeEndpoint
from writing_model import written_by

from mathagent.cli import run
from mathagent.errors import ModelFileError
from mathagent.evals.bench_spec import BenchSpec
from mathagent.evals.datasets import load_dataset
from mathagent.evals.grid import Grid
from mathagent.evals.records import RecordStore
from mathagent.evals.replay import Replay
from mathagent.models.base import ChatRequest, ConnectOptions
from mathagent.models.connect import connect_backend
from mathagent.models.nudging import UncertaintyRouter
from mathagent.types import Message, SamplingParams

WHOLE = "We add both numbers and so it is \\boxed{42} then"


def tokens(*pairs: tuple[str, float]) -> dict[str, Any]:
    """A scripted reply of (token, log-probability)."""
    logprobs = [{"token": token, "logprob": logprob} for token, logprob in pairs]
    return {"text": "".join(token for token, _ in pairs), "finish_reason": "length", "logprobs": logprobs}


def test_the_command_line_takes_two_models_that_write_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    base = tokens((" it", -0.1), (" is", -0.1), (" 41", -3.0))
    nudger = [tokens(("So", -0.1), (" well", -0.1)), {"text": " \\boxed{42}."}]
    Path("base.json").write_text(json.dumps([base]))
    Path("nudger.json").write_text(json.dumps(nudger))
    model = "nudge(script:base.json,script:nudger.json)"
    assert run(["solve", "What is 6·7?", "-s", "cot", "--model", model, "--json", "--no-cache"]) == 0
    solution = json.loads(capsys.readouterr().out)
    assert solution["answer"] == "42"
    assert solution["model"] == model
    assert solution["usage"]["calls"] == 1
    used = {one["backend"]: one["usage"]["completion_tokens"] for one in solution["by_model"]}
    assert used == {"script:base.json": 3, "script:nudger.json": 3}
    assert all(one["dollars"] == 0 for one in solution["by_model"])
    assert run(["solve", "x", "--model", "nudge(script:base.json)"]) == 2
    assert "nudge takes two models, and is given 1" in capsys.readouterr().err
    assert run(["probe", model]) == 2
    assert "is several models; probe each by itself" in capsys.readouterr().err
    assert (
        run(["solve", "x", "-s", "cot", "--model", f"nudge({'openai:m@http://127.0.0.1:9/v1,' * 2}gamma=0)"]) == 2
    )
    assert "twice; name two models" in capsys.readouterr().err


def answered(body: dict[str, Any]) -> Behaviour:
    """Both models go on with the same text, sure of it, as far as they may."""
    begun = body["messages"][-1]["content"] if body["messages"][-1]["role"] == "assistant" else ""
    reply = written_by(begun, WHOLE, {}, body["max_tokens"])
    return Behaviour(text=lambda body, index: reply.text, finish_reason=reply.finish_reason)


@pytest.fixture
async def server() -> AsyncIterator[FakeEndpoint]:
    running = await FakeEndpoint().start()
    running.next_behaviour = answered  # type: ignore[method-assign]
    running.models = {"data": [{"id": "base", "owned_by": "vllm"}]}
    yield running
    await running.stop()


async def test_a_benchmark_over_endpoints_resumes_and_replays(server: FakeEndpoint, tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps({"problem": "What is 6·7?", "answer": "42"}))
    base, nudger = (f"openai:{name}@{server.url}" for name in ("base", "nudger"))
    spec = BenchSpec(
        datasets=(str(problems),), strategies=("cot",), models=f"nudge({base},{nudger},chunk=4)", seed=5
    )
    data, store = [load_dataset(str(problems))], RecordStore(tmp_path / "runs.db")
    async with Grid(spec, data, store) as grid:
        (record,) = await grid.measure(lambda record, known: None)
        asked = list(server.bodies)
        assert await grid.measure(lambda record, known: None) == [record]
    assert record.outcome == "correct"
    assert record.solution is not None
    assert {one.model for one in record.solution.by_model} == {"openai:base", "openai:nudger"}
    assert {body["model"] for body in asked} == {"base", "nudger"}
    assert all(body.get("logprobs") for body in asked)
    begun = [body for body in asked if body["messages"][-1]["role"] == "assistant"]
    assert begun
    assert all(body["continue_final_message"] for body in begun)
    async with Replay(grid.run, [record]) as replay:
        (made,) = await replay.run(lambda one: None)
    assert made.status == "same"
    assert server.bodies == asked
    store.close()


@pytest.mark.model
async def test_a_real_base_model_is_nudged_through_a_reply() -> None:
    """SmolLM2 as the nudger of itself: without its chat template it is prompted as a base model."""
    pytest.importorskip("xllamacpp")
    name = "smollm2-135m"
    both = connect_backend(f"nudge({name}?template=plain&slots=1,{name}?slots=1)", ConnectOptions())
    assert isinstance(both, UncertaintyRouter)
    heard: list[str] = []
    params = SamplingParams(max_tokens=40)
    request = ChatRequest(messages=(Message(role="user", content="Count from one to ten."),), params=params)
    try:
        await both.start()
        (done,) = await both.complete(request, lambda index, text: heard.append(text))
    except ModelFileError as error:
        pytest.skip(str(error))
    finally:
        await both.aclose()
    assert done.text == "".join(heard) != ""
    assert done.finish_reason in ("stop", "length")
    used = {one.backend.partition("?")[2]: one.usage for one in done.by_model}
    assert used.keys() == {"template=plain", ""}
    assert all(one.prompt_tokens and one.completion_tokens for one in used.values())
    assert 0 < both.facts["secondary tokens kept"] < both.facts["primary tokens kept"] <= 40
