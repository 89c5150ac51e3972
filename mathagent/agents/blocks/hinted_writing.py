"""Block hinted writing: a text is written in pieces, and a hint is put into each before the model goes on.

Source: "ConciseHint: Boosting Efficient Reasoning via Continuous Concise Hints during Generation" (arXiv 2506.18810);
the rule for the place is its repository's (github.com/tsa18/ConciseHint).
"""

from __future__ import annotations

import re

from mathagent.agents.blocks.sample import draw_one
from mathagent.agents.context import RunContext
from mathagent.agents.state import Draft
from mathagent.errors import UnsupportedOption
from mathagent.types import Completion, Message, SamplingParams, Usage, Value

LONGEST_PIECE = 1024
LATEST_PLACE = 0.8
"""Behind this share of a piece no hint is looked for a place: the model needs some of the text after it."""

_PAUSE = re.compile(r"[.,](?=\s)")


class Hint(Value):
    """``text`` is put in; the first piece has ``first`` tokens, later ones ``slope`` more for each token so far."""

    text: str
    first: int = 128
    slope: float = 0.2

    @property
    def marked(self) -> str:
        """The hint as it stands in the text: in brackets, so that it can be told from the solution."""
        return f" ({self.text}) "

    def taken_out(self, text: str) -> str:
        """``text`` without hints that the model has repeated of itself."""
        return text.replace(self.marked, " ").replace(self.marked.strip(), "")


def piece_tokens(hint: Hint, so_far: int) -> int:
    """The tokens of the next piece after ``so_far`` tokens: hints grow rarer in long texts. Pure."""
    return min(LONGEST_PIECE, int(hint.first + hint.slope * so_far))


def hint_place(piece: str, tokens: int, first: int) -> int | None:
    """Where in ``piece`` of ``tokens`` tokens a hint goes: behind the first full stop or comma with a blank after it,
    the later the longer the piece is; None: nowhere. Pure."""
    share = min(max(tokens - first, 0) / LONGEST_PIECE, LATEST_PLACE)
    found = _PAUSE.search(piece, int(share * len(piece)))
    return None if found is None else found.end()


async def write_hinted(
    context: RunContext,
    messages: tuple[Message, ...],
    params: SamplingParams,
    hint: Hint,
    *,
    role: str,
    sample: int = 0,
    count_prompt: bool = False,
) -> tuple[Draft, str | None]:
    """One text of at most ``params.max_tokens`` tokens with the hints taken out again, and the limit that ended it.

    ``count_prompt``: the prompt's tokens count as written. Where a later piece fails or the budget ends, what was
    written is a text that was cut. Raises UnsupportedOption where the backend cannot go on with a text of its own.
    """
    if not context.can(role).continue_assistant:
        advice = "hints are put into a text that the model goes on with; add --set hints=false"
        raise UnsupportedOption(context.backend.name, "continue_assistant", advice)
    hinted = plain = ""
    usage, written, limit = Usage(), 0, None
    finish: str = "length"
    while written < params.max_tokens:
        prompt = usage.prompt_tokens if count_prompt else 0
        asked = min(piece_tokens(hint, written + prompt), params.max_tokens - written)
        turns = (*messages, Message(role="assistant", content=hinted)) if hinted else messages
        piece, limit = await draw_one(
            context,
            turns,
            params.model_copy(update={"max_tokens": asked}),
            role=role,
            sample=sample,
            continue_assistant=bool(hinted),
        )
        reply = piece.completion
        if reply is None:
            if not plain:
                return piece, limit
            break
        usage = _with(usage, reply.usage)
        written += max(1, reply.usage.completion_tokens)
        plain += reply.text
        finish = reply.finish_reason
        if finish != "length" or limit is not None:
            break
        place = hint_place(reply.text, asked, hint.first)
        hinted += (
            reply.text if place is None else f"{reply.text[:place]}{hint.marked}{reply.text[place:].lstrip(' ')}"
        )
    whole = Completion.model_validate(
        {
            "text": hint.taken_out(plain),
            "finish_reason": finish if finish != "tool_calls" else "stop",
            "usage": usage,
        }
    )
    return Draft(sample=sample, messages=messages, completion=whole), limit


def _with(usage: Usage, more: Usage) -> Usage:
    """The sum, with the prompt of the first request only: later ones repeat it. Pure."""
    prompt = usage.prompt_tokens if usage.calls else more.prompt_tokens
    return (usage + more).model_copy(update={"prompt_tokens": prompt})
