"""Block chain: Markov chains over solutions, whose end is written anew from a random place on, again and again.

Source: QAlign, "Sample, Don't Search" (arXiv 2504.03790): Metropolis-Hastings for π(y|x)·exp(r(y)/β). The policy
cancels from the acceptance, since what is new is drawn from it; the lengths come from the uniform choice of the place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from math import exp, log
from random import Random

from mathagent.types import TokenLogprob, Value

BROKEN_CHARACTERS = 8
"""Characters at most that tokens in a row which are no text by themselves may stand for."""
CLIP = 20.0
"""Bound of the logarithm of an acceptance ratio."""


class Link(Value):
    """One state of a chain: the pieces (tokens, or lines) that a text consists of, and its reward."""

    pieces: tuple[str, ...]
    reward: float
    cut_short: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)


Cut = tuple[Link, int]
"""A state, and how many of its pieces are kept."""
Propose = Callable[[Sequence[Cut]], Awaitable[Sequence[Link | None]]]
"""Writes the cut states to an end; None where nothing could be had."""


def acceptance(reward: float, new_reward: float, length: int, new_length: int, beta: float) -> float:
    """The probability with which a proposal is taken: min(1, exp((r' - r) / β + log |y| - log |y'|)), clipped. Pure.

    An empty text counts as of length 1.
    """
    logarithm = (new_reward - reward) / beta + log(max(1, length)) - log(max(1, new_length))
    return min(1.0, exp(min(CLIP, max(-CLIP, logarithm))))


async def advance(
    links: Sequence[Link], propose: Propose, rng: Random, beta: float
) -> tuple[list[Link], list[bool]]:
    """One step of several chains side by side: their next states, and whether each is a new one.

    A state whose proposal failed or was refused stays, and counts again. ``rng`` draws the places of all chains and
    then whether they accept, so that a run can be replayed.
    """
    cuts = [(link, rng.randrange(max(1, len(link.pieces)))) for link in links]
    proposals = await propose(cuts)
    chances = [rng.random() for _ in links]
    taken = [
        new is not None and chance < acceptance(old.reward, new.reward, len(old.pieces), len(new.pieces), beta)
        for old, new, chance in zip(links, proposals, chances, strict=True)
    ]
    after = [
        new if accepted and new is not None else old
        for old, new, accepted in zip(links, proposals, taken, strict=True)
    ]
    return after, taken


def token_pieces(text: str, tokens: Sequence[TokenLogprob]) -> tuple[str, ...]:
    """``text`` divided as its ``tokens`` are. Pure.

    Tokens that are half a character become one piece: none ends inside a character. Tokens beyond the text (an end
    mark) are left out.
    """
    pieces: list[str] = []
    position = 0
    for token in tokens:
        end = position + len(token.token) + BROKEN_CHARACTERS
        at = text.find(token.token, position, end) if token.token else -1
        if at < 0:
            continue
        pieces += [text[position:at], token.token] if at > position else [token.token]
        position = at + len(token.token)
    return (*pieces, text[position:]) if position < len(text) else tuple(pieces)


def line_pieces(text: str) -> tuple[str, ...]:
    """``text`` divided behind its lines; blank ones belong to the line before. Pure."""
    pieces: list[str] = []
    for line in text.splitlines(keepends=True):
        if pieces and not line.strip():
            pieces[-1] += line
        else:
            pieces.append(line)
    return tuple(pieces)
