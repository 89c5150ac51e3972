"""What clients of the server may read of models' names."""

from __future__ import annotations

import pytest

from mathagent.server.public_text import public_name


@pytest.mark.parametrize(
    ("model", "public"),
    [
        ("qwen2.5-coder-1.5b", "qwen2.5-coder-1.5b"),
        ("embedded:/home/me/models/a.gguf", "embedded:a.gguf"),
        ("embedded:/home/me/a.gguf?lora=/home/me/b.gguf:0.5&slots=2", "embedded:a.gguf?lora=b.gguf:0.5&slots=2"),
        (
            "nudge(embedded:m,embedded:/home/me/a.gguf?template=plain)",
            "nudge(embedded:m,embedded:a.gguf?template=plain)",
        ),
        ("script:/tmp/a.json,judge=script:/tmp/b.json", "script:a.json,judge=script:b.json"),
        ("openai:org/m@http://h:8000/v1", "openai:org/m@http://h:8000/v1"),
    ],
)
def test_a_models_name_shows_no_folders(model: str, public: str) -> None:
    assert public_name(model) == public
