"""dotamath: decompose, one program that prints every sub-result, judge the results, correct.

Paper: "DotaMath: Decomposition of Thought with Code Assistance and Self-correction for Mathematical Reasoning"
(arXiv 2407.04078). The paper fine-tunes 7B models on 574,000 such traces; this is the prompted form. With n > 1 the
answers vote.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from langgraph.graph import StateGraph
from pydantic import Field, model_validator

from mathagent.agents.blocks.code_loop import CodeLoopConfig, Observe, Observed, code_loop
from mathagent.agents.blocks.code_text import without_code
from mathagent.agents.blocks.side_by_side import propose_then_vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.strategy import Strategy
from mathagent.prompts import render
from mathagent.types import Candidate, Problem

_SUBTASK = re.compile(r"^[ \t*#]*(?:subtask[ \t]*)?(\d+)[.:)]", re.IGNORECASE | re.MULTILINE)
_RESULT = re.compile(r"^[ \t]*result of subtask[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)


class DotaMathConfig(CodeLoopConfig):
    """Settings of decomposition with self-correction. Not ``rounds``: it is ``corrections`` and two more."""

    corrections: int = Field(default=2, ge=0, le=16, description="Programs after the first, at most.")
    output_chars: int = Field(default=1000, ge=80, description="Characters of output that are shown; its ends.")
    state: Literal["live", "fresh"] = Field(
        default="fresh", description="Whether a program sees the names of earlier ones."
    )
    turns: Literal["auto", "chat"] = Field(
        default="chat", description="chat: output goes back as a message; auto: into the model's own turn."
    )

    @model_validator(mode="before")
    @classmethod
    def _rounds_follow(cls, given: Any) -> Any:
        """The first program, its corrections, and a turn for the answer."""
        if not isinstance(given, dict):
            return given
        try:
            rounds = int(given.get("corrections", cls.model_fields["corrections"].default)) + 2
        except (TypeError, ValueError, OverflowError):  # no number: the field itself says so
            return given
        if given.get("rounds", rounds) != rounds:
            raise ValueError("rounds follows from corrections; set corrections")
        return {**given, "rounds": rounds}

    @property
    def programs(self) -> int:
        return 1 + self.corrections


def observer() -> Observe:
    """Words the outputs of one chain; missing sub-results are asked for once."""
    asked = False

    def observe(observed: Observed) -> str:
        nonlocal asked
        subtasks = len(set(_SUBTASK.findall(without_code(observed.turn.text))))
        printed = len(set(_RESULT.findall(observed.output)))
        missing = observed.execution.ok and printed < subtasks and not asked and not observed.last
        asked = asked or missing
        turns = render(
            "dotamath/outputs",
            output=observed.output,
            missing=missing,
            printed=printed,
            subtasks=subtasks,
            failed=not observed.execution.ok,
            last=observed.last,
        )
        return turns[0].content.strip()

    return observe


def build(config: DotaMathConfig) -> StateGraph[Any, Any, Any, Any]:
    """decompose_and_correct → select."""

    async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
        messages = render("dotamath/solve", problem=problem_text(problem), has_choices=bool(problem.choices))
        return await code_loop(
            context, problem, config, messages, sample=sample, observe=observer(), programs=config.programs
        )

    return propose_then_vote("decompose_and_correct", config.n, propose)


STRATEGY = Strategy(
    name="dotamath",
    summary="Decompose, print every sub-result from one program, judge the results, correct what does not fit.",
    paper="DotaMath (arXiv 2407.04078)",
    config=DotaMathConfig,
    build=build,
    prompts=("dotamath/solve", "dotamath/outputs"),
    kind="tools",
    calls=(1, 4),
    needs=("sandbox",),
    training_free=False,
)
