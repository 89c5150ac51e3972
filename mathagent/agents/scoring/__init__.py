"""Scorers that ask a model: prompted judges of solutions, steps and windows of steps, and the value of a token."""

from mathagent.agents.ask import ASK_PROMPTS
from mathagent.agents.blocks.check import CHECK_PROMPTS
from mathagent.agents.role import JUDGE

SCORING_PROMPTS = tuple(
    dict.fromkeys(
        (
            JUDGE.prompt,
            *("scoring/steps", "scoring/windows", "scoring/correct", "scoring/step_correct"),
            *CHECK_PROMPTS,
            *ASK_PROMPTS,
        )
    )
)
"""The prompts of all scorers: for ``Strategy.prompts`` of a strategy whose scorer is a setting."""
