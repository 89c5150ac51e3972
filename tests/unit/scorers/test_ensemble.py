"""Ensembles and the table of scorers: names, arguments, combinations, aggregation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from mathagent.agents.context import RunContext
from mathagent.errors import BackendError, UnknownName, UsageError
from mathagent.scorers.base import Level, Score, aggregate, load_scorer
from mathagent.scorers.ensemble import Combination, Ensemble, combined
from mathagent.types import Problem, Step

CONTEXT = cast("RunContext", None)
STEPS = [Step(kind="thought", text="a"), Step(kind="thought", text="b")]


class Fixed:
    """Says what it was given."""

    def __init__(self, name: str, score: Score, level: Level = "step") -> None:
        self.name, self.level, self.given = name, level, score

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        return [self.given for _ in solutions]


@pytest.mark.parametrize(("how", "value"), [("mean", 0.5), ("min", 0.2), ("product", 0.16)])
def test_combinations(how: Combination, value: float) -> None:
    assert combined(how, [0.2, 0.8]) == pytest.approx(value)
    assert combined(how, [0.2, None]) is None
    assert combined(how, []) is None


async def test_members_are_combined_step_by_step() -> None:
    one = Fixed("one", Score(value=0.2, steps=(0.4, 0.2)))
    other = Fixed("other", Score(value=0.8, steps=(0.8, None), note="step 2 is unreadable"))
    ensemble = Ensemble("mean", [one, other])
    assert (ensemble.name, ensemble.level) == ("mean:one,other", "step")
    (score,) = await ensemble.score(CONTEXT, Problem(text="?"), [STEPS])
    assert score.value == pytest.approx(0.5)
    first, second = score.steps
    assert first == pytest.approx(0.6)
    assert second is None
    assert score.note == "other: step 2 is unreadable"


async def test_a_member_that_fails_leaves_no_other_behind() -> None:
    ended: list[str] = []

    class Slow(Fixed):
        async def score(self, *_: object) -> list[Score]:
            await asyncio.sleep(0.01)
            ended.append(self.name)
            return [self.given]

    class Down(Fixed):
        async def score(self, *_: object) -> list[Score]:
            raise BackendError("down")

    one = Score(value=0.5, steps=(0.5, 0.5))
    with pytest.raises(BackendError, match="down"):
        await Ensemble("mean", [Down("down", one), Slow("slow", one)]).score(CONTEXT, Problem(text="?"), [STEPS])
    assert ended == ["slow"]


async def test_a_member_that_judges_wholes_makes_it_judge_wholes() -> None:
    whole = Fixed("whole", Score(value=0.5, limit="the budget is used up"), level="outcome")
    ensemble = Ensemble("product", [whole, Fixed("one", Score(value=0.5, steps=(0.5, 1.0)))])
    assert ensemble.level == "outcome"
    (score,) = await ensemble.score(CONTEXT, Problem(text="?"), [STEPS])
    assert (score.value, score.steps, score.limit) == (0.25, (), "the budget is used up")


def test_names_with_arguments() -> None:
    ensemble = load_scorer("mean:judge, arithmetic")
    assert ensemble.name == "mean:judge,arithmetic"
    assert load_scorer("judge").level == "outcome"
    assert load_scorer("step-judge").level == "step"
    assert load_scorer("mathagent.scorers.arithmetic:ARITHMETIC").name == "arithmetic"
    with pytest.raises(UnknownName, match="did you mean judge"):
        load_scorer("juge")
    with pytest.raises(UnknownName, match="no scorer is named 'nobody'"):
        load_scorer("mean:judge,nobody")
    with pytest.raises(UsageError, match="an ensemble needs members"):
        load_scorer("min")
    with pytest.raises(UsageError, match="takes nothing behind a colon"):
        load_scorer("judge:8")


def test_aggregation_of_steps() -> None:
    steps = (0.5, 0.8)
    assert [aggregate(steps, how) for how in ("min", "product", "mean", "last")] == [
        0.5,
        pytest.approx(0.4),
        pytest.approx(0.65),
        0.8,
    ]
    assert aggregate((None, 0.8), "last") == 0.8
    assert aggregate((None, 0.8), "min") is None
    assert aggregate((0.8, None), "last") is None
    assert aggregate((), "mean") is None
