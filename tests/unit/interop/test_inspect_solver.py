"""mathagent/solve within inspect_ai itself; skipped where that is not installed (pip install 'mathagent[inspect]')."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="inspect_ai is not installed (extra 'inspect')")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, Model, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import choice, match

from mathagent.budget import Budget
from mathagent.errors import UsageError
from mathagent.interop import inspect_solver
from mathagent.interop.inspect_backend import as_completion, as_inspect_message
from mathagent.interop.inspect_solver import KEY, solve
from mathagent.types import Message, ToolCall

PRODUCT = Sample(input="What is 6*7?", target="42", id="product")
SUM = Sample(input="What is 2+3?", target="5", id="sum")


class Replies:
    """What the model under evaluation says, one text a call (the last one for ever); keeps what it was asked."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked, self.configs = list(texts), list[str](), list[GenerateConfig]()

    def __call__(self, messages: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        self.asked.append("\n".join(message.text for message in messages))
        self.configs.append(config)
        text = self.texts[min(len(self.asked), len(self.texts)) - 1]
        output = ModelOutput.from_content(model="mockllm", content=text)
        output.usage = ModelUsage(input_tokens=10, output_tokens=5, total_tokens=15)
        return output

    def model(self, config: GenerateConfig | None = None) -> Model:
        return get_model("mockllm/model", custom_outputs=self, config=config or GenerateConfig(), memoize=False)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))

    def evaluate(task: Task, model: Model, **options: Any) -> EvalLog:
        options = {"display": "none", "log_dir": str(tmp_path / "logs"), "max_samples": 1} | options
        return inspect_eval(task, model=model, **options)[0]

    return evaluate


def test_the_model_under_evaluation_is_asked_through_inspect(run: Any) -> None:
    replies = Replies(r"6*7 is \boxed{42}", r"2+3 is \boxed{6}")
    log = run(
        Task(dataset=[PRODUCT, SUM], solver=solve(strategy="cot"), scorer=match(numeric=True)), replies.model()
    )
    assert log.status == "success", log.error
    assert [sample.scores["match"].value for sample in log.samples] == ["C", "I"]
    assert log.samples[0].output.completion == "ANSWER: 42"
    assert log.stats.model_usage["mockllm/model"].total_tokens == 30
    told = log.samples[0].metadata[KEY]
    assert (told["answer"], told["strategy"], told["stopped"]) == ("42", "cot", "finished")
    assert [told["usage"][name] for name in ("calls", "prompt_tokens", "completion_tokens")] == [1, 10, 5]
    assert {"certificate", "confidence", "confidence_basis", "model"} <= set(told)
    assert log.samples[0].store[KEY]["candidates"][0]["answer"]["normal"] == "42"
    assert "What is 6*7?" in replies.asked[0]
    assert not any("42" in text for text in replies.asked), "the target was shown"


def test_a_model_of_our_own(run: Any, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([r"\boxed{42}"]), encoding="utf-8")
    replies = Replies("never asked")
    solver = solve(strategy="cot", model=f"script:{script}", answer=r"\boxed{{answer}}")
    log = run(Task(dataset=[PRODUCT], solver=solver, scorer=match()), replies.model())
    assert log.samples[0].output.completion == r"\boxed{42}"
    assert log.samples[0].metadata[KEY]["model"] == f"script:{script}"
    assert replies.asked == []
    assert log.samples[0].output.usage.output_tokens == 1


def test_samples_of_one_request_differ_under_inspects_cache(run: Any) -> None:
    texts = [r"\boxed{1}", r"\boxed{42}", r"\boxed{42}", r"\boxed{2}", r"\boxed{42}"]
    replies = Replies(*texts)
    model = replies.model(GenerateConfig(cache=True))
    task = Task(
        dataset=[PRODUCT],
        solver=solve(strategy="self-consistency", config={"over": "cot", "n": 5, "stop": "none"}),
        scorer=match(numeric=True),
    )
    log = run(task, model)
    assert log.samples[0].output.completion == "ANSWER: 42"
    asked = len(replies.asked)
    assert asked == 5
    again = run(task, model)
    assert again.samples[0].output.completion == "ANSWER: 42"
    assert len(replies.asked) == asked, "inspect's cache answers the second run"


