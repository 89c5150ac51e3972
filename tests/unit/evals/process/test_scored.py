"""Scorers as critics on ProcessBench: labels at a threshold, thresholds chosen on one set, records that keep scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mathagent.errors import UnsupportedOption, UsageError
from mathagent.evals.process.critics import load_critic
from mathagent.evals.process.critique import Shown
from mathagent.evals.process.evaluate import Asking, CriticResult, Evaluation
from mathagent.evals.process.items import ItemSet, ProcessItem
from mathagent.evals.process.scored import critique_at
from mathagent.evals.records import Record, RecordStore
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.scorers.base import Score
from mathagent.solver import Solver

STEPS = ("2 + 2 = 4", "4 + 3 = 8", "The answer is 8.")
RIGHT = ("2 + 2 = 4", "4 + 3 = 7", "The answer is 7.")


def item(name: str, reference: str, steps: tuple[str, ...] = STEPS) -> ProcessItem:
    shown = Shown(question=f"{name}: what is 2 + 2 + 3?", steps=steps, solution="\n\n".join(steps))
    return ProcessItem(id=name, shown=shown, reference=reference, family=name)


def subset(name: str, *items: ProcessItem) -> ItemSet:
    return ItemSet(name=f"processbench:{name}", kind="processbench", items=items)


GSM8K = subset("gsm8k", item("a", "step 2"), item("b", "correct", RIGHT))
MATH = subset("math", item("c", "step 2"), item("d", "correct", RIGHT))


def scores(*values: float) -> Reply:
    return Reply(text=json.dumps({"reasoning": "", "scores": values}), role="step-judge")


async def evaluated(
    backend: ScriptedBackend, folder: Path, scorer: str, *sets: ItemSet, **asking: object
) -> tuple[CriticResult, list[Record]]:
    store = RecordStore(folder / "runs.db")
    name = f"scorer:{scorer}"
    async with Solver(backend, cache=False, checkpoints=False) as solver:
        evaluation = Evaluation(solver, store, sets, Asking.model_validate(asking), concurrency=1)
        await evaluation.plan(name)
        records = await evaluation.run(name, lambda record, known: None)
        return evaluation.result(name, records), records


def test_the_first_step_below_the_threshold_is_the_wrong_one() -> None:
    score = Score(value=0.2, steps=(0.9, 0.4, 0.2))
    assert [_label(score, threshold) for threshold in (0.1, 0.3, 0.5, 0.95)] == [
        "correct",
        "step 3",
        "step 2",
        "step 1",
    ]
    assert (
        _label(Score(value=None, steps=(0.9, None, 0.2)), 0.5) == "step 3"
    )  # a step without a score is passed over
    assert _label(Score(value=0.4), 0.5) == "incorrect"
    assert _label(Score(value=0.5), 0.5) == "correct"
    assert critique_at(Score(value=None, steps=(None, None)), 0.5, 2) is None
    assert critique_at(Score(value=None), 0.5, 2) is None


def _label(score: Score, threshold: float) -> str:
    critique = critique_at(score, threshold, 3)
    assert critique is not None
    return critique.label


async def test_a_scorer_s_f1_at_a_given_threshold(tmp_path: Path) -> None:
    backend = ScriptedBackend([scores(1, 0.4, 0.3), scores(1, 0.6, 0.6)])
    result, records = await evaluated(backend, tmp_path, "step-judge", GSM8K, config={"threshold": 0.5})
    backend.assert_finished()
    assert [record.answer for record in records] == ["step 2", "correct"]
    assert (result.threshold, result.tuned_on, result.names_steps) == (0.5, None, True)
    assert result.processbench is not None
    assert result.processbench.average_f1 == 1.0
    assert records[0].solution is not None
    kept = Score.model_validate_json(records[0].solution.candidates[0].steps[0].text)
    assert kept.steps == (1.0, 0.4, 0.3)


async def test_a_threshold_chosen_on_one_set_judges_the_others(tmp_path: Path) -> None:
    """At 0.5 all are wrong; on gsm8k 0.75 separates best, and of the average that set is left out."""
    backend = ScriptedBackend(
        [scores(0.9, 0.6, 0.5), scores(0.9, 0.9, 0.95), scores(1, 0.7, 0.6), scores(1, 0.7, 1)]
    )
    result, _ = await evaluated(backend, tmp_path, "step-judge", GSM8K, MATH, tune_on="gsm8k")
    assert result.threshold == pytest.approx(0.75)
    assert result.tuned_on == "processbench:gsm8k"
    report = result.processbench
    assert report is not None
    assert report.subsets["processbench:gsm8k"].f1 == 1.0
    math = report.subsets["processbench:math"]
    assert (math.error_accuracy, math.correct_accuracy, report.average_f1) == (1.0, 0.0, 0.0)


async def test_scorers_that_cost_nothing_or_judge_wholes(tmp_path: Path) -> None:
    free, records = await evaluated(ScriptedBackend([]), tmp_path, "arithmetic", GSM8K)
    assert [record.answer for record in records] == ["step 2", "correct"]
    assert (free.calls, free.processbench and free.processbench.average_f1) == (0.0, 1.0)
    whole = [json.dumps({"reasoning": "", "score": score}) for score in (0.1, 0.9)]
    judge, records = await evaluated(ScriptedBackend(whole), tmp_path, "judge", GSM8K, tune_on="gsm8k")
    assert [record.answer for record in records] == ["incorrect", "correct"]
    assert not judge.names_steps
    assert judge.threshold == pytest.approx(0.5)
    assert judge.processbench is not None
    assert judge.processbench.subsets["processbench:gsm8k"].verdict_f1 == 1.0


async def test_what_is_not_scored_is_wrong_and_what_fails_is_tried_again(tmp_path: Path) -> None:
    nonsense, records = await evaluated(
        ScriptedBackend(lambda request, number: "Bananas!"), tmp_path, "step-judge", GSM8K
    )
    assert [record.answer for record in records] == [None, None]
    assert nonsense.unreadable == 2
    dead, _ = await evaluated(
        ScriptedBackend(lambda request, number: Reply(error="it is down")), tmp_path, "judge", GSM8K
    )
    assert dead.errors == 2


async def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    script = [scores(1, 0.4, 0.3), scores(1, 0.6, 0.6)]
    first, _ = await evaluated(ScriptedBackend(script), tmp_path, "step-judge", GSM8K)
    again, _ = await evaluated(ScriptedBackend([]), tmp_path, "step-judge", GSM8K)
    assert again.processbench == first.processbench


async def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    backend = ScriptedBackend([], capabilities=Capabilities(n=True))
    with pytest.raises(UsageError, match="a scorer has no setting 'n'; it has: threshold"):
        await evaluated(backend, tmp_path, "judge", GSM8K, config={"n": 3})
    with pytest.raises(UsageError, match="no scorer is named 'juge'"):
        await evaluated(backend, tmp_path, "juge", GSM8K)
    with pytest.raises(UsageError, match="--tune-on omnimath names none of the sets"):
        await evaluated(backend, tmp_path, "judge", GSM8K, tune_on="omnimath")
    with pytest.raises(UnsupportedOption, match="log-probs"):
        await evaluated(backend, tmp_path, "token-value", GSM8K)


def test_a_scorer_is_a_critic_by_name() -> None:
    critic = load_critic("scorer:hierarchical")
    assert (critic.names_steps, critic.role.name) == (True, "scorer:hierarchical")
    assert "scoring/windows" in critic.prompts
