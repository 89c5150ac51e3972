"""LoRA adapters for tests, written from scratch: random ones of rank 2 on one matrix of SmolLM2-135M."""

from __future__ import annotations

import random
import struct
from pathlib import Path

WIDTH, RANK, ALIGNMENT = 576, 2, 32
_FLOAT32, _STRING = 6, 8


def write_adapter(path: Path, *, seed: int, architecture: str = "llama", width: int = WIDTH) -> Path:
    """A GGUF file that changes the first layer's queries; ``seed`` decides how."""
    numbers = random.Random(seed)
    texts = {"general.type": "adapter", "general.architecture": architecture, "adapter.type": "lora"}
    facts = b"".join(_text(key) + struct.pack("<I", _STRING) + _text(value) for key, value in texts.items())
    facts += _text("adapter.lora.alpha") + struct.pack("<If", _FLOAT32, 8.0)
    shapes = {"blk.0.attn_q.weight.lora_a": (width, RANK), "blk.0.attn_q.weight.lora_b": (RANK, width)}
    described, data = b"", b""
    for name, shape in shapes.items():
        described += _text(name) + struct.pack("<IQQIQ", len(shape), *shape, 0, len(data))
        values = [numbers.uniform(-0.5, 0.5) for _ in range(shape[0] * shape[1])]
        data += _padded(struct.pack(f"<{len(values)}f", *values))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(texts) + 1) + facts + described
    path.write_bytes(_padded(head) + data)
    return path


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
