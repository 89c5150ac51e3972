"""Transcription: a photo of a problem becomes the problem's text, for a person to check before it is solved.

Strategies never see a picture, so that every one serves, and so that a certificate is about a text that can be read.
"""

from __future__ import annotations

import re

from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.role import Role
from mathagent.errors import LimitReached, UsageError
from mathagent.prompts import render
from mathagent.types import Image, SamplingParams, Usage, Value

TRANSCRIBER = Role("transcriber", "photo/transcribe", SamplingParams(max_tokens=2048))
TRANSCRIBE_PROMPTS = (TRANSCRIBER.prompt,)
_FENCED = re.compile(r"```[\w-]*\n(.*?)\n?```", re.DOTALL)
_NOTHING = re.compile(r"\W*none\W*", re.IGNORECASE)


class Transcription(Value):
    """The ``text`` of a problem, formulas in LaTeX. Not ``complete``: the reply ended at the limit of its tokens."""

    text: str
    complete: bool = True
    usage: Usage = Usage()


async def transcribe(context: RunContext, image: Image) -> Transcription:
    """The problem that ``image`` shows, as the model reads it: one request.

    Raises UnsupportedOption where the model of role ``transcriber`` does not see pictures, UsageError where it reads no
    problem in this one, LimitReached where the budget does not allow it, BackendError where the model fails.
    """
    *before, question = render(TRANSCRIBER.prompt)
    messages = (*before, question.model_copy(update={"images": (image,)}))
    drafts, limit = await draw(context, messages, TRANSCRIBER.params, role=TRANSCRIBER.name)
    completion = drafts[0].completion if drafts else None
    if completion is None:
        reached = context.meter.limit_reached()
        raise reached or LimitReached("max_tokens", limit or "the budget does not allow to read the picture")
    text = completion.text.strip()
    fenced = _FENCED.fullmatch(text)
    text = fenced[1].strip() if fenced else text
    if not text or _NOTHING.fullmatch(text):
        raise UsageError(
            "the model reads no problem in the picture; take it from nearer and in better light, or type it"
        )
    return Transcription(text=text, complete=completion.finish_reason != "length", usage=context.meter.usage)
