"""Prompted scorers against a script: what they ask, in which order, and what becomes of odd replies."""

from __future__ import annotations

import json
from math import log

import pytest

from mathagent.agents.scoring.judge import OUTCOME_JUDGE
from mathagent.agents.scoring.step_judge import STEP_JUDGE, StepJudge
from mathagent.agents.scoring.token_value import STEP_TOKEN_VALUE, TOKEN_VALUE
from mathagent.agents.scoring.windows import HIERARCHICAL, Hierarchical, repaired
from mathagent.budget import Budget
from mathagent.errors import BackendError, UnsupportedOption
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.scorers.base import Scorer
from mathagent.types import Problem, Step, TokenLogprob
from tests.unit.agents.scripted_context import scripted_context

PROBLEM = Problem(text="What is 2 + 2 + 3?")
STEPS = [Step(kind="thought", text=text) for text in ("2 + 2 = 4", "4 + 3 = 8", "No: 4 + 3 = 7")]
PROMPTED: list[Scorer] = [OUTCOME_JUDGE, STEP_JUDGE, HIERARCHICAL, TOKEN_VALUE, STEP_TOKEN_VALUE]


def says(**fields: object) -> str:
    return json.dumps({"reasoning": "I recomputed it.", **fields})


def leans(yes: float) -> Reply:
    top = (("Yes", log(yes * 0.5)), (" yes", log(yes * 0.4)), ("No", log((1 - yes) * 0.9)), ("Maybe", log(0.1)))
    return Reply(text="Yes", logprobs=(TokenLogprob(token="Yes", logprob=log(yes * 0.5), top=top),))


async def test_judge_asks_once_for_each_solution() -> None:
    backend = ScriptedBackend(
        [
            Reply(text=says(score=0.9), role="judge", contains=("2 + 2 + 3", "4 + 3 = 8")),
            Reply(text=says(score=0.25), role="judge", contains=("```python\nprint(8)\n```",)),
        ]
    )
    context, _ = scripted_context(backend)
    scores = await OUTCOME_JUDGE.score(context, PROBLEM, [STEPS, [Step(kind="code", text="print(8)")], []])
    assert [score.value for score in scores] == [0.9, 0.25, None]
    assert scores[2].note == "there is nothing to judge"
    backend.assert_finished()


async def test_step_judge_scores_all_steps_in_one_reply() -> None:
    backend = ScriptedBackend(
        [
            Reply(
                text=says(scores=[1, 0.25, 0.5]),
                role="step-judge",
                contains=("[1] 2 + 2 = 4", "[3] No: 4 + 3 = 7", "each of the 3 steps"),
            )
        ]
    )
    context, _ = scripted_context(backend)
    (score,) = await STEP_JUDGE.score(context, PROBLEM, [STEPS])
    assert score.steps == (1.0, 0.25, 0.5)
    assert score.value == 0.25
    assert StepJudge("product").aggregation == "product"


async def test_a_list_of_another_length_is_asked_for_again_and_then_left() -> None:
    backend = ScriptedBackend([says(scores=[1, 0.5]), says(scores=[0.9, 0.8, "certainly"])])
    context, _ = scripted_context(backend)
    (score,) = await STEP_JUDGE.score(context, PROBLEM, [STEPS])
    assert score.steps == (None, None, None)
    assert score.value is None
    assert score.note
    backend.assert_finished()


async def test_hierarchical_forgives_a_mistake_that_the_next_step_repairs() -> None:
    backend = ScriptedBackend(
        [
            Reply(text=says(scores=[1, 0.1, 0.9]), role="step-judge"),
            Reply(text=says(scores=[0.2, 0.8]), role="window-judge", contains=("Part 2: steps 2 to 3", "2 parts")),
        ]
    )
    context, _ = scripted_context(backend)
    (score,) = await HIERARCHICAL.score(context, PROBLEM, [STEPS])
    assert score.steps == (1.0, 0.8, 0.9)
    assert score.value == 0.8
    backend.assert_finished()


async def test_hierarchical_asks_one_question_about_a_single_step() -> None:
    backend = ScriptedBackend([Reply(text=says(scores=[0.3]), role="step-judge")])
    context, _ = scripted_context(backend)
    (score,) = await HIERARCHICAL.score(context, PROBLEM, [STEPS[:1]])
    assert score.steps == (0.3,)
    with pytest.raises(ValueError, match="two steps at least"):
        Hierarchical(size=1)


def test_a_window_only_forgives_its_first_step() -> None:
    assert repaired((0.9, 0.1, 0.9), (0.1, 0.9), 2) == (0.9, 0.9, 0.9)
    assert repaired((0.1, 0.9), (0.2,), 2) == (0.2, 0.9)
    assert repaired((0.1, None), (None,), 2) == (0.1, None)


async def test_token_value_is_the_probability_of_yes_against_no() -> None:
    backend = ScriptedBackend([leans(0.8)])
    context, _ = scripted_context(backend)
    (score,) = await TOKEN_VALUE.score(context, PROBLEM, [STEPS])
    assert score.value == pytest.approx(0.72 / (0.72 + 0.18))
    (request,) = backend.requests
    assert (request.role, request.params.max_tokens, request.logprobs) == ("token-value", 1, 20)
    assert "one word, Yes or No" in request.messages[-1].content


async def test_step_token_value_asks_behind_each_step() -> None:
    backend = ScriptedBackend([leans(0.9), leans(0.2), Reply(text="So", logprobs=())])
    context, _ = scripted_context(backend)
    (score,) = await STEP_TOKEN_VALUE.score(context, PROBLEM, [STEPS])
    assert score.steps[2] is None
    assert score.value is None
    assert [request.messages[-1].content.count("[") for request in backend.requests] == [1, 2, 3]
    assert "Is step 2 right" in backend.requests[1].messages[-1].content


async def test_token_value_is_refused_without_log_probs() -> None:
    backend = ScriptedBackend([], capabilities=Capabilities(n=True))
    context, _ = scripted_context(backend)
    for scorer in (TOKEN_VALUE, STEP_TOKEN_VALUE):
        with pytest.raises(UnsupportedOption, match="does not support log-probs"):
            await scorer.score(context, PROBLEM, [STEPS])
    assert backend.requests == []


@pytest.mark.parametrize("scorer", PROMPTED, ids=lambda scorer: scorer.name)
async def test_a_dead_endpoint_is_raised(scorer: Scorer) -> None:
    context, _ = scripted_context(ScriptedBackend(lambda request, sample: Reply(error="it is down")))
    with pytest.raises(BackendError, match="it is down"):
        await scorer.score(context, PROBLEM, [STEPS, STEPS])


@pytest.mark.parametrize("scorer", PROMPTED, ids=lambda scorer: scorer.name)
async def test_nonsense_has_no_score_and_a_reason(scorer: Scorer) -> None:
    context, _ = scripted_context(ScriptedBackend(lambda request, sample: "Bananas!"))
    (score,) = await scorer.score(context, PROBLEM, [STEPS])
    assert score.value is None
    assert score.note


@pytest.mark.parametrize("scorer", PROMPTED, ids=lambda scorer: scorer.name)
async def test_a_budget_that_ends_is_told(scorer: Scorer) -> None:
    context, _ = scripted_context(
        ScriptedBackend(lambda request, sample: says(score=1)), budget=Budget(max_calls=1)
    )
    await OUTCOME_JUDGE.score(context, PROBLEM, [STEPS])
    (score,) = await scorer.score(context, PROBLEM, [STEPS])
    assert score.value is None
    assert score.limit == score.note == "the budget of 1 calls is used up"
