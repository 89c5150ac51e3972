"""Block self-evaluation: behind its own reply a model says whether it would do better if it began anew.

Source: "Adaptive Inference-Time Compute: LLMs Can Predict if They Can Do Better, Even Mid-Generation"
(arXiv 2410.02725), which trains the model for it. Here it is not trained: its probabilities order samples and end
sampling, and are no estimate of how likely an answer is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mathagent.agents.blocks.yes_no import Leaning, leaning
from mathagent.agents.context import RunContext
from mathagent.agents.state import Draft
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.prompts import render
from mathagent.types import Candidate, Message

RESTART_PROMPT = "scoring/restart"
SELF_EVALUATION = "self-evaluation"
"""The role of the question."""
UNKNOWN = 0.0


async def chances_no_better(
    context: RunContext, drafts: Sequence[Draft], candidates: Sequence[Candidate]
) -> tuple[list[float], str | None]:
    """Of each candidate, made of the draft at its place, the probability that no other sample would be better, and the
    limit that ended the asking.

    One token each, behind the reply itself, so that a server reads nothing anew. Without log-probs the word counts. A
    candidate without an answer, or one that could not be asked about, has 0.
    """

    async def one(draft: Draft, candidate: Candidate) -> Leaning:
        if draft.completion is None or candidate.answer is None:
            return Leaning(yes=1.0)
        try:
            return await leaning(
                context, question_about(draft), role=SELF_EVALUATION, sample=draft.sample, words_count=True
            )
        except BackendError as error:
            context.emit(Warned(message=f"sample {draft.sample + 1} is not evaluated: {error}"))
            return Leaning()

    said = await asyncio.gather(*(one(*pair) for pair in zip(drafts, candidates, strict=True)))
    chances = [UNKNOWN if one.yes is None else 1 - one.yes for one in said]
    return chances, next((one.limit for one in said if one.limit), None)


def question_about(draft: Draft) -> tuple[Message, ...]:
    """The conversation that ``draft`` ended, and the question behind it. Pure."""
    assert draft.completion is not None
    asked = (
        draft.messages[:-1] if draft.messages[-1].role == "assistant" else draft.messages
    )  # a prefilled beginning
    return (*asked, Message(role="assistant", content=draft.completion.text), *render(RESTART_PROMPT))
