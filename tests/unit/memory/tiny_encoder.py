"""An encoder of the right shape with random weights and a vocabulary of 80 pieces, as an archive."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

WIDTH, INNER, LAYERS = 24, 48, 2
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]", ".", "#", "1", "x", "the", "of", "and"]
VOCABULARY += ["12", "1995", *(f"word{chr(97 + n // 8)}{chr(97 + n % 8)}" for n in range(63)), "##s", "##ing"]


def tiny_weights(seed: int = 5) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)

    def tensor(*shape: int) -> np.ndarray:
        return chance.normal(0, 0.4, shape).astype("<f4")

    weights = {
        "embeddings.word_embeddings.weight": tensor(len(VOCABULARY), WIDTH),
        "embeddings.position_embeddings.weight": tensor(16, WIDTH),
        "embeddings.token_type_embeddings.weight": tensor(2, WIDTH),
        "embeddings.LayerNorm.weight": 1 + tensor(WIDTH),
        "embeddings.LayerNorm.bias": tensor(WIDTH),
    }
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        shapes = {f"attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")}
        shapes |= {
            "attention.output.dense": (WIDTH, WIDTH),
            "intermediate.dense": (INNER, WIDTH),
            "output.dense": (WIDTH, INNER),
        }
        for name, shape in shapes.items():
            weights[f"{layer}.{name}.weight"] = tensor(*shape)
            weights[f"{layer}.{name}.bias"] = tensor(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights[f"{layer}.{name}.weight"] = 1 + tensor(WIDTH)
            weights[f"{layer}.{name}.bias"] = tensor(WIDTH)
    return weights


def safetensors(weights: dict[str, np.ndarray]) -> bytes:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, values in {**weights, "embeddings.position_ids": np.arange(16)}.items():
        kind = "F32" if values.dtype == np.float32 else "I64"
        offsets = [len(data), len(data) + values.nbytes]
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": offsets}
        data += values.tobytes()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tokenizer(vocabulary: list[str] = VOCABULARY) -> str:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.add_special_tokens(VOCABULARY[:5])
    made.enable_padding(length=12)
    made.enable_truncation(12)
    return made.to_str()


def tiny_archive(path: Path, *, seed: int = 5, without: str = "", vocabulary: list[str] = VOCABULARY) -> Path:
    """A zip file at ``path`` with model.safetensors and tokenizer.json, less the member or tensor ``without``."""
    weights = {name: values for name, values in tiny_weights(seed).items() if name != without}
    members = {"model.safetensors": safetensors(weights), "tokenizer.json": tokenizer(vocabulary).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            if name != without:
                archive.writestr(name, data)
    return path
