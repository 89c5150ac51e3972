from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import tiny_archive

from mathagent.errors import ModelFileError
from mathagent.memory.distillation import distil
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.static_embedder import TABLE_FILE, StaticEmbedder, default_embedder
from mathagent.memory.word_table import WordTable, read_table, write_table
from mathagent.models.catalog import catalog


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    distil(tiny_archive(folder / "a.zip"), folder / TABLE_FILE, lambda done, total: None)
    return folder / TABLE_FILE


def test_a_vector_is_the_sum_of_the_pieces(table: Path) -> None:
    embedder = StaticEmbedder(table)
    content = read_table(table)
    (vector,) = embedder.embed(["Wordab the wordabs"])
    vocabulary = embedder._tokenizer.get_vocab()
    pieces = [vocabulary[piece] for piece in ("wordab", "the", "wordab", "##s")]
    expected = content.vectors[pieces].astype(np.float32).sum(axis=0)
    assert np.allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)
    assert embedder.name == content.identity
    assert embedder.dimensions == len(vector)


def test_texts_do_not_know_of_each_other(table: Path) -> None:
    embedder = StaticEmbedder(table)
    texts = ["wordaa", "", "the wordab of wordac", "[PAD] ???", "wordba " * 30, "."] * 60
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert together.dtype == np.float32
    assert np.allclose(together, alone, atol=1e-6)
    lengths = np.linalg.norm(together, axis=1)
    for text, length in zip(texts, lengths, strict=True):
        assert length == pytest.approx(0 if text in ("", "[PAD] ???") else 1, abs=1e-6)
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_only_the_beginning_of_a_long_text_counts(table: Path) -> None:
    embedder = StaticEmbedder(table)
    start = "wordaa " * 2048
    assert np.allclose(embedder.embed([start + "wordhh " * 500]), embedder.embed([start]))


def test_the_default_is_the_static_one_where_its_table_is(table: Path, tmp_path: Path) -> None:
    assert isinstance(default_embedder(table.parent), StaticEmbedder)
    assert isinstance(default_embedder(tmp_path), HashedEmbedder)
    (tmp_path / TABLE_FILE).write_bytes(table.read_bytes()[:-10])
    with pytest.raises(ModelFileError, match="models pull minilm"):
        default_embedder(tmp_path)


def test_the_table_is_where_the_manifest_puts_it() -> None:
    assert [entry.file_name for entry in catalog("embedding")] == [TABLE_FILE]


@pytest.mark.parametrize(
    "damage", [b"", b"MAGTABL1", b"GGUF" + bytes(100), b"MAGTABL1\xff\xff\xff\x7f{}", b"MAGTABL1\x02\0\0\0{}"]
)
def test_a_damaged_table_is_a_clear_error(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "t"
    path.write_bytes(damage)
    with pytest.raises(ModelFileError, match="models pull minilm"):
        StaticEmbedder(path)


def test_a_missing_table_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="models pull minilm"):
        StaticEmbedder(tmp_path / "none")


def test_a_broken_tokenizer_is_a_clear_error(tmp_path: Path) -> None:
    write_table(WordTable(np.ones((3, 4), np.float16), '{"model": 1}', "x"), tmp_path / "t")
    with pytest.raises(ModelFileError, match="tokenizer"):
        StaticEmbedder(tmp_path / "t")


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (3, 256)])
def test_a_table_is_read_as_it_was_written(tmp_path: Path, shape: tuple[int, int]) -> None:
    vectors = np.random.default_rng(1).normal(size=shape).astype(np.float16)
    write_table(WordTable(vectors, '{"ä": "漢"}', "some-1"), tmp_path / "t")
    read = read_table(tmp_path / "t")
    assert (read.tokenizer, read.identity) == ('{"ä": "漢"}', "some-1")
    assert np.array_equal(read.vectors, vectors)
