from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import LAYERS, WIDTH, tiny_archive, tiny_weights

from mathagent.errors import ModelFileError
from mathagent.memory.minilm_encoder import HEADS, MiniLMEncoder, gelu, read_archive


def by_the_book(weights: dict[str, np.ndarray], pieces: list[int]) -> np.ndarray:
    """The same encoder for one text, piece by piece and head by head, in double precision."""
    w = {name: values.astype(float) for name, values in weights.items()}

    def norm(v: np.ndarray, name: str) -> np.ndarray:
        return (v - v.mean()) / math.sqrt(v.var() + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def dense(v: np.ndarray, name: str) -> np.ndarray:
        return w[f"{name}.weight"] @ v + w[f"{name}.bias"]

    rows = [
        norm(
            w["embeddings.word_embeddings.weight"][piece]
            + w["embeddings.position_embeddings.weight"][place]
            + w["embeddings.token_type_embeddings.weight"][0],
            "embeddings.LayerNorm",
        )
        for place, piece in enumerate(pieces)
    ]
    size = WIDTH // HEADS
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        q, k, v = (
            [dense(row, f"{layer}.attention.self.{part}") for row in rows] for part in ("query", "key", "value")
        )
        after = []
        for place, row in enumerate(rows):
            mixed = np.zeros(WIDTH)
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                scores = [math.exp(q[place][part] @ key[part] / math.sqrt(size)) for key in k]
                for score, value in zip(scores, v, strict=True):
                    mixed[part] += score / sum(scores) * value[part]
            row = norm(
                row + dense(mixed, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm"
            )
            inner = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in dense(row, f"{layer}.intermediate.dense")]
            after.append(norm(row + dense(np.array(inner), f"{layer}.output.dense"), f"{layer}.output.LayerNorm"))
        rows = after
    return np.mean(rows, axis=0)


def test_the_forward_pass_is_the_one_of_the_book(tmp_path: Path) -> None:
    encoder = MiniLMEncoder(read_archive(tiny_archive(tmp_path / "model.zip")).weights)
    texts = [[2, 20, 3], [2, 7, 3], [2, 70, 3]]
    vectors = encoder.encode(np.array(texts))
    assert vectors.dtype == np.float32
    assert np.allclose(vectors, [by_the_book(tiny_weights(), text) for text in texts], atol=2e-5)
    longer = [2, 20, 21, 22, 23, 3]
    assert np.allclose(encoder.encode(np.array([longer]))[0], by_the_book(tiny_weights(), longer), atol=2e-5)


def test_gelu_is_exact_to_single_precision() -> None:
    values = np.linspace(-8, 8, 4001, dtype=np.float32)
    exact = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in values.astype(float)]
    assert np.abs(gelu(values) - exact).max() < 2e-6


@pytest.mark.parametrize("missing", ["model.safetensors", "tokenizer.json"])
def test_an_archive_without_a_file_is_a_clear_error(tmp_path: Path, missing: str) -> None:
    with pytest.raises(ModelFileError, match=missing):
        read_archive(tiny_archive(tmp_path / "model.zip", without=missing))


def test_what_is_no_archive_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with pytest.raises(ModelFileError, match=r"model\.zip"):
        read_archive(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelFileError, match="fetch it again"):
        read_archive(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.safetensors", b"\xff" * 100)
        archive.writestr("tokenizer.json", "{}")
    with pytest.raises(ModelFileError, match="fetch it again"):
        read_archive(path)


def test_weights_of_another_kind_are_refused() -> None:
    with pytest.raises(ModelFileError, match="BERT"):
        MiniLMEncoder({"lm_head.weight": np.zeros((2, 2), np.float32)})
