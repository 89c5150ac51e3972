"""What a server says of the tokens of a reply, and what stands in for it where it says nothing or nonsense. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

CHARACTERS_PER_TOKEN = 4
"""Of an estimate: English text and formulas have between 3 and 5."""
MOST_CHARACTERS_PER_TOKEN = 32
"""A count of fewer tokens than the text has pieces of so many characters is wrong; longer tokens are blanks."""
MOST_PROMPT_TOKENS = 10_000_000
"""No model reads more in one request."""


def _count(value: Any) -> int | None:
    """``value`` if it counts something: some servers send null, -1, texts or a fraction."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # no number, or one of hundreds of digits
        return None
    return int(number) if 0 <= number < 2**53 and number == int(number) else None


Count = Annotated[int | None, BeforeValidator(_count)]


class StatedTokens(BaseModel):
    """The ``usage`` of a reply, whatever it is: what counts nothing is None."""

    model_config = ConfigDict(extra="ignore")

    prompt_tokens: Count = None
    completion_tokens: Count = None


def plausible_total(stated: int | None, lengths: Sequence[int], most: int | None) -> int | None:
    """``stated`` tokens, or None where they cannot be those of texts (samples, a prompt) of ``lengths`` characters.

    Wrong is: none for a text, more than ``most`` (what all may have together; None: not known), and fewer than any
    tokenizer needs. Thinking that the server counts but does not show makes a count high, never wrong.
    """
    if stated is None or (most is not None and stated > most):
        return None
    return stated if stated * MOST_CHARACTERS_PER_TOKEN >= sum(lengths) else None


def estimated(characters: int) -> int:
    """Tokens of a text of so many characters, about."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def completion_tokens(total: int | None, lengths: Sequence[int]) -> list[int]:
    """Splits the reply's token count over its samples by length; estimates each without one.

    The wire has one count for all samples of a request. The shares always add up to ``total``.
    """
    if total is None or total < 0:
        return [estimated(length) for length in lengths]
    weights = [length + 1 for length in lengths]
    shares = [total * weight // sum(weights) for weight in weights]
    if shares:
        shares[0] += total - sum(shares)
    return shares
