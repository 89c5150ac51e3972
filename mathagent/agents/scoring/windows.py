"""Scorer hierarchical: steps are judged singly and in windows of consecutive ones; a repaired mistake is forgiven.

Source: the hierarchical reward model of "Towards Hierarchical Multi-Step Reward Models for Enhanced Reasoning in Large
Language Models" (arXiv 2503.13551), which is trained on single steps and on pairs; here a prompted judge stands for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mathagent.agents.ask import ASK_PROMPTS
from mathagent.agents.blocks.refine import numbered
from mathagent.agents.blocks.shared_store import written
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.scoring.step_judge import STEPS, gathered, judged
from mathagent.errors import BackendError
from mathagent.scorers.base import Aggregation, Level, Score, aggregate
from mathagent.types import Problem, SamplingParams, Step

WINDOWS = Role("window-judge", "scoring/windows", SamplingParams(max_tokens=768))
WINDOW_PROMPTS = (STEPS.prompt, WINDOWS.prompt, *ASK_PROMPTS)


class Hierarchical:
    """Scores each step by the better of two: by itself, and together with the steps after it in a window of ``size``.

    Two questions a solution, one where it is not longer than a step.
    """

    name = "hierarchical"
    level: Level = "step"

    def __init__(self, size: int = 2, aggregation: Aggregation = "min") -> None:
        if size < 2:
            raise ValueError("a window has two steps at least")
        self.size, self.aggregation = size, aggregation

    async def score(
        self, context: RunContext, problem: Problem, solutions: Sequence[Sequence[Step]]
    ) -> list[Score]:
        """See Scorer.score. A solution without steps is not asked about."""

        async def one(place: int, steps: Sequence[Step]) -> tuple[Score, BackendError | None]:
            if not steps:
                return Score(note="there is nothing to judge"), None
            shown = {
                "problem": problem_text(problem),
                "steps": numbered([written(step) for step in steps]),
            }
            alone, together = await asyncio.gather(
                judged(context, STEPS, len(steps), place, **shown),
                self._windows(context, place, len(steps), shown),
            )
            (singles, why, limit, error), (pairs, later_why, later_limit, later_error) = alone, together
            scores = repaired(singles, pairs, self.size)
            limit, error = limit or later_limit, error or later_error
            value = aggregate(scores, self.aggregation)
            return Score(value=value, steps=scores, note=why or later_why, limit=limit), error

        return gathered(await asyncio.gather(*(one(place, steps) for place, steps in enumerate(solutions))))

    async def _windows(
        self, context: RunContext, place: int, steps: int, shown: dict[str, str]
    ) -> tuple[tuple[float | None, ...], str, str | None, BackendError | None]:
        count = steps - self.size + 1
        if count < 1:
            return (), "", None, None
        lines = [f"Part {first}: steps {first} to {first + self.size - 1}" for first in range(1, count + 1)]
        return await judged(context, WINDOWS, count, place, **shown, windows="\n".join(lines))


def repaired(
    singles: Sequence[float | None], windows: Sequence[float | None], size: int
) -> tuple[float | None, ...]:
    """The score of each step: its own, or that of the window that begins with it, where that is better. Pure.

    A step is not forgiven by a window in which it stands behind others: what repairs a mistake comes after it.
    """
    scores: list[float | None] = []
    for place, single in enumerate(singles):
        window = windows[place] if place < len(windows) else None
        known = [one for one in (single, window) if one is not None]
        scores.append(None if single is None else max(known))
    return tuple(scores)


HIERARCHICAL = Hierarchical()
