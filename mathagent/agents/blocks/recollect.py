"""Block recollect: the model itself recalls a similar solved problem before it solves one.

Sources: "Large Language Models as Analogical Reasoners" (arXiv 2310.01714); Xolver's self-retrieval where nothing fits.
"""

from __future__ import annotations

from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.prompts import render
from mathagent.types import Problem, SamplingParams

RECOLLECT_PROMPT = "xolver/recall"


async def recollect(context: RunContext, problem: Problem, params: SamplingParams, *, sample: int = 0) -> str:
    """A similar problem with its solution, as the model remembers or imagines it; nobody has checked it.

    "" where the budget has ended or the request failed: a solve goes on without it.
    """
    messages = render(RECOLLECT_PROMPT, problem=problem_text(problem))
    try:
        drafts, _ = await draw(context, messages, params, role="recaller", first_sample=sample)
    except BackendError as error:
        context.emit(Warned(message=f"an agent goes on without a similar problem: {error}"))
        return ""
    reply = drafts[0].completion if drafts else None
    return "" if reply is None else reply.text.strip()
