"""Scorer: a number for a solution, whole or step by step, found without knowing the reference."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from mathagent.errors import UsageError
from mathagent.registry import Registry
from mathagent.types import Problem, Step, Value

if TYPE_CHECKING:
    from mathagent.agents.context import RunContext

Level = Literal["outcome", "step"]
Aggregation = Literal["min", "product", "mean", "last"]
"""How the values of steps become one: the chance that all are right ("min", "product"), the general impression
("mean"), or, of values that foretell the outcome, the latest ("last")."""


class Score(Value):
    """What a scorer says of one solution: ``value`` in [0, 1] (None: it could not say, and ``note`` is why), and of a
    step scorer the value of each step, in order. ``limit`` is the budget's limit that ended the asking."""

    value: float | None = Field(default=None, ge=0, le=1)
    steps: tuple[float | None, ...] = ()
    note: str = ""
    limit: str | None = None


class Scorer(Protocol):
    """Scores solutions of one problem. ``level`` "step": it also judges a solution that is not yet finished."""

    name: str
    level: Level

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """One score for each of ``solutions``, in order. What cannot be scored has ``value`` None.

        Raises BackendError where no request could be answered, UnsupportedOption where the backend lacks what is
        needed: of no solutions, too, so that a strategy can find out before it has paid for any.
        """
        ...


def is_free(scorer: Scorer) -> bool:
    """Whether ``scorer`` asks no model, and may go on once a budget has ended: it says so by an attribute ``free``."""
    return bool(getattr(scorer, "free", False))


def aggregate(steps: Sequence[float | None], how: Aggregation = "min") -> float | None:
    """The one value of ``steps``; None where there are none, or one of them is missing (for "last": the last). Pure."""
    known = [step for step in steps if step is not None]
    if not steps or steps[-1] is None or (how != "last" and len(known) < len(steps)):
        return None
    match how:
        case "min":
            return min(known)
        case "product":
            return prod(known)
        case "mean":
            return sum(known) / len(known)
        case "last":
            return known[-1]


SCORERS = Registry(
    "scorer",
    "mathagent.scorers",
    {
        "arithmetic": "mathagent.scorers.arithmetic:ARITHMETIC",
        "checks": "mathagent.agents.scoring.checks:CHECKS",
        "classify": "mathagent.scorers.reward:classify",
        "hierarchical": "mathagent.agents.scoring.windows:HIERARCHICAL",
        "judge": "mathagent.agents.scoring.judge:OUTCOME_JUDGE",
        "mean": "mathagent.scorers.ensemble:mean",
        "min": "mathagent.scorers.ensemble:least",
        "pooling": "mathagent.scorers.reward:pooling",
        "product": "mathagent.scorers.ensemble:product",
        "reward": "mathagent.scorers.reward:reward",
        "step-judge": "mathagent.agents.scoring.step_judge:STEP_JUDGE",
        "step-token-value": "mathagent.agents.scoring.token_value:STEP_TOKEN_VALUE",
        "token-value": "mathagent.agents.scoring.token_value:TOKEN_VALUE",
    },
)
"""Each row is a Scorer, or what makes one of the text behind its name and a colon (``pooling:http://…``)."""


def load_scorer(name: str) -> Scorer:
    """The scorer ``name`` of the table, ``name:argument``, or what a ``module:object`` path holds.

    Raises UnknownName, or UsageError where there is no such scorer with that argument.
    """
    head, _, argument = name.strip().partition(":")
    row, argument = (head, argument) if head in SCORERS.names() else (name.strip(), "")
    loaded = SCORERS.load(row)
    if hasattr(loaded, "score"):
        if argument:
            raise UsageError(f"scorer '{row}' takes nothing behind a colon, and was given '{argument}'")
        scorer: Scorer = loaded
        return scorer
    made: Scorer = loaded(argument)
    return made
