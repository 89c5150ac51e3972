"""Block certainty: does the model seem sure of itself before it solves? Cheap proxies, for gates.

Source: the confidence gate of "Neural-Symbolic Collaborative Distillation" (arXiv 2409.13203): the mean gap between the
two most probable tokens. Where a backend gives no log-probs, that a few answers without reasoning agree stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from mathagent.agents.blocks.agree_or_escalate import all_agree
from mathagent.agents.blocks.sample import ReplyForm, draw
from mathagent.agents.context import RunContext
from mathagent.agents.state import Draft
from mathagent.answers.extract import extract_from_trigger_reply
from mathagent.types import Candidate, Failure, Message, Problem, SamplingParams, TokenLogprob

GUESSES = 3
GUESS_TOKENS = 24
OPENING_TOKENS = 16
GATE_TEMPERATURE = 0.6
GATE = "gate"
"""The role of what is drawn here."""


async def guesses(
    context: RunContext, problem: Problem, messages: tuple[Message, ...]
) -> tuple[list[Candidate], str | None]:
    """The candidates of three short replies to ``messages``, and the limit that ended it."""
    params = SamplingParams(temperature=GATE_TEMPERATURE, n=GUESSES, max_tokens=GUESS_TOKENS)
    drafts, limit = await draw(context, messages, params, role=GATE)
    return [guess(draft, problem.choices) for draft in drafts], limit


async def guesses_agree(
    context: RunContext, problem: Problem, messages: tuple[Message, ...]
) -> tuple[bool, str | None]:
    """Whether three short replies to ``messages`` give one answer, and the limit that ended it."""
    made, limit = await guesses(context, problem, messages)
    return len(made) == GUESSES and await all_agree(context, made), limit


async def opening_margin(context: RunContext, messages: tuple[Message, ...]) -> tuple[float | None, str | None]:
    """The mean margin of the first 16 tokens of a reply (see ``mean_margin``), and the limit that ended it.

    Raises UnsupportedOption where the backend gives no log-probs.
    """
    params = SamplingParams(temperature=GATE_TEMPERATURE, max_tokens=OPENING_TOKENS)
    drafts, limit = await draw(context, messages, params, role=GATE, form=ReplyForm(logprobs=2))
    reply = drafts[0].completion if drafts else None
    return (None if reply is None else mean_margin(reply.logprobs)), limit


def mean_margin(tokens: Sequence[TokenLogprob]) -> float | None:
    """The mean gap between the probabilities of the two likeliest tokens, in percent; None: none is known. Pure."""
    gaps = []
    for token in tokens:
        best = sorted((exp(logprob) for _, logprob in token.top), reverse=True)
        if best:
            gaps.append(best[0] - (best[1] if len(best) > 1 else 0.0))
    return 100 * sum(gaps) / len(gaps) if gaps else None


def guess(draft: Draft, choices: Sequence[str] = ()) -> Candidate:
    """The candidate of an answer without reasoning. Pure."""
    text = draft.completion.text if draft.completion is not None else ""
    answer = extract_from_trigger_reply(text, choices)
    if answer is None:
        return Candidate(failure=draft.failure or Failure(kind="no-answer", message="it is no answer"))
    return Candidate(answer=answer)