def test_inspects_limit_ends_the_solve_with_the_best_so_far(run: Any) -> None:
    replies = Replies(r"\boxed{42}")
    task = Task(
        dataset=[PRODUCT],
        solver=solve(strategy="self-consistency", config={"over": "cot", "n": 8, "stop": "none"}),
        scorer=match(numeric=True),
        token_limit=40,
    )
    log = run(task, replies.model(), max_connections=1)
    sample = log.samples[0]
    assert sample.limit.type == "token"
    assert sample.metadata[KEY]["answer"] == "42"
    assert sample.scores["match"].value == "C"
    assert len(replies.asked) < 8


def test_a_budget_of_our_own(run: Any) -> None:
    replies = Replies(r"\boxed{42}")
    solver = solve(strategy="self-consistency", config={"over": "cot", "n": 8, "stop": "none"}, budget_calls=2)
    log = run(Task(dataset=[PRODUCT], solver=solver, scorer=match(numeric=True)), replies.model())
    assert log.samples[0].metadata[KEY]["stopped"] == "budget"
    assert len(replies.asked) == 2
    assert log.samples[0].limit is None


@pytest.mark.parametrize(
    ("given", "time", "working", "seconds"),
    [(None, None, None, None), (9, None, None, 9), (None, 100, None, 98), (None, 10, 4, 3.8), (9, 100, None, 9)],
)
def test_a_solve_ends_before_inspects_time_limit(
    monkeypatch: pytest.MonkeyPatch,
    given: float | None,
    time: float | None,
    working: float | None,
    seconds: float | None,
) -> None:
    limits = SimpleNamespace(time=SimpleNamespace(remaining=time), working=SimpleNamespace(remaining=working))
    monkeypatch.setattr(inspect_solver, "sample_limits", lambda: limits)
    within = inspect_solver._within_limits(Budget(max_tokens=7, max_seconds=given))
    assert within == Budget(max_tokens=7, max_seconds=seconds)


def test_choices_are_marked(run: Any) -> None:
    sample = Sample(input="Which is prime?", choices=["8", "7", "9"], target="B")
    replies = Replies("The answer is (B).")
    log = run(Task(dataset=[sample], solver=solve(strategy="cot"), scorer=choice()), replies.model())
    assert log.samples[0].scores["choice"].value == "C"
    assert "7" in replies.asked[0]


def test_a_model_that_fails_is_an_error_of_the_sample(run: Any) -> None:
    def broken(*_: Any) -> ModelOutput:
        raise RuntimeError("no such host")

    model = get_model("mockllm/model", custom_outputs=broken, memoize=False)
    log = run(Task(dataset=[PRODUCT], solver=solve(strategy="cot"), scorer=match()), model, fail_on_error=False)
    assert "no such host" in log.samples[0].error.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "bogus"}, "bogus"),
        ({"strategy": "cot", "config": {"bogus": 1}}, "bogus"),
        ({"config": "samples=3"}, "config is a table"),
        ({"budget_tokens": 0}, "budget_tokens must be greater than 0"),
        ({"answer": "none"}, "no {answer} in it"),
        ({"memory_mode": "learn"}, "'off' or 'read'"),
    ],
)
def test_wrong_arguments_are_found_before_the_first_sample(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        solve(**arguments)


def test_messages_and_tool_calls_there_and_back() -> None:
    call = ToolCall(id="c1", name="python", arguments='{"code": "6*7"}')
    turn = as_inspect_message(Message(role="assistant", content="", tool_calls=(call,)), {})
    output = ModelOutput.from_content(model="m", content="")
    output.choices[0].message = turn
    assert as_completion(output, first=True).tool_calls == (call,)
    assert as_completion(output, first=True).finish_reason == "tool_calls"
    result = as_inspect_message(Message(role="tool", content="42", tool_call_id="c1"), {})
    assert (result.role, result.tool_call_id, result.text) == ("tool", "c1", "42")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("max_tokens", "length"), ("model_length", "length"), ("unknown", "stop")],
)
def test_finish_reasons(reason: Any, finish: str) -> None:
    output = ModelOutput.from_content(model="m", content="x", stop_reason=reason)
    assert as_completion(output, first=True).finish_reason == finish
