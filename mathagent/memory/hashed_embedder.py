"""The hashed embedder: words and pieces of words, each thrown by its hash onto an axis (feature hashing,
arXiv:0902.2206). It knows no synonyms, needs no weights, and is the same on every machine."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING

from mathagent.errors import UsageError
from mathagent.memory.latex_words import in_words

if TYPE_CHECKING:
    from mathagent.memory.base import Vectors

VERSION = "1"
GRAM_LENGTHS = (3, 4)
GRAM_WEIGHT = 1.0
"""Length of all character n-grams of a word together, against 1 for the word itself."""
FREQUENT_WEIGHT, NUMBER_WEIGHT = 0.1, 0.1
MAX_CHARACTERS = 20_000
CHANCE_SIMILARITY = 0.28
"""99th percentile of the cosines of GSM8K's test and training problems (the nearest one's median is 0.51)."""
FREQUENT_WORDS = """
a about after all also an and any are as at be been before both but by can could did do does each every for from get
had has have he her him his how i if in into is it its itself let many may more most much must no not of on one only or
other out over she so some such than that the their them then there these they this those to two up was we were what
when where which while who will with would you your find given answer value
"""
FREQUENT = frozenset(FREQUENT_WORDS.split())
_WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*")


class HashedEmbedder:
    """An Embedder without weights. A text without a word or number gets zeros: it has no direction.

    Safe to use from threads. Raises UsageError for fewer than 8 dimensions.
    """

    chance_similarity = CHANCE_SIMILARITY

    def __init__(self, dimensions: int = 256) -> None:
        if dimensions < 8:
            raise UsageError(f"a hashed embedder needs at least 8 dimensions, not {dimensions}")
        self.dimensions = dimensions
        self.name = f"hashed-{VERSION}-{dimensions}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder."""
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            self._add(row, text)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        vectors /= np.where(lengths > 0, lengths, 1)[:, None]
        return vectors

    def _add(self, row: Vectors, text: str) -> None:
        import numpy as np

        hashes: list[int] = []
        weights: list[float] = []
        folded = unicodedata.normalize("NFKC", in_words(text[:MAX_CHARACTERS])).casefold()
        for word in _WORD.findall(folded):
            found = features(word)
            hashes.extend(found[0])
            weights.extend(found[1])
        if hashes:
            axes = np.array(hashes, dtype=np.int64)
            signed = np.where(axes & 1, 1.0, -1.0) * np.array(weights)
            row += np.bincount((axes >> 1) % self.dimensions, weights=signed, minlength=self.dimensions)


@lru_cache(maxsize=1 << 16)
def features(word: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Hashes (the lowest bit is the sign) and weights of a folded word and its character n-grams."""
    if word[0].isdigit():
        # What matters of a number is mostly that there is one.
        return (_hash("#"), _hash(word)), (NUMBER_WEIGHT, NUMBER_WEIGHT / 2)
    weight = FREQUENT_WEIGHT if word in FREQUENT or len(word) == 1 else 1.0
    bounded = f"<{word}>"
    grams = [
        bounded[start : start + length]
        for length in GRAM_LENGTHS
        for start in range(len(bounded) - length + 1)
        if length < len(bounded)
    ]
    share = GRAM_WEIGHT * weight / sqrt(len(grams)) if grams else 0.0
    return (_hash(word), *map(_hash, grams)), (weight, *(share for _ in grams))


def _hash(feature: str) -> int:
    return zlib.crc32(feature.encode("utf-8", "surrogatepass"))
