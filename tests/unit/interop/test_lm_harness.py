"""The model "mathagent" within lm-evaluation-harness itself; skipped where that is not installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed (extra 'lm-eval')")

import lm_eval
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager

from mathagent.errors import BackendError, UsageError
from mathagent.interop.lm_harness import MathagentLM

TASK = """\
task: two_problems
dataset_path: json
dataset_kwargs:
  data_files:
    test: {file}
test_split: test
output_type: generate_until
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: ["Question:"]
  do_sample: false
filter_list:
  - name: answer
    filter:
      - function: regex
        regex_pattern: "The answer is (-?[0-9.]+[0-9])"
      - function: take_first
metric_list:
  - metric: exact_match
"""


def script(tmp_path: Path, *replies: object) -> str:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(replies), encoding="utf-8")
    return f"script:{path}"


def request(context: str, **generation: Any) -> Instance:
    return Instance(request_type="generate_until", doc={}, arguments=(context, generation), idx=0)


def test_it_is_registered() -> None:
    assert get_model("mathagent") is MathagentLM


def test_a_task_of_the_harness(tmp_path: Path) -> None:
    items = [{"question": "What is 6*7?", "answer": "42"}, {"question": "What is 20+3?", "answer": "25"}]
    data = tmp_path / "items.jsonl"
    data.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    (tmp_path / "two_problems.yaml").write_text(TASK.format(file=data), encoding="utf-8")
    kept = tmp_path / "solutions.jsonl"
    name = script(tmp_path, r"6*7 is \boxed{42}", r"20+3 is \boxed{23}")
    results = lm_eval.simple_evaluate(
        model="mathagent",
        model_args=f"strategy=cot,model={name},concurrency=1,solutions={kept}",
        tasks=["two_problems"],
        task_manager=TaskManager(include_path=str(tmp_path), include_defaults=False),
        bootstrap_iters=0,
    )
    assert results["results"]["two_problems"]["exact_match,answer"] == 0.5
    assert [sample["filtered_resps"] for sample in results["samples"]["two_problems"]] == [["42"], ["23"]]
    told = results["config"]["mathagent"]
    assert (told["strategy"], told["model"], told["solved"], told["failed"]) == ("cot", name, 2, 0)
    assert told["usage"]["calls"] == 2
    assert [json.loads(line)["answer"] for line in kept.read_text(encoding="utf-8").splitlines()] == ["42", "23"]


def test_the_form_of_the_examples_and_the_stop_texts(tmp_path: Path) -> None:
    lm = MathagentLM("cot", script(tmp_path, r"\boxed{42}", r"\boxed{7}"), concurrency=1)
    texts = lm.generate_until(
        [request("Q: 1+1?\nA: #### 2\n\nQ: 6*7?\nA:"), request("What is 3+4?", until=["7."])], disable_tqdm=True
    )
    assert texts == ["#### 42", "The answer is "]


def test_a_failed_request_is_an_empty_answer_and_counted(tmp_path: Path) -> None:
    lm = MathagentLM("cot", script(tmp_path, {"error": "gone"}, r"\boxed{7}"), concurrency=1)
    texts = lm.generate_until([request("What is 6*7?"), request("What is 3+4?")], disable_tqdm=True)
    assert texts == ["", "The answer is 7."]
    assert (lm.failed, lm.solved) == (1, 1)


def test_where_every_request_fails_the_run_ends(tmp_path: Path) -> None:
    lm = MathagentLM("cot", script(tmp_path, {"error": "gone"}), concurrency=1)
    with pytest.raises(BackendError, match="gone"):
        lm.generate_until([request("What is 6*7?")], disable_tqdm=True)


def test_log_likelihoods_are_refused(tmp_path: Path) -> None:
    lm = MathagentLM("cot", script(tmp_path))
    for method in (lm.loglikelihood, lm.loglikelihood_rolling):
        with pytest.raises(
            UsageError, match=r"no log-likelihoods\. Choose tasks whose output type is generate_until"
        ):
            method([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "bogus"}, "bogus"),
        ({"bogus": 1}, "bogus"),
        ({"budget_calls": 0}, "budget_calls must be greater than 0"),
        ({"answer": "bogus"}, "answer=bogus"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MathagentLM(**({"strategy": "cot"} | arguments))


def test_chats_become_text(tmp_path: Path) -> None:
    lm = MathagentLM("cot", script(tmp_path))
    assert (
        lm.apply_chat_template([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]) == "a\n\nb"
    )
