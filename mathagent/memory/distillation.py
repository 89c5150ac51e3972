"""A small table of word vectors out of a sentence encoder, as Model2Vec makes them (github.com/MinishLab/model2vec).

Each word piece goes through the encoder alone. The mean and the three strongest directions, which all pieces share
and which tell nothing, are taken out (arXiv:1702.01417), and the next 256 principal components are kept. A piece of
rank r in Zipf's law, with probability p(r), is weighted by a/(a + p(r)) (SIF, Arora et al., ICLR 2017).
A text's vector is then the sum over its pieces: no encoder is needed any more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mathagent.errors import ModelFileError
from mathagent.memory.minilm_encoder import EncoderFiles, MiniLMEncoder, read_archive
from mathagent.memory.word_table import WordTable, write_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECIPE = "1"
"""Goes into the table's identity: to be raised with any change that changes vectors."""
DIMENSIONS = 256
SHARED_DIRECTIONS = 3
SIF_A = 3e-3
"""Measured on 450 problems of MATH-500 and GSM8K: of the encoder's ten nearest neighbours of each, the table then finds
41%; 39% with 1.8e-2, 40% with 6e-4, 32% without weights, and two points less with the shared directions."""
NUMBER_WEIGHT = 0.5
"""Two problems with the same numbers are not alike for that."""
BATCH = 128
FIRST_WORD = "the"
"""BERT's vocabulary lists special pieces and characters first, then, from here on, pieces by their frequency."""


def distil(archive: Path, table: Path, advance: Callable[[int, int], None]) -> None:
    """Makes the file ``table`` (see word_table) from ``archive``, a zip with model.safetensors and tokenizer.json.

    Takes about a minute of a processor and 500 MB. ``advance(pieces done, pieces)`` is called often; what it raises
    ends the work. Raises ModelFileError where the archive is not such a model.
    """
    files = read_archive(archive)
    vocabulary = _vocabulary(files)
    vectors = encode_pieces(MiniLMEncoder(files.weights), _special(vocabulary), advance)
    words = [index for index, piece in enumerate(vocabulary) if not piece.startswith("[")]
    reduced = principal_components(vectors, words) * piece_weights(vocabulary)[:, None]
    reduced[[index for index, piece in enumerate(vocabulary) if piece.startswith("[") and len(piece) > 1]] = 0
    reduced /= abs(reduced).max()  # float16 has most of its precision there
    write_table(WordTable(reduced.astype("<f2"), _bare_tokenizer(files.tokenizer), _identity(files)), table)


def encode_pieces(
    encoder: MiniLMEncoder, ends: tuple[int, int], advance: Callable[[int, int], None]
) -> NDArray[np.float32]:
    """Each piece between ``ends`` ([CLS] and [SEP]), through the encoder: shape (pieces, encoder's dimensions)."""
    import numpy as np

    vectors = np.empty((encoder.vocabulary, encoder.dimensions), dtype=np.float32)
    for start in range(0, encoder.vocabulary, BATCH):
        advance(start, encoder.vocabulary)
        pieces = np.arange(start, min(start + BATCH, encoder.vocabulary))
        texts = np.stack([np.full_like(pieces, ends[0]), pieces, np.full_like(pieces, ends[1])], axis=1)
        vectors[pieces] = encoder.encode(texts)
    advance(encoder.vocabulary, encoder.vocabulary)
    return vectors


def principal_components(vectors: NDArray[np.float32], words: list[int]) -> NDArray[np.float64]:
    """``vectors``, centred, in their principal axes from the fourth on; mean and axes are those of ``words``."""
    import numpy as np

    chosen = vectors[words].astype(np.float64)
    mean = chosen.mean(axis=0)
    chosen -= mean
    _, axes = np.linalg.eigh(chosen.T @ chosen)
    axes = axes[:, ::-1][:, SHARED_DIRECTIONS : SHARED_DIRECTIONS + DIMENSIONS]
    # An axis has no direction of its own: without a convention, machines would differ in signs.
    strongest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    result: NDArray[np.float64] = (vectors - mean) @ (axes * np.sign(strongest))
    return result


def piece_weights(vocabulary: list[str]) -> NDArray[np.float64]:
    """The weight of each piece, in (0, 1): small for frequent ones."""
    import numpy as np

    first = vocabulary.index(FIRST_WORD) if FIRST_WORD in vocabulary else 0
    ranks = np.maximum(np.arange(len(vocabulary)) - first + 1, 1)
    probabilities = 1 / ranks / (1 / np.arange(1, len(vocabulary) + 1)).sum()
    weights: NDArray[np.float64] = SIF_A / (SIF_A + probabilities)
    weights[[bool(re.fullmatch(r"(##)?\d+", piece)) for piece in vocabulary]] *= NUMBER_WEIGHT
    return weights


def _vocabulary(files: EncoderFiles) -> list[str]:
    try:
        numbered = json.loads(files.tokenizer)["model"]["vocab"]
        vocabulary = sorted(numbered, key=lambda piece: int(numbered[piece]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError("tokenizer.json has no vocabulary of word pieces; fetch the model again") from error
    pieces = files.weights.get("embeddings.word_embeddings.weight")
    if pieces is None or len(pieces) != len(vocabulary):
        raise ModelFileError("tokenizer.json and model.safetensors are not of one model; fetch it again")
    return vocabulary


def _special(vocabulary: list[str]) -> tuple[int, int]:
    if not {"[CLS]", "[SEP]"} <= set(vocabulary):
        raise ModelFileError("tokenizer.json is not that of a BERT model; fetch the model again")
    return vocabulary.index("[CLS]"), vocabulary.index("[SEP]")


def _bare_tokenizer(tokenizer: str) -> str:
    """Without the encoder's padding, truncation and end marks, of which a sum knows nothing."""
    return json.dumps(json.loads(tokenizer) | {"padding": None, "truncation": None, "post_processor": None})


def _identity(files: EncoderFiles) -> str:
    """Of ingredients and recipe, not of the result: sums are rounded differently from machine to machine, by less
    than matters, and a memory must not lose its vectors over that."""
    digest = hashlib.sha256(f"{RECIPE} {DIMENSIONS} {SHARED_DIRECTIONS} {SIF_A} {NUMBER_WEIGHT}".encode())
    digest.update(files.tokenizer.encode("utf-8"))
    for name in sorted(files.weights):
        digest.update(name.encode("utf-8"))
        digest.update(files.weights[name].tobytes())
    return f"minilm-static-{RECIPE}-{digest.hexdigest()[:12]}"
