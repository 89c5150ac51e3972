"""Ensembles of scorers: the mean, the least or the product of what several say (``mean:judge,arithmetic``).

Two verifiers from different sources, averaged, have less variance than either: "Don't Get Lost in the Trees"
(arXiv 2502.11183).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Literal

from mathagent.errors import UsageError
from mathagent.scorers.base import Level, Score, Scorer, is_free, load_scorer
from mathagent.types import Problem, Step

if TYPE_CHECKING:
    from mathagent.agents.context import RunContext

Combination = Literal["mean", "min", "product"]


class Ensemble:
    """What ``members`` say together. It scores steps where all of its members do.

    What one of them cannot score has no value: a product over fewer of them would be another scale.
    """

    level: Level

    def __init__(self, how: Combination, members: Sequence[Scorer]) -> None:
        if not members:
            raise UsageError(f"an ensemble needs members, for example {how}:judge,arithmetic")
        self.how, self.members = how, tuple(members)
        self.name = f"{how}:{','.join(member.name for member in members)}"
        self.free = all(is_free(member) for member in members)
        self.level = "step" if all(member.level == "step" for member in members) else "outcome"

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """See Scorer.score; the members are asked side by side, and none is left behind where one fails."""
        asked = (member.score(context, problem, solutions) for member in self.members)
        made = await asyncio.gather(*asked, return_exceptions=True)
        said: list[list[Score]] = []
        for one in made:
            if isinstance(one, BaseException):
                raise one
            said.append(one)
        return [
            self._together(scores, len(solutions[place])) for place, scores in enumerate(zip(*said, strict=True))
        ]

    def _together(self, scores: Sequence[Score], steps: int) -> Score:
        notes = [f"{member.name}: {score.note}" for member, score in zip(self.members, scores, strict=True)]
        by_step: tuple[float | None, ...] = ()
        if self.level == "step":
            by_step = tuple(
                combined(self.how, [score.steps[place] if place < len(score.steps) else None for score in scores])
                for place in range(steps)
            )
        return Score(
            value=combined(self.how, [score.value for score in scores]),
            steps=by_step,
            note="; ".join(note for note, score in zip(notes, scores, strict=True) if score.note),
            limit=next((score.limit for score in scores if score.limit), None),
        )


def combined(how: Combination, values: Sequence[float | None]) -> float | None:
    """The one number of ``values``; None where one is missing. Pure."""
    known = [value for value in values if value is not None]
    if not values or len(known) < len(values):
        return None
    if how == "mean":
        return sum(known) / len(known)
    return min(known) if how == "min" else prod(known)


def mean(names: str) -> Ensemble:
    """The mean of the scorers ``names``, separated by commas. Raises UsageError for one that there is not."""
    return Ensemble("mean", _members(names))


def least(names: str) -> Ensemble:
    """The least of what the scorers ``names`` say; else as ``mean``."""
    return Ensemble("min", _members(names))


def product(names: str) -> Ensemble:
    """The product of what the scorers ``names`` say; else as ``mean``."""
    return Ensemble("product", _members(names))


def _members(names: str) -> list[Scorer]:
    return [load_scorer(name) for name in names.split(",") if name.strip()]
