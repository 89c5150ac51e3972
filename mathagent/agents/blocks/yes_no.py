"""Block yes or no: how probable is it that a model would answer a question with one word rather than the other?

One token is drawn, and the probabilities of all ways to begin either word are summed. Where a backend gives no
log-probs, the word itself may stand for them: 0 or 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import exp

from mathagent.agents.blocks.sample import ReplyForm, draw
from mathagent.agents.context import RunContext
from mathagent.errors import UnsupportedOption
from mathagent.types import Message, SamplingParams, TokenLogprob, Value

ALTERNATIVES = 20
WORD_TOKENS = 3
"""Enough for the word behind a mark or a line's end."""
_NO_LETTERS = re.compile(r"[^a-z]+")
_FIRST_WORD = re.compile(r"[a-z]+")


class Leaning(Value):
    """How probable "yes" is against "no", in [0, 1] (None: neither was likely), and the limit that ended the asking."""

    yes: float | None = None
    limit: str | None = None


async def leaning(
    context: RunContext, messages: tuple[Message, ...], *, role: str, sample: int = 0, words_count: bool = False
) -> Leaning:
    """What the model leans to after ``messages``, which ask for yes or no.

    ``words_count``: where the backend gives no log-probs, a "yes" is 1 and a "no" is 0; else it is refused, with
    UnsupportedOption. Raises BackendError where the model cannot be reached.
    """
    by_word = not context.can(role).logprobs
    if not words_count:
        require_logprobs(context, role)
    params = SamplingParams(max_tokens=WORD_TOKENS if by_word else 1)
    form = ReplyForm(typed=True) if by_word else ReplyForm(typed=True, logprobs=ALTERNATIVES)
    drafts, limit = await draw(context, messages, params, role=role, first_sample=sample, form=form)
    reply = drafts[0].completion if drafts else None
    if reply is None:
        return Leaning(limit=limit)
    return Leaning(yes=said_yes(reply.text) if by_word else probability_of_yes(reply.logprobs), limit=limit)


def require_logprobs(context: RunContext, role: str) -> None:
    """Raises UnsupportedOption where the model of ``role`` gives no log-probs."""
    if not context.can(role).logprobs:
        advice = "choose another scorer, or a backend with log-probs"
        raise UnsupportedOption(context.backend.name, "log-probs", advice)


def probability_of_yes(tokens: Sequence[TokenLogprob]) -> float | None:
    """P(yes) / (P(yes) + P(no)) of the first token; None where neither is among its likeliest. Pure."""
    if not tokens:
        return None
    first = tokens[0]
    likeliest = dict(first.top) | {first.token: first.logprob}
    mass = {"yes": 0.0, "no": 0.0}
    for token, logprob in likeliest.items():
        begun = _NO_LETTERS.sub("", token.lower())
        if begun in ("y", "ye", "yes", "n", "no"):
            mass["yes" if begun[0] == "y" else "no"] += exp(logprob)
    total = mass["yes"] + mass["no"]
    return mass["yes"] / total if total > 0 else None


def said_yes(text: str) -> float | None:
    """1 where ``text`` begins with the word yes, 0 for no, None for anything else. Pure."""
    word = _FIRST_WORD.search(text.lower())
    return {"yes": 1.0, "no": 0.0}.get(word[0]) if word else None
