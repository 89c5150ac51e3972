"""The static embedder: a text's vector is the sum of its word pieces' vectors, out of a table. No encoder runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mathagent.errors import ModelFileError
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.latex_words import in_words
from mathagent.memory.word_table import read_table

if TYPE_CHECKING:
    from mathagent.memory.base import Embedder, Vectors

TABLE_FILE = "minilm-static-1.table"
"""In the model folder; `mathagent models pull minilm` makes it (memory/distillation.py)."""
MAX_PIECES = 2048
"""Of a longer text only the beginning counts."""
BATCH = 256
CHANCE_SIMILARITY = 0.62
"""99th percentile of the cosines of GSM8K's test and training problems (the nearest one's median is 0.76)."""


def default_embedder(models_dir: Path) -> Embedder:
    """The static embedder where its table lies in ``models_dir``, else the hashed one.

    Raises ModelFileError where the table is there but damaged: another embedder would find nothing of what is stored.
    """
    table = models_dir / TABLE_FILE
    return StaticEmbedder(table) if table.exists() else HashedEmbedder()


class StaticEmbedder:
    """An Embedder over the table at ``path``, which stays mapped: processes share its memory.

    A text without a known word piece gets zeros: it has no direction. Safe to use from threads. Raises ModelFileError
    where the table is missing or damaged.
    """

    chance_similarity = CHANCE_SIMILARITY

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        table = read_table(path)
        try:
            self._tokenizer = Tokenizer.from_str(table.tokenizer)
        except Exception as error:  # the package raises bare exceptions
            raise ModelFileError(
                f"{path} is damaged (its tokenizer cannot be read); mathagent models rm minilm, then pull it again"
            ) from error
        self._tokenizer.enable_truncation(MAX_PIECES)
        self._vectors = table.vectors
        self.dimensions = int(table.vectors.shape[1])
        self.name = table.identity

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder."""
        import numpy as np

        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            vectors[start : start + len(batch)] = self._sums(batch)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        vectors /= np.where(lengths > 0, lengths, 1)[:, None]
        return vectors

    def _sums(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        plain = [in_words(text) for text in texts]
        encoded = self._tokenizer.encode_batch_fast(plain, add_special_tokens=False)
        pieces = [encoding.ids for encoding in encoded]
        counts = np.array([len(ids) for ids in pieces])
        sums = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        if filled := [ids for ids in pieces if ids]:
            rows = self._vectors[np.concatenate(filled)].astype(np.float32)
            # reduceat gives an empty stretch the next one's first row: only texts with pieces take part.
            starts = np.concatenate(([0], np.cumsum(counts[counts > 0])[:-1]))
            sums[counts > 0] = np.add.reduceat(rows, starts, axis=0)
        return sums
