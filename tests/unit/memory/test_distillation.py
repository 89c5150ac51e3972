from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import VOCABULARY, WIDTH, tiny_archive

from mathagent.errors import ModelFileError
from mathagent.memory.distillation import SHARED_DIRECTIONS, distil, piece_weights, principal_components
from mathagent.memory.word_table import read_table


def ignore(done: int, total: int) -> None:
    pass


def test_a_table_has_a_row_for_each_piece_and_none_for_special_ones(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    distil(tiny_archive(tmp_path / "a.zip"), tmp_path / "t", lambda *done: seen.append(done))
    table = read_table(tmp_path / "t")
    assert table.vectors.shape == (len(VOCABULARY), WIDTH - SHARED_DIRECTIONS)
    empty = {piece for piece, row in zip(VOCABULARY, table.vectors, strict=True) if not row.any()}
    assert empty == {piece for piece in VOCABULARY if piece.startswith("[")}
    assert np.abs(table.vectors).max() == 1
    assert seen[0] == (0, len(VOCABULARY))
    assert seen[-1] == (len(VOCABULARY), len(VOCABULARY))


def test_the_identity_is_that_of_the_ingredients(tmp_path: Path) -> None:
    distil(tiny_archive(tmp_path / "a.zip"), tmp_path / "a", ignore)
    distil(tiny_archive(tmp_path / "again.zip"), tmp_path / "again", ignore)
    distil(tiny_archive(tmp_path / "b.zip", seed=6), tmp_path / "b", ignore)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "again").read_bytes()
    assert read_table(tmp_path / "a").identity != read_table(tmp_path / "b").identity


def test_frequent_pieces_and_numbers_weigh_little() -> None:
    weights = dict(zip(VOCABULARY, piece_weights(VOCABULARY), strict=True))
    assert (
        weights["."] == weights["the"] < weights["of"] < weights["and"] < weights["wordaa"] < weights["##ing"] < 1
    )
    assert weights["1995"] < weights["and"]
    assert weights["1"] == weights["the"] / 2


def test_the_strongest_directions_are_taken_out() -> None:
    chance = np.random.default_rng(1)
    scales = np.array([90.0, 50, 30, 3, 2, 1])
    vectors = (chance.normal(size=(500, 6)) * scales + 100).astype(np.float32)
    reduced = principal_components(vectors, list(range(500)))
    assert reduced.shape == (500, 3)
    assert np.allclose(reduced.std(axis=0), [3, 2, 1], rtol=0.2)
    assert np.allclose(reduced.mean(axis=0), 0, atol=1e-4)
    correlations = np.corrcoef(reduced[:, 0], vectors[:, 3])[0, 1]
    assert correlations > 0.9  # the sign is that of the strongest component, not the library's


def test_who_has_gone_stops_it_and_no_table_is_left(tmp_path: Path) -> None:
    def gone(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distil(tiny_archive(tmp_path / "a.zip"), tmp_path / "t", gone)
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("vocabulary", "reason"),
    [([*VOCABULARY, "more"], "not of one model"), ([f"[a{n}]" for n in range(len(VOCABULARY))], "BERT")],
    ids=["another size", "no end marks"],
)
def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, vocabulary: list[str], reason: str) -> None:
    import json
    import zipfile

    from tiny_encoder import safetensors, tiny_weights

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("model.safetensors", safetensors(tiny_weights()))
        vocab = {piece: n for n, piece in enumerate(vocabulary)}
        archive.writestr("tokenizer.json", json.dumps({"model": {"vocab": vocab}}))
    with pytest.raises(ModelFileError, match=reason):
        distil(tmp_path / "a.zip", tmp_path / "t", ignore)


def test_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    archive = tiny_archive(tmp_path / "a.zip", without="embeddings.word_embeddings.weight")
    with pytest.raises(ModelFileError):
        distil(archive, tmp_path / "t", ignore)
