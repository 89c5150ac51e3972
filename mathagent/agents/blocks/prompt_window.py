"""Block prompt window: which remembered experiences fill a part of the prompt that holds so many tokens. Pure.

The coarse step, without its training, of "Fewer is More: Boosting LLM Reasoning with Reinforced Context Pruning"
(arXiv 2312.08901): of a pool of the best fitting, what is worth most for its
length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mathagent.memory.base import Hit
from mathagent.memory.experience import TRUST_ORDER, Experience
from mathagent.memory.utility import success_rate

CHARACTERS_PER_TOKEN = 3.5
"""Of mathematics in English, for estimates before a model has counted."""
_SHORT_TOKENS = 100
"""Below this, being shorter is no advantage: the shortest solution would always win."""


def tokens_of_text(characters: int) -> int:
    """Tokens that so many characters take, estimated."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def estimated_tokens(experience: Experience) -> int:
    """Tokens that the whole content of ``experience`` takes in a prompt, estimated from its length. Pure."""
    fields = experience.content.model_dump(exclude={"kind"})
    return tokens_of_text(sum(len(str(value)) for value in fields.values() if value))


def within(
    hits: Sequence[Hit],
    max_tokens: int,
    *,
    most: int,
    cost: Callable[[Experience], int] = estimated_tokens,
) -> list[Hit]:
    """At most ``most`` hits whose ``cost`` (tokens) is ``max_tokens`` together at most, in their order. Pure.

    Those are taken first that are worth most for their length: similarity (or place), times how often solves that were
    shown them came out right (memory/utility.py).
    """

    def density(place: int) -> float:
        hit = hits[place]
        one = hit.experience
        rate = success_rate(one.uses, one.successes, TRUST_ORDER.index(one.trust))
        return max(hit.similarity or 0.0, 1 / (2 + place)) * rate / max(_SHORT_TOKENS, cost(one))

    chosen: list[int] = []
    left = max_tokens
    for place in sorted(range(len(hits)), key=density, reverse=True):
        tokens = cost(hits[place].experience)
        if tokens <= left and len(chosen) < most:
            chosen.append(place)
            left -= tokens
    return [hits[place] for place in sorted(chosen)]
