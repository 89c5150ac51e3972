"""sift against the deterministic test of its card: 3, 6, 10 and 11 calls, what each sees, and which answer is taken."""

from __future__ import annotations

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies.sift import read_sticker
from mathagent.types import Problem, Solution

QUESTION = "Ann has 3 pears and buys 4 more. How many pears has she?"


def sticker(name: str) -> str:
    return f"**Conditions:**\n1. {name} has 3.\n2. {name} buys 4.\n**Question:**\nHow many has {name}?"


def extract(name: str) -> Reply:
    return Reply(text=f"Here it is:\n```\n{sticker(name)}\n```\nDone.", role="extractor", contains=(QUESTION,))


def views(name: str, alone: str, both: str) -> list[Reply]:
    """The two predictions of a stage whose sticker is ``name``'s."""
    return [
        Reply(text=alone, role="reasoner", contains=(sticker(name),), lacks=(QUESTION,)),
        Reply(text=both, role="reasoner", contains=(f"{QUESTION}\n\n{sticker(name)}",)),
    ]


def box(answer: str, words: str = "So") -> str:
    return f"{words} \\boxed{{{answer}}}."


def refine(old: str, new: str) -> Reply:
    return Reply(text=sticker(new), role="refiner", contains=(QUESTION, sticker(old)))


def script() -> list[Reply]:
    """All eleven calls; no predictions agree."""
    inverted = Reply(
        text=sticker("Cid"),
        role="inverter",
        contains=("worked out",),
        lacks=(QUESTION, sticker("Ann"), sticker("Ben")),
    )
    return [
        extract("Ann"),
        *views("Ann", box("1"), box("2")),
        refine("Ann", "Ben"),
        *views("Ben", box("3"), box("4", "worked out")),
        inverted,
        refine("Cid", "Dan"),
        *views("Dan", box("5"), box("6")),
        Reply(text=box("7"), role="reasoner", contains=(QUESTION,), lacks=("Conditions",)),
    ]


async def solve(
    backend: ScriptedBackend, *, budget: Budget | None = None, problem: str | Problem = QUESTION, **config: object
) -> Solution:
    async with Solver(backend, cache=False) as solver:
        return await solver.solve(problem, "sift", budget=budget, config=config)


async def test_predictions_that_agree_at_once_are_three_calls() -> None:
    backend = ScriptedBackend([extract("Ann"), *views("Ann", box("1/2"), box("0.5"))])
    solution = await solve(backend)
    backend.assert_finished()
    assert backend.roles == ["extractor", "reasoner", "reasoner"]
    assert solution.answer == "1/2"  # the prediction from the sticker alone
    assert "stage 1" in solution.confidence_basis
    assert solution.confidence == 0.75
    assert [step.text for step in solution.candidates[0].steps] == [sticker("Ann"), box("1/2")]
    assert {request.params.temperature for request in backend.requests} == {0.0}


async def test_forward_refinement_is_six_calls() -> None:
    backend = ScriptedBackend([*script()[:4], *views("Ben", box("7"), box("7.0"))])
    solution = await solve(backend)
    backend.assert_finished()
    assert backend.roles == ["extractor", "reasoner", "reasoner", "refiner", "reasoner", "reasoner"]
    assert solution.answer == "7"
    assert "stage 2" in solution.confidence_basis


async def test_inverse_refinement_is_ten_calls() -> None:
    backend = ScriptedBackend([*script()[:8], *views("Dan", box("7"), box("7"))])
    solution = await solve(backend)
    backend.assert_finished()
    assert backend.roles[6:] == ["inverter", "refiner", "reasoner", "reasoner"]
    assert solution.answer == "7"
    assert "stage 3" in solution.confidence_basis


async def test_predictions_that_never_agree_are_eleven_calls_and_the_direct_answer() -> None:
    backend = ScriptedBackend(script())
    solution = await solve(backend)
    backend.assert_finished()
    assert len(backend.requests) == 11
    assert solution.answer == "7"
    assert "no predictions of 3 stages agree" in solution.confidence_basis
    assert [one.answer.normal for one in solution.candidates if one.answer] == list("1234567")
    assert solution.stopped == "finished"


async def test_agreement_of_different_stages_is_none() -> None:
    replies = script()
    replies[4] = views("Ben", box("2"), "")[0]  # what problem and sticker gave at stage 1
    backend = ScriptedBackend(replies)
    assert (await solve(backend)).answer == "7"
    backend.assert_finished()


@pytest.mark.parametrize(("stages", "calls"), [(1, 4), (2, 7)])
async def test_fewer_stages(stages: int, calls: int) -> None:
    backend = ScriptedBackend([*script()[: calls - 1], script()[-1]])
    assert (await solve(backend, stages=stages)).answer == "7"
    backend.assert_finished()


