"""select: votes by equivalence class, by weight, behind a filter, by score."""

from __future__ import annotations

from typing import Any

import pytest

from mathagent.agents.blocks.select import best_score, filter_then_vote, keep_best, vote, weighted_vote
from mathagent.agents.context import RunContext
from mathagent.models.scripted import ScriptedBackend
from mathagent.types import Answer, Candidate, Failure
from tests.unit.agents.scripted_context import scripted_context


def candidates(*answers: str) -> list[Candidate]:
    failed = Candidate(failure=Failure(kind="no-answer", message="none"))
    return [Candidate(answer=Answer(raw=text, normal=text)) if text else failed for text in answers]


@pytest.fixture
def context() -> RunContext:
    return scripted_context(ScriptedBackend([]))[0]


async def test_equal_answers_are_one_vote_and_the_first_wins_a_tie(context: RunContext) -> None:
    assert (await vote(context, candidates("3", "1/2", "0.5")))["answer"] == "1/2"
    assert (await vote(context, candidates("3", "1/2")))["answer"] == "3"
    assert (await vote(context, candidates("", "")))["answer"] is None


@pytest.mark.parametrize(
    ("answers", "weights", "chosen"),
    [
        (("5", "5", "6"), (0.4, 0.4, 0.7), "5"),  # the card of collaborative verification: 0.8 against 0.7
        (("1", "2", "1", "3"), (0.2, 0.9, 0.3, 0.1), "2"),  # MARIO's card: 0.5 against 0.9
        (("1/2", "0.5", "3"), (0.1, 0.2, 0.9), "3"),  # ToRA's card
        (("7", ""), (0.0, 1.0), None),
    ],
)
async def test_weights_are_summed_by_class(
    context: RunContext, answers: tuple[str, ...], weights: tuple[float, ...], chosen: str | None
) -> None:
    assert (await weighted_vote(context, candidates(*answers), weights))["answer"] == chosen


async def test_only_the_kept_vote_unless_none_of_them_has_an_answer(context: RunContext) -> None:
    three = candidates("10", "12", "12")
    kept: dict[str, Any] = await filter_then_vote(context, three, [True, False, False])
    assert kept["answer"] == "10"
    none_kept = await filter_then_vote(context, three, [False, False, False])
    assert none_kept["answer"] == "12"
    assert none_kept["confidence_basis"].startswith("none passed the filter")


def test_scores_choose_among_answers_only() -> None:
    scored = candidates("5", "6", "")
    assert best_score(scored, [0.4, 0.7, 0.9])["answer"] == "6"
    assert best_score(candidates("5", "6"), [0.5, 0.5])["answer"] == "5"
    assert best_score(candidates(""), [1.0])["answer"] is None
    assert keep_best(scored, [0.4, 0.7, 0.9], 2) == [1, 0]
    assert keep_best(scored, [0.4, 0.7, 0.9], 1) == [1]
