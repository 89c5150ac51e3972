"""Leak guard: would showing an experience give away the problem that is being measured?

A leak is the same problem, a near duplicate, the same with other numbers or names, in other words, or with sentences
added (the perturbations of GSM-Symbolic, arXiv 2410.05229, and GSM-Plus, arXiv 2402.19255). A problem of the same kind
is none: memory is for those. The rules were chosen on GSM8K's test part, its variants and its training part; a sample
is measured again in tests/unit/memory/test_leak_guard.py. Caught: GSM-Symbolic (two instances of a template) 97% and
more; other numbers, GSM-Hard 99.8%, GSM-Plus 98%; other names and places (Lost in Cultural Translation) 98%; added
sentences, GSM-Plus 96%, CMATH in Chinese 96%; a dialect (ReDial) 92%; a reversed question 82%; other words throughout
63%. Forbidden of the 20 most similar training problems of each test problem: GSM8K 0.06%; MATH 3%, mostly the same
with other numbers. Short problems have too few words for such measures: two are the same where nothing but the words
that ask ("compute", "what is the value of") tells them apart.

Not caught: translations; paraphrases that also change the numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from mathagent.memory.near_duplicates import (
    common_length,
    contained,
    grams,
    positions,
    shape_of,
    telling_tokens,
    tokens_of,
    without_pictures,
)

Kinship = Literal["same", "other-numbers", "other-names", "other-words", "part"]
"""How an experience's problem is that of the measurement: the same or a near duplicate; with other numbers; with other
names or small changes; in other words with the same numbers; one holds much of the other."""

_LONG_TOKENS, _LONG_WORDS = 20, 4
"""Of problems at least so long and with so many words in common a smaller overlap is no chance."""
_OVERLAP_LONG, _OVERLAP_SHORT = 0.66, 0.9
_CONTAINED = 0.5
_EMBEDDED_TOKENS = 8
_FORMULA_TOKENS = 5
"""Of which two are numbers: no other text holds that by chance (none of MATH's training problems does)."""
_WORDS_BEFORE_READING = 0.2
_TOO_FEW_WORDS = 2
"""So few may be spelled otherwise: a problem that consists of a formula is read in any case."""

_LETTERS = re.compile(r"[^\W\d_]{3,}")
_LETTER_SCRIPTS = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_COMMON_WORDS = (
    "a an the of to in on at for and or if is are was were be been has have had he she it they his her its their them"
    " him how many much what which who when where that this these those with by from as than then there do does did"
    " will would can could each per every all more less left total number some find value so but not into after before"
    " one"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_COMMON_NUMBERS = frozenset("012")
_ASKING_WORDS = (
    "compute calculate evaluate find determine simplify solve give state write express work out figure what which how"
    " much many in for to as it its if then given let suppose assume following all value values result answer equal"
    " equals expression equation solution solutions simplest form"
)
_ASKING = frozenset(_ASKING_WORDS.split())
"""What says that something is asked for, not what."""
_CHOICES = "\nChoices:\n"


@dataclass(frozen=True)
class _Form:
    """A text as the rules see it; what only some rules need is worked out when they ask."""

    text: str

    @cached_property
    def normal(self) -> list[str]:
        return tokens_of(self.text)

    @cached_property
    def key(self) -> list[str]:
        return telling_tokens(self.normal)

    @cached_property
    def shape(self) -> list[str]:
        return shape_of(self.normal if self.text == self._words_only else tokens_of(self._words_only))

    @cached_property
    def asked(self) -> list[str]:
        """The key without the words that ask: of a short problem the formula, and what is to be done with it."""
        return [token for token in self.key if token not in _ASKING]

    @cached_property
    def _words_only(self) -> str:
        return without_pictures(self.text)

    @cached_property
    def numbers(self) -> Counter[str]:
        return Counter(token for token in self.normal if token[0].isdigit())

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that tell something; variables are none."""
        return frozenset(
            token
            for token in self.normal
            if token[0].isalpha() and token not in _COMMON and (len(token) > 1 or not token.isascii())
        )


class LeakGuard:
    """Guards one problem, ``text`` (its choices joined to it by line breaks), while it is being solved.

    Meant for hundreds of candidates a search: what has few words in common with the problem costs some 10 µs, the
    others 0.1 to 0.2 ms.
    """

    def __init__(self, text: str) -> None:
        self._own = _Form(text)
        self._positions = positions(self._own.shape)
        self._grams = grams(self._own.shape)
        self._before_reading = _raw_words(text)
        # A shape without a word says nothing: "# # # #" is every game of 24.
        self._speaks = any(token.isalpha() for token in self._own.shape)
        self._asked_shape = shape_of(self._own.asked)
        numbers = sum(token[0].isdigit() for token in self._own.asked)
        self._is_a_formula = numbers >= 2 and len(self._own.asked) >= _FORMULA_TOKENS
        self._asked_speaks = any(token.isalpha() for token in self._asked_shape)
        question, has_choices, _ = text.partition(_CHOICES)
        # Without a number it is no problem of its own: "Which of these is true?"
        alone = bool(has_choices) and any(sign.isdigit() for sign in question)
        self._without_choices = LeakGuard(question) if alone else None

    def forbids(self, key_text: str) -> bool:
        """Whether an experience that is found by ``key_text`` must not be shown."""
        return self.kinship(key_text) is not None

    def kinship(self, key_text: str) -> Kinship | None:
        """What ``key_text`` has to do with the problem, with or without its choices; None where it may be shown."""
        kinship = self._kinship(key_text)
        if kinship is None and self._without_choices is not None:
            return self._without_choices.kinship(key_text)
        return kinship

    def _kinship(self, key_text: str) -> Kinship | None:
        if self._unrelated(key_text):
            return None
        other = _Form(key_text)
        if other.key == self._own.key or (other.asked and other.asked == self._own.asked):
            return "same"
        if other.shape == self._own.shape and self._speaks:
            return "other-numbers"
        if self._asked_speaks and shape_of(other.asked) == self._asked_shape:
            return "other-numbers"
        if self._other_names(other):
            return "other-names"
        if self._other_words(other):
            return "other-words"
        return "part" if self._part(other) else None

    def _unrelated(self, key_text: str) -> bool:
        """A look at the words as they stand, before the texts are brought to one spelling."""
        mine, theirs = self._before_reading, _raw_words(key_text)
        fewer = min(len(mine), len(theirs))
        if len(mine & theirs) >= _WORDS_BEFORE_READING * fewer:
            return False
        return min(len(mine - _ASKING), len(theirs - _ASKING)) > _TOO_FEW_WORDS

    def _other_names(self, other: _Form) -> bool:
        common = common_length(self._positions, len(self._own.shape), other.shape)
        long = min(len(self._own.normal), len(other.normal)) >= _LONG_TOKENS
        telling = len(self._own.words & other.words) >= _LONG_WORDS
        wanted = _OVERLAP_LONG if long and telling else _OVERLAP_SHORT
        return self._speaks and 2 * common >= wanted * (len(self._own.shape) + len(other.shape))

    def _other_words(self, other: _Form) -> bool:
        """The same numbers, two of them out of the ordinary, about the same things."""
        mine, theirs = self._own.numbers, other.numbers
        shared = mine & theirs
        count, rare = shared.total(), sum(n for number, n in shared.items() if number not in _COMMON_NUMBERS)
        words = len(self._own.words & other.words)
        share = words / max(1, min(len(self._own.words), len(other.words)))
        numbers_of_both = count >= 0.7 * max(mine.total(), theirs.total())
        numbers_of_one = count >= 0.8 * min(mine.total(), theirs.total())
        if numbers_of_both and rare >= 2 and words >= 3 and share >= 0.4:
            return True
        return numbers_of_one and rare >= 3 and words >= 5 and share >= 0.6

    def _part(self, other: _Form) -> bool:
        """Whole sentences in common: one was made of the other, or quotes it; or a note holds the formula asked for."""
        if self._is_a_formula and f" {' '.join(self._own.asked)} " in f" {' '.join(other.asked)} ":
            return True
        if not self._speaks:
            return False
        shorter = min(len(self._own.shape), len(other.shape))
        if shorter >= _LONG_TOKENS and contained(self._grams, grams(other.shape)) >= _CONTAINED:
            return True
        mine, theirs = (f" {' '.join(form.shape)} " for form in (self._own, other))
        return shorter >= _EMBEDDED_TOKENS and (mine in theirs or theirs in mine)


def _raw_words(text: str) -> frozenset[str]:
    lower = text.casefold()
    return frozenset(_LETTERS.findall(lower)) - _COMMON | frozenset(_LETTER_SCRIPTS.findall(lower))
