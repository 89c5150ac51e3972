"""Every item of the benchmark folder loads, and its gold answer equals itself (a sample here; all: see docs)."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from mathagent.answers.compare import AnswerComparer
from mathagent.answers.equality import compare
from mathagent.evals.datasets import DATASETS, found_locally, load_dataset
from mathagent.evals.datasets.audit import self_check
from mathagent.evals.grader import Grader

GRADED = 6
"""Items of each data set that are graded."""
SLOW = {"college-math": 200, "math": 400, "asdiv": 400}
"""Sets whose answers take long to read: so many of their items are read here."""
TRAINING = ("gsm8k:train", "math:train", "math:rest")


async def in_process(function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
    a, b, lenient = args
    return [*compare(str(a), str(b), bool(lenient))]


@pytest.mark.parametrize("name", [name for name in DATASETS.table if name not in ("templates", "aime25")])
async def test_items_load_and_equal_themselves(name: str, shared_data: Path) -> None:
    source = DATASETS.load(name)
    found = found_locally(source, shared_data)
    assert source.default in found
    limit = 45 if source.build is not None else SLOW.get(name)
    dataset = load_dataset(name, data_dir=shared_data, limit=limit)
    assert len(dataset.problems) == (limit or found[source.default])
    grader = Grader(AnswerComparer(in_process))
    for problem in dataset.problems[:: max(1, len(dataset.problems) // GRADED)]:
        assert await self_check(problem, grader) == (False, False), problem.id


def test_choices_hold_their_answer(shared_data: Path) -> None:
    for name in ("aqua", "mathqa", "sat-math", "bbh:penguins", "gaokao:mathqa"):
        for problem in load_dataset(name, data_dir=shared_data).problems:
            assert len(problem.choices) >= 4, problem.id


def test_items_of_one_question_share_a_family(shared_data: Path) -> None:
    de, zh = (load_dataset(f"mgsm:{language}", data_dir=shared_data).problems for language in ("de", "zh"))
    assert [one.metadata["family"] for one in de] == [one.metadata["family"] for one in zh]
    originals = {one.metadata["family"] for one in load_dataset("gsm8k", data_dir=shared_data).problems}
    for name in ("mgsm", "gsm-plus", "cultural-gsm"):
        families = {one.metadata["family"] for one in load_dataset(name, data_dir=shared_data).problems}
        assert families <= originals, name
    pairs = load_dataset("redial", data_dir=shared_data).problems
    dialects = [one.metadata["dialect"] for one in pairs]
    assert dialects.count("aave") == dialects.count("original") == len({one.metadata["family"] for one in pairs})


def test_gsm_symbolic_comes_round_by_round(shared_data: Path) -> None:
    two_rounds = load_dataset("gsm-symbolic", data_dir=shared_data, limit=90).problems
    assert [one.metadata["instance"] for one in two_rounds] == [0] * 45 + [1] * 45
    assert len({one.metadata["template"] for one in two_rounds[:45]}) == 45
    originals = load_dataset("gsm-symbolic:original", data_dir=shared_data).problems
    assert {one.metadata["family"] for one in originals} == {one.metadata["family"] for one in two_rounds}
    assert not {one.text for one in originals} & {one.text for one in two_rounds}


def test_training_sets_read(shared_data: Path) -> None:
    for name in TRAINING:
        assert len(load_dataset(name, data_dir=shared_data, limit=200).problems) == 200
