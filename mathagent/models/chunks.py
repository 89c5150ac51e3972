"""A few tokens that a model wrote at once: where each begins, how sure it was of each; and texts as words. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mathagent.types import Completion, TokenLogprob

Finish = Literal["stop", "length", "content_filter"]

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_FULL_WIDTH = "\u3000-\u303f\uff00-\uffef"
_WORD = re.compile(
    rf"\s*(?:[{_CJK}][{_FULL_WIDTH}]*|[{_FULL_WIDTH}]+|\\(?:[A-Za-z]+\*?|.)?|[^\s\\{_CJK}{_FULL_WIDTH}]+|\Z)",
    re.DOTALL,
)
_LOST = "\ufffd"
"""What stands for a token, or the end of one, that is a part of a character only."""


def words(text: str) -> list[str]:
    """``text`` in the pieces in which a nudger is followed, each with the blanks before it; joined, they are ``text``.

    A word ends at a blank; where a script has none between words, after each character (and the punctuation behind it);
    and before a command of LaTeX, since a formula may be long and without a blank.
    """
    return [found[0] for found in _WORD.finditer(text) if found[0]]


def token_starts(text: str, tokens: Sequence[str]) -> tuple[int, ...]:
    """Where in ``text`` each of its tokens begins; one that is no text by itself (a part of a character, a mark that
    ends a turn) where the text before it ends.

    A tokenizer may give a token without its blank, or a mark that the text lacks: what is not found where it should
    stand moves nothing.
    """
    starts: list[int] = []
    place = unread = 0
    for token in tokens:
        found = _found(text, token.strip(_LOST) if _LOST in token else token, place, unread)
        if found is None:
            starts.append(place)
            unread += 1
        else:
            begin, end = found
            starts.append(begin)
            place, unread = end, 0
    return tuple(starts)


def _found(text: str, token: str, place: int, unread: int) -> tuple[int, int] | None:
    """Where ``token`` stands in ``text`` from ``place`` on: behind blanks that are its own, or behind at most one
    character for each of the ``unread`` tokens before it."""
    for written in (token, token.lstrip()):
        at = text.find(written, place, place + unread + len(written)) if written else -1
        if at >= 0:
            return at, at + len(written)
    bare, rest = token.strip(), text[place:]
    blanks = len(rest) - len(rest.lstrip())
    if bare and rest.startswith(bare, blanks):
        return place, place + blanks + len(bare)
    return None


@dataclass(frozen=True)
class Chunk:
    """``starts`` says where in ``text`` each token begins, ``sureness`` the probability of the likeliest token in its
    place; both are empty where no log-probs were asked for. ``tokens`` is the model's own count."""

    text: str
    finish: Finish
    tokens: int
    starts: tuple[int, ...] = ()
    sureness: tuple[float, ...] = ()

    @classmethod
    def of(cls, completion: Completion) -> Chunk:
        """What a completion says, without the part of a character that its last tokens may be where it was cut off."""
        reason = completion.finish_reason
        text = completion.text.rstrip(_LOST) if reason == "length" else completion.text
        return cls(
            text=text,
            finish="stop" if reason == "tool_calls" else reason,
            tokens=completion.usage.completion_tokens,
            starts=token_starts(text, [one.token for one in completion.logprobs]),
            sureness=tuple(map(_sureness, completion.logprobs)),
        )

    @property
    def first(self) -> str:
        """The text of its first token; of the first few where those are one character together."""
        return self.text[: next((start for start in self.starts if start > 0), len(self.text))]

    def sure_of_first(self, gamma: float) -> bool:
        """Whether none of the tokens that ``first`` is made of was less probable than ``gamma``."""
        return self.sure_until(gamma) != 0

    def sure_until(self, gamma: float, granted: int = 0) -> int | None:
        """Where the first token begins of which the model was less sure than ``gamma``; None: there is none.

        Tokens that begin before ``granted`` are let pass.
        """
        pairs = zip(self.starts, self.sureness, strict=True)
        return next((start for start, sure in pairs if sure < gamma and start >= granted), None)

    def tokens_until(self, end: int) -> int:
        """How many of its tokens the text before ``end`` is made of: counted, or by its share in the text."""
        if end >= len(self.text):
            return self.tokens
        if self.starts:
            return min(self.tokens, sum(start < end for start in self.starts))
        return -(-self.tokens * end // len(self.text))


def _sureness(token: TokenLogprob) -> float:
    return math.exp(max(token.logprob, *(logprob for _, logprob in token.top), -math.inf))
