"""Gold answers of MATH equal themselves, and no changed one equals its gold: a sample of benchmarks/grader_gold.py."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from mathagent.answers.compare import AnswerComparer
from mathagent.answers.equality import compare
from mathagent.evals.dataset import read_dataset
from mathagent.evals.grader import Grader

SAMPLE = 60
SCRIPT = Path(__file__).parents[3] / "benchmarks" / "grader_gold.py"


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("grader_gold", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOLD = _script()


async def in_process(function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
    a, b, lenient = args
    return [*compare(str(a), str(b), bool(lenient))]


@pytest.mark.parametrize("name", ["math.train.jsonl.gz", "math500.test.jsonl"])
async def test_gold_answers(shared_data: Path, name: str) -> None:
    golds = sorted({problem.reference or "" for problem in read_dataset(shared_data / name).problems})
    sample = random.Random(1).sample(golds, SAMPLE)
    found = await GOLD.verdicts(sample, Grader(AnswerComparer(in_process)))
    assert len(found) > 3 * SAMPLE
    assert [item for item in found if GOLD.wrong(item[0], item[3])] == []


@pytest.mark.parametrize(
    ("gold", "change", "text"),
    [
        (r"\frac{3}{4}", "number + 1", r"\frac{4}{4}"),
        ("-12", "sign", "12"),
        ("12", "sign", "-12"),
        ("x^2+1", "sign", "-(x^2+1)"),
        ("x^2+1", "variable", "z^2+1"),
        ("1, 2, 3", "member left out", "1, 2"),
        (r"\{1,2\}", "member left out", r"\{1\}"),
        ("(1,2]", "end of interval", "[1,2]"),
    ],
)
def test_changes(gold: str, change: str, text: str) -> None:
    assert GOLD.changed(gold)[change] == text


def test_words_are_not_changed() -> None:
    assert GOLD.changed(r"\text{Evelyn}") == {}
