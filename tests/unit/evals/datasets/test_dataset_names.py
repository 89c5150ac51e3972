"""The table of data sets: what each states, and by which names it is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mathagent.errors import UnknownName, UsageError
from mathagent.evals.datasets import DATASETS, resolve
from mathagent.evals.datasets.source import Source

ASKED_FOR = [
    "gsm8k",
    "math",
    "math500",
    "aime24",
    "aime25",
    "amc23",
    "olympiadbench",
    "svamp",
    "asdiv",
    "mawps",
    "aqua",
    "mathqa",
    "sat-math",
    "mgsm",
    "gsm-hard",
    "gsm-plus",
    "gsm-symbolic",
    "mathcheck-gsm",
    "mr-gsm8k",
    "processbench",
    "minerva-math",
    "gaokao",
    "cmath",
    "college-math",
    "theoremqa",
    "redial",
    "cultural-gsm",
    "big-bench",
    "game24",
]
NOT_ON_THE_HUB = {"cultural-gsm", "redial", "templates"}


def test_all_that_were_asked_for_are_there() -> None:
    assert set(ASKED_FOR) <= set(DATASETS.names())


@pytest.mark.parametrize("name", DATASETS.table)
def test_a_source_states_where_it_is_from(name: str) -> None:
    source = DATASETS.load(name)
    assert isinstance(source, Source)
    assert source.name == name
    module = DATASETS.path(name).partition(":")[0]
    assert module.rpartition(".")[2] == name.replace("-", "_")
    assert re.search(r"arXiv \d{4}\.\d{4,5}|doi 10\.|Mathematical Association", source.paper)
    assert source.title
    assert source.licence
    assert source.answer
    assert all(re.fullmatch(r"[a-z]{2}", language) for language in source.languages)
    assert set(source.aliases.values()) <= set(source.subsets)
    assert not set(source.aliases) & set(source.subsets)
    assert any(subset.hub for subset in source.subsets.values()) or name in NOT_ON_THE_HUB


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("gsm8k", "gsm8k"), ("GSM8K", "gsm8k"), ("gsm8k:test", "gsm8k"), ("gsm8k:train", "gsm8k:train"),
        ("gsm8k.train", "gsm8k:train"), ("mgsm:de", "mgsm:de"), ("mgsm-de", "mgsm:de"), ("mgsm_zh", "mgsm:zh"),
        ("mgsm", "mgsm"), ("MATH-500", "math500"), ("bigbench:counting", "big-bench:counting"),
        ("gsm_hard", "gsm-hard"), ("gsm-symbolic:main", "gsm-symbolic"),
        ("gsm-symbolic-p2", "gsm-symbolic:p2"), ("gaokao2023en", "gaokao:en"), ("gaokao-mathqa", "gaokao:mathqa"),
        ("cmath_distractor", "cmath:distractor"), ("processbench.omnimath", "processbench:omnimath"),
        ("bbh_object_counting", "bbh:object-counting"), ("math_rest", "math:rest"),
        ("big-bench:date-understanding", "big-bench:dates"), ("mathcheck-gsm:solving", "mathcheck-gsm:solving"),
        ("mathagent.evals.datasets.mgsm:DATASET:de", "mgsm:de"), ("mathagent.evals.datasets.svamp:DATASET", "svamp"),
    ],
)  # fmt: skip
def test_names(name: str, label: str) -> None:
    assert resolve(name).label == label


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no data set is named 'gsm9k'; did you mean gsm8k"):
        resolve("gsm9k")
    with pytest.raises(UsageError, match="data set mgsm has no subset 'xx'; known: mgsm:all, mgsm:bn"):
        resolve("mgsm:xx")


def test_every_file_of_the_data_folder_belongs_to_a_data_set(shared_data: Path) -> None:
    claimed = {
        stem for name in DATASETS.table for subset in DATASETS.load(name).subsets.values() for stem in subset.files
    }
    present = {path.name.removesuffix(".gz").removesuffix(".jsonl") for path in shared_data.glob("*.jsonl*")}
    assert present <= claimed
