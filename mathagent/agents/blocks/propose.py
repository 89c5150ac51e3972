"""Block propose: samples as candidates, each by a program, in words or by turns; what sampling strategies share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mathagent.agents.blocks.by_turns import TURNS_PROMPTS, sample_by_turns
from mathagent.agents.blocks.code_loop import CodeLoopConfig
from mathagent.agents.blocks.program import PROGRAM_PROMPTS, ProgramConfig, run_programs, write_programs
from mathagent.agents.blocks.reason import REASON_PROMPTS, ReasonConfig, conclude_reasoning, write_reasoning
from mathagent.agents.blocks.recall import (
    RECALL_PROMPTS,
    ExemplarForm,
    RecallingConfig,
    newly_shown,
    offered,
)
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState

PROPOSE_PROMPTS = (*PROGRAM_PROMPTS, *REASON_PROMPTS, *TURNS_PROMPTS, *RECALL_PROMPTS)


class ProposeConfig(RecallingConfig):
    """How samples are made.

    Samples of one kind and temperature have the same prompt and the same numbers in all strategies, so that these share
    them through the cache.
    """

    over: Literal["pal", "cot", "tir"] = Field(default="pal", description="How one sample is made.")
    n: int = Field(default=16, ge=1, le=256, description="Samples to draw at most.")
    temperature: float | None = Field(default=0.7, ge=0, le=2, description="Sampling temperature.")
    max_tokens: int | None = Field(default=None, ge=1, description="Completion tokens of a sample.")  # type: ignore[assignment]

    @property
    def form(self) -> ExemplarForm:
        """Of remembered solutions, as samples are made."""
        return "reasoning" if self.over == "cot" else "program"


async def propose(
    context: RunContext, state: SolveState, config: ProposeConfig, *, n: int, first_sample: int
) -> dict[str, Any]:
    """The state update with n candidates of the configured kind, numbered from ``first_sample``, and their drafts.

    Those by turns are conversations and have none.
    """
    problem, recalled = state.problem, offered(state)
    shared: dict[str, Any] = {"n": config.n, "temperature": config.temperature, "top_p": config.top_p}
    if config.max_tokens is not None:
        shared["max_tokens"] = config.max_tokens
    later = None
    if config.over == "tir":
        loop = CodeLoopConfig(**shared)
        return {"drafts": (), **await sample_by_turns(context, state, loop, n=n, first_sample=first_sample)}
    if config.over == "pal":
        by_program = ProgramConfig(**shared)
        drafts, limit = await write_programs(
            context, problem, by_program, n=n, first_sample=first_sample, recalled=recalled
        )
        candidates = await run_programs(context, problem, by_program, drafts)
    else:
        by_words = ReasonConfig(**shared)
        drafts, limit = await write_reasoning(
            context, problem, by_words, n=n, first_sample=first_sample, recalled=recalled
        )
        candidates, later = await conclude_reasoning(context, problem, by_words, drafts, rescue_truncated=False)
    shown = newly_shown(state, drafts, config.form)
    return {"candidates": candidates, "drafts": drafts, "limit": limit or later, "recalled": shown}
