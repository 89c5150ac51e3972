"""The sentence encoder all-MiniLM-L6-v2 in plain NumPy: slow, and run once a machine, to make the table of word pieces.

BERT (arXiv:1810.04805) with 6 layers of width 384; a text's vector is the mean over its pieces (Sentence-BERT,
arXiv:1908.10084). Nothing is executed or unpickled: weights are read from a safetensors file.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mathagent.errors import ModelFileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

HEADS = 12
LAYER_NORM_EPSILON = 1e-12
WEIGHTS_MEMBER, TOKENIZER_MEMBER = "model.safetensors", "tokenizer.json"
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError)


@dataclass(frozen=True)
class EncoderFiles:
    """What the archive holds: ``weights`` by name (float32, read-only), ``tokenizer`` as the JSON of `tokenizers`."""

    weights: dict[str, Floats]
    tokenizer: str


def read_archive(archive: Path) -> EncoderFiles:
    """Weights and tokenizer out of a zip file. Raises ModelFileError where it does not hold them."""
    try:
        with zipfile.ZipFile(archive) as files:
            weights = read_safetensors(files.read(WEIGHTS_MEMBER))
            return EncoderFiles(weights, files.read(TOKENIZER_MEMBER).decode("utf-8"))
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(
            f"{archive} does not hold the encoder it should ({reason}); fetch it again"
        ) from error


def read_safetensors(data: bytes) -> dict[str, Floats]:
    """The float32 tensors of a safetensors file: an 8-byte length, a JSON header, raw little-endian numbers.

    Raises ValueError, KeyError or TypeError where ``data`` is none.
    """
    import numpy as np

    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    tensors = {}
    for name, facts in header.items():
        if name == "__metadata__" or facts["dtype"] != "F32":
            continue
        first, last = facts["data_offsets"]
        count = (last - first) // 4
        tensors[name] = np.frombuffer(data, dtype="<f4", count=count, offset=start + first).reshape(facts["shape"])
    return tensors


class MiniLMEncoder:
    """The forward pass over ``weights`` (see EncoderFiles). Raises ModelFileError where they are no BERT encoder's."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self._weights = weights
        prefix, suffix = "encoder.layer.", ".attention.self.query.weight"
        self._layers = sum(name.startswith(prefix) and name.endswith(suffix) for name in weights)
        if not self._layers or "embeddings.word_embeddings.weight" not in weights:
            raise ModelFileError("these are not the weights of a BERT encoder; fetch the model again")
        self.vocabulary, self.dimensions = weights["embeddings.word_embeddings.weight"].shape

    def encode(self, pieces: NDArray[np.int64]) -> Floats:
        """The mean vectors of texts: ``pieces`` of shape (texts, length), all of one length, [CLS] and [SEP]
        included; gives shape (texts, dimensions), not normalised. Memory: about 20 kB a piece."""
        weights = self._weights
        hidden = weights["embeddings.word_embeddings.weight"][pieces]
        hidden = hidden + weights["embeddings.position_embeddings.weight"][: pieces.shape[1]]
        hidden = hidden + weights["embeddings.token_type_embeddings.weight"][0]
        hidden = self._normalised(hidden, "embeddings.LayerNorm")
        for number in range(self._layers):
            hidden = self._layer(hidden, f"encoder.layer.{number}")
        means: Floats = hidden.mean(axis=1)
        return means

    def _layer(self, hidden: Floats, layer: str) -> Floats:
        attended = self._linear(self._attention(hidden, layer), f"{layer}.attention.output.dense")
        hidden = self._normalised(hidden + attended, f"{layer}.attention.output.LayerNorm")
        inner = gelu(self._linear(hidden, f"{layer}.intermediate.dense"))
        return self._normalised(hidden + self._linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")

    def _attention(self, hidden: Floats, layer: str) -> Floats:
        import numpy as np

        texts, length, width = hidden.shape

        def heads(part: str) -> Floats:
            whole = self._linear(hidden, f"{layer}.attention.self.{part}")
            return whole.reshape(texts, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.float32(math.sqrt(width // HEADS))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed: Floats = (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(texts, length, width)
        return mixed

    def _linear(self, values: Floats, name: str) -> Floats:
        # One product of two matrices: a stack of small ones would not reach BLAS at its best.
        flat = values.reshape(-1, values.shape[-1])
        result: Floats = flat @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result.reshape(*values.shape[:-1], -1)

    def _normalised(self, values: Floats, name: str) -> Floats:
        import numpy as np

        centred = values - values.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(LAYER_NORM_EPSILON))
        result: Floats = centred / deviation * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return result


def gelu(values: Floats) -> Floats:
    """x Φ(x) with the error function of Abramowitz and Stegun 7.1.26, whose error is below 1.5e-7."""
    import numpy as np

    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    error_function = np.copysign(1 - series * np.exp(-scaled * scaled), values)
    result: Floats = 0.5 * values * (1 + error_function)
    return result
