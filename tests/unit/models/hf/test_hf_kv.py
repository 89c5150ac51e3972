from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

pytest.importorskip("transformers")

import transformers
from tiny_transformer import load_tiny, tiny_config, write_model

from mathagent.models.hf.forward import Forward
from mathagent.models.hf.kv import RowCache, is_batchable
from mathagent.models.hf.prefixes import Kept, PrefixStore, common_prefix
from mathagent.models.hf.settings import HfSettings

PROMPTS = [[65, 66, 67], [70, 71, 72, 73, 74, 75, 76, 77, 78, 79] * 4, [80]]
SLIDING = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}
KINDS = [
    pytest.param("Qwen2", {}, "sdpa", id="Qwen2"),
    pytest.param("Llama", {}, "eager", id="Llama, eager"),
    pytest.param("Qwen2", SLIDING, "sdpa", id="Qwen2 with a window in some layers"),
    pytest.param("Mistral", {"sliding_window": 8}, "sdpa", id="Mistral with a window in all"),
    pytest.param("Qwen3", {"head_dim": 8}, "sdpa", id="Qwen3"),
    pytest.param("Gemma2", {"sliding_window": 8, "head_dim": 8}, "auto", id="Gemma 2: caps its scores"),
]


def plain(model: Any, tokens: list[int]) -> torch.Tensor:
    return model(input_ids=torch.tensor([tokens])).logits[0, -1]


@pytest.mark.parametrize(("kind", "changes", "attention"), KINDS)
@torch.inference_mode()
def test_rows_of_all_lengths_give_what_each_gives_alone(
    tmp_path: Path, kind: str, changes: dict[str, Any], attention: Any
) -> None:
    folder = write_model(tmp_path / "m", kind, **changes)
    loaded = load_tiny(folder, HfSettings(dtype="fp32", attention=attention))
    assert is_batchable(loaded.config)
    cache = RowCache()
    forward = Forward(loaded, cache)
    cache.resize(len(PROMPTS), 64)
    rows = [list(prompt) for prompt in PROMPTS]
    logits = forward.prompts(
        0, rows, [0] * len(rows), [0] * len(rows), 30
    )  # several windows, most of them padding for two rows
    for step in range(12):
        for row, tokens in enumerate(rows):
            torch.testing.assert_close(logits[row], plain(loaded.model, tokens), rtol=1e-3, atol=1e-4)
            tokens.append(int(logits[row].argmax()))
        if step == 6:
            cache.resize(4, 96, [len(tokens) - 1 for tokens in rows])
        logits = forward.next_tokens(
            [tokens[-1] for tokens in rows], [len(tokens) - 1 for tokens in rows], [0] * len(rows)
        )


@torch.inference_mode()
def test_a_row_can_begin_with_what_another_or_an_earlier_one_knows(tmp_path: Path) -> None:
    loaded = load_tiny(write_model(tmp_path / "m"))
    cache = RowCache()
    forward = Forward(loaded, cache)
    cache.resize(3, 64)
    first, tail = PROMPTS[1], [90, 91]
    forward.prompts(0, [first], [0], [1], 100)
    kept = cache.take(0, len(first))
    cache.copy_row(0, 1, len(first))
    copied = forward.prompts(1, [tail], [len(first)], [1], 100)[0]
    cache.put(2, kept, len(first) - 5)
    put = forward.prompts(2, [first[-5:] + tail], [len(first) - 5], [1], 100)[0]
    expected = plain(loaded.model, first + tail)
    torch.testing.assert_close(copied, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(put, expected, rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_a_tokens_size_is_found_by_a_pass(tmp_path: Path) -> None:
    loaded = load_tiny(write_model(tmp_path / "m"))
    heads, size, layers = 2, 8, 2
    assert Forward(loaded, RowCache()).probe() == 2 * heads * size * layers * 4


def test_models_with_other_states_are_not_batched() -> None:
    assert is_batchable(tiny_config("Llama"))
    assert not is_batchable(transformers.Qwen3NextConfig(num_hidden_layers=4))


def test_the_store_finds_what_begins_most_alike_and_forgets_the_unused() -> None:
    store = PrefixStore(100)
    long, other = list(range(40)), [*range(20), *range(100, 120)]
    store.add(Kept(long, (), ()))
    store.add(Kept(other, (), (("a", 1.0),)))
    assert store.find([*range(30), 7], ()) == (30, Kept(long, (), ()))
    assert store.find([*range(18), 7], (("a", 1.0),))[0] == 18
    assert store.find([*range(10), 7], ()) == (0, None)  # too little to be worth it
    assert store.has(long[:25], ())
    assert not store.has(other, ())
    store.add(Kept(list(range(200, 240)), (), ()))  # 120 tokens: the one that was not used goes
    assert store.find(list(range(30)), ())[0] == 0
    store.add(Kept(list(range(101)), (), ()))  # too long for the store: nothing else goes for it
    assert store.find(list(range(200, 240)), ())[0] == 40


def test_the_store_tells_the_same_tokens_under_two_adapters_apart() -> None:
    store = PrefixStore(100)
    tokens = list(range(40))
    for adapters in ((), (("a", 1.0),)):
        store.add(Kept(list(tokens), ((torch.zeros(1, 40, 2), torch.zeros(1, 40, 2)),), adapters))
    common, kept = store.find(tokens, (("a", 1.0),))
    assert common == 40
    assert kept is not None
    assert kept.adapters == (("a", 1.0),)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [([], [1], 0), ([1], [2], 0), ([1, 2], [1, 2], 2), ([1, 2, 3], [1, 2, 4, 5], 2), (list(range(99)), [0], 1)],
)
def test_common_prefix(one: list[int], other: list[int], common: int) -> None:
    assert common_prefix(one, other) == common_prefix(other, one) == common