async def test_a_missing_answer_agrees_with_nothing() -> None:
    nothing = "I cannot say"
    replies = [extract("Ann"), *views("Ann", nothing, nothing), script()[-1]]
    solution = await solve(ScriptedBackend(replies), stages=1)
    assert solution.answer == "7"
    assert [one.failure and one.failure.kind for one in solution.candidates] == ["no-answer", "no-answer", None]


async def test_a_refiner_that_writes_prose_leaves_the_sticker_as_it_is() -> None:
    prose = Reply(text="The sticker is fine as it stands.", role="refiner")
    backend = ScriptedBackend([*script()[:3], prose, *views("Ann", box("7"), box("7"))])
    assert (await solve(backend)).answer == "7"
    backend.assert_finished()
    assert [request.first_sample for request in backend.requests] == [0, 0, 0, 0, 1, 1]


async def test_without_a_readable_sticker_the_problem_is_solved_directly() -> None:
    prose = Reply(text="There are some pears.", role="extractor")
    backend = ScriptedBackend([prose, script()[-1]])
    solution = await solve(backend)
    backend.assert_finished()
    assert solution.answer == "7"
    assert "no sticker could be read" in solution.confidence_basis


async def test_the_pair_of_the_abstract() -> None:
    direct = Reply(text=box("7"), role="reasoner", contains=(QUESTION,), lacks=("Conditions",))
    backend = ScriptedBackend([extract("Ann"), direct, views("Ann", "", box("7"))[1]])
    assert (await solve(backend, pair="query")).answer == "7"
    backend.assert_finished()


async def test_choices_stand_below_the_sticker() -> None:
    problem = Problem(text=QUESTION, choices=("6", "7"))
    alone, both = (
        views("Ann", "The answer is (B).", "The answer is (B).")[:1],
        Reply(text="(B)", contains=("(B) 7",)),
    )
    alone = [one.model_copy(update={"contains": (sticker("Ann"), "(B) 7", "letter")}) for one in alone]
    backend = ScriptedBackend([extract("Ann"), *alone, both])
    assert (await solve(backend, problem=problem)).answer == "B"


@pytest.mark.parametrize(("calls", "answer"), [(1, None), (2, "1"), (3, "2"), (6, "4"), (7, "4"), (10, "6")])
async def test_a_budget_that_ends_keeps_the_latest_prediction(calls: int, answer: str | None) -> None:
    backend = ScriptedBackend(script(), max_parallel=1)
    solution = await solve(backend, budget=Budget(max_calls=calls))
    assert solution.answer == answer
    assert solution.stopped == "budget"
    assert len(backend.requests) == calls


async def test_a_token_budget_serves_both_predictions_in_turn() -> None:
    """Either may use all that is left: the second waits for the first, and is not refused."""
    replies = [one.model_copy(update={"completion_tokens": 30}) for one in script()[:6]]
    solution = await solve(ScriptedBackend(replies), budget=Budget(max_tokens=170))
    assert [one.answer.normal for one in solution.candidates if one.answer] == list("1234")
    assert solution.stopped == "budget"


async def test_nonsense_ends_without_an_answer_and_says_why() -> None:
    solution = await solve(ScriptedBackend(lambda request, sample: "Blub."))
    assert solution.answer is None
    assert solution.confidence_basis == "no prediction states an answer"
    assert solution.stopped == "finished"


async def test_an_endpoint_that_is_dead_or_dies() -> None:
    with pytest.raises(BackendError, match="down"):
        await solve(ScriptedBackend([Reply(error="down")]))
    dying = ScriptedBackend([*script()[:3], Reply(error="down", role="refiner")])
    solution = await solve(dying)
    assert (solution.answer, solution.stopped, solution.detail) == ("1", "error", "down")


async def test_one_failed_prediction_is_data() -> None:
    failed = Reply(error="down", role="reasoner")
    backend = ScriptedBackend(
        [extract("Ann"), failed, views("Ann", "", box("7"))[1], script()[-1]], max_parallel=1
    )
    solution = await solve(backend, stages=1)
    assert solution.answer == "7"
    assert solution.candidates[0].failure is not None
    assert solution.candidates[0].failure.kind == "model-error"


def test_a_sticker_is_conditions_and_a_question() -> None:
    assert read_sticker("Sure!\n## Conditions\n1. a\n## Question\nWhat?\n```\nbye") == (
        "## Conditions\n1. a\n## Question\nWhat?"
    )
    assert read_sticker("Conditions:\n1. a") == ""
    assert read_sticker("The conditions are clear.\nQuestion: what?") == ""


async def test_settings_that_mean_nothing() -> None:
    with pytest.raises(UsageError, match="sift"):
        await solve(ScriptedBackend([]), n=3)
