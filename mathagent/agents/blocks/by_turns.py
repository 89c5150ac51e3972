"""Block by turns: a sample of tool-integrated reasoning, a conversation with the sandbox.

Source of the loop: "ToRA" (arXiv 2309.17452); its settings are ``blocks/code_loop.py``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathagent.agents.blocks.code_loop import OBSERVATION_PROMPT, CodeLoopConfig, code_loop
from mathagent.agents.blocks.recall import newly_offered, offered, with_recalled
from mathagent.agents.blocks.side_by_side import Propose, side_by_side
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import SolveState
from mathagent.memory.experience import Experience
from mathagent.prompts import render
from mathagent.types import Candidate, Problem

TURNS_PROMPT = "tir/solve"
TURNS_PROMPTS = (TURNS_PROMPT, OBSERVATION_PROMPT)


def by_turns(config: CodeLoopConfig, prompt: str = TURNS_PROMPT, recalled: Sequence[Experience] = ()) -> Propose:
    """What makes a candidate by the loop of ``config``; ``recalled`` solutions are shown by their programs. Pure."""

    async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
        asked = render(prompt, problem=problem_text(problem), has_choices=bool(problem.choices))
        messages = with_recalled(asked, recalled, "program")
        return await code_loop(context, problem, config, messages, sample=sample)

    return propose


async def sample_by_turns(
    context: RunContext, state: SolveState, config: CodeLoopConfig, *, n: int, first_sample: int
) -> dict[str, Any]:
    """The state update with n candidates by turns, numbered from ``first_sample``, which see what memory offers.

    Raises BackendError where none of them could reach the model.
    """
    propose = by_turns(config, recalled=offered(state))
    candidates, limit = await side_by_side(context, state.problem, n, propose, first_sample=first_sample)
    shown = newly_offered(state, "program") if any(one.steps for one in candidates) else []
    return {"candidates": candidates, "limit": limit, "recalled": shown}
