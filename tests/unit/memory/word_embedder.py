"""An embedder for tests: a vector is the words of a text, hashed; the same words, the same direction."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class WordEmbedder:
    """``calls`` counts the texts embedded so far."""

    chance_similarity = 0.3

    def __init__(self, name: str = "words-1", dimensions: int = 64) -> None:
        self.name, self.dimensions, self.calls = name, dimensions, 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += len(texts)
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                vector[zlib.crc32(word.encode()) % self.dimensions] += 1
            length = np.linalg.norm(vector)
            if length:
                vector /= length
        return vectors
