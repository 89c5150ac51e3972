"""Data sets with worked solutions as exemplars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mathagent.answers.extract import extract_answer
from mathagent.errors import UsageError
from mathagent.evals.worked_solutions import WorkedSolutions, read_worked_solutions
from mathagent.memory.experience import Exemplar, Provenance


def written(folder: Path, *items: dict[str, Any]) -> Path:
    path = folder / "small.train.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    return path


def exemplars(read: WorkedSolutions) -> list[Exemplar]:
    return [one.content for one in read.experiences if isinstance(one.content, Exemplar)]


GSM = {
    "id": "gsm8k/train/0",
    "question": "Natalia sold clips to 48 friends in April, and half as many in May. How many did she sell?",
    "answer": "72",
    "solution": "She sold 48/2 = <<48/2=24>>24 clips in May.\nIn all 48+24 = <<48+24=72>>72 clips.\n#### 72",
}
MATH = {
    "question": "What is $f(2)$ where $f(x)=x^2$?",
    "solution": "We have [asy] draw((0,0)--(1,1)); [/asy] $f(2)=2^2=\\boxed{4}$.",
    "subject": "Algebra",
    "level": "Level 1",
}


def test_gsm8k(tmp_path: Path) -> None:
    read = read_worked_solutions(written(tmp_path, GSM), created=3.0)
    assert (read.dataset, read.items, read.skipped) == ("small.train", 1, {})
    (only,) = read.experiences
    assert only.content == Exemplar(
        problem=GSM["question"],
        reasoning="She sold 48/2 = 24 clips in May.\nIn all 48+24 = 72 clips.\n\\boxed{72}",
        answer="72",
    )
    assert only.trust == "graded"
    assert only.provenance == Provenance(dataset="small.train", item="gsm8k/train/0", created=3.0)


def test_an_answer_field_may_hold_the_solution(tmp_path: Path) -> None:
    """As the original files have it: the answer is what stands behind the marks."""
    (only,) = exemplars(read_worked_solutions(written(tmp_path, {**GSM, "answer": GSM["solution"]})))
    assert only.answer == "72"


def test_math(tmp_path: Path) -> None:
    read = read_worked_solutions(written(tmp_path, MATH))
    (only,) = exemplars(read)
    assert only.reasoning == "We have   $f(2)=2^2=\\boxed{4}$."
    assert only.answer == "4"
    assert read.experiences[0].subject == "Algebra"
    assert read.experiences[0].provenance.item == "small.train/0"


def test_choices_and_programs(tmp_path: Path) -> None:
    chosen = {
        "question": "What is 2 + 2?",
        "choices": ["3", "4"],
        "answer": "B",
        "rationale": "Explanation: 2 + 2 is 4. The answer is B.",
    }
    coded = {
        "question": "What is 2 + 3?",
        "answer": "5.0",
        "code": '\ndef solution():\n    """What is 2 + 3?"""\n    return 2 + 3\n\n\n',
    }
    first, second = exemplars(read_worked_solutions(written(tmp_path, chosen, coded)))
    assert first.choices == ("3", "4")
    assert first.reasoning == "2 + 2 is 4. The answer is B.\n\\boxed{B}"
    assert (second.program, second.reasoning) == ("def solution():\n    return 2 + 3", "")


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        GSM,
        {**GSM, "id": "1", "answer": "5"},
        {**GSM, "id": "2", "solution": "so " * 500 + "#### 72"},
        {**GSM, "id": "3", "solution": ""},
        {**GSM, "id": "4", "solution": "It is 72.0.\n#### 72.0"},
    )
    read = read_worked_solutions(path)
    assert [one.provenance.item for one in read.experiences] == ["gsm8k/train/0", "4"]
    assert read.skipped == {"the solution states another answer": 1, "too long": 1, "no worked solution": 1}
    assert read.items == 5
    assert read_worked_solutions(path, limit=2).items == 2
    assert len(read_worked_solutions(path, most_characters=5000).experiences) == 3


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_worked_solutions(tmp_path / "nothing.jsonl")
    with pytest.raises(UsageError, match="no worked solutions: no text under any of solution"):
        read_worked_solutions(written(tmp_path, {"question": "What is 1 + 1?", "answer": "2"}))
    with pytest.raises(UsageError, match="no worked solutions"):
        read_worked_solutions(written(tmp_path))
    with pytest.raises(UsageError, match=r"small\.train\.jsonl:1: no text"):
        read_worked_solutions(written(tmp_path, {"answer": "2"}))


@pytest.mark.parametrize(("name", "least"), [("gsm8k.train.jsonl.gz", 400), ("math.train.jsonl.gz", 350)])
def test_real_training_sets(shared_data: Path, name: str, least: int) -> None:
    read = read_worked_solutions(shared_data / name, limit=400)
    assert len(read.experiences) >= least
    assert len(read.experiences) + sum(read.skipped.values()) == read.items == 400
    for one in exemplars(read):
        assert "<<" not in one.reasoning
        assert "####" not in one.reasoning
        assert extract_answer(one.reasoning) is not None


def test_wrong_solutions_of_real_data_are_left_out(shared_data: Path) -> None:
    """MR-GSM8K's answers are numbers of wrong steps: nearly no solution states the same."""
    read = read_worked_solutions(shared_data / "mr_gsm8k.wrong.jsonl")
    assert read.skipped["the solution states another answer"] > 0.8 * read.items
