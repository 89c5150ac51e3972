"""The field names that people use: any letter case, nested, and what is read of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import UsageError
from mathagent.evals.dataset import problem_of, read_dataset


def read(item: dict[str, Any]) -> Any:
    return problem_of(item, "here:1", default_id="default")


@pytest.mark.parametrize(
    ("item", "text", "reference"),
    [
        ({"Question": "q", "Answer": "5"}, "q", "5"),
        ({"PROBLEM": "q", "Final Answer": "5"}, "q", "5"),
        ({"input": "q", "target": -3.5}, "q", "-3.5"),
        ({"query": "q", "ground_truth": "5"}, "q", "5"),
        ({"problem": "q", "expected-answer": 5}, "q", "5"),
        ({"problem": "q", "answer": None, "solution": "so \\boxed{\\frac12}."}, "q", "\\frac12"),
        ({"problem": "q", "solution": "so\n#### 1,234"}, "q", "1,234"),
        ({"problem": "q", "solution": "$204$"}, "q", "204"),
        ({"Body": "Tom has 3.", "Question": "How many?", "Answer": 3}, "Tom has 3. How many?", "3"),
        ({"question": "q", "answer": True}, "q", "true"),
        ({"question": "q", "answer": ["5"]}, "q", "5"),
        ({"question": "q", "answers": ["5"]}, "q", "5"),
        ({"question": "q", "correct_answer": "5"}, "q", "5"),
        ({"question": "q", "gold_answer": 5}, "q", "5"),
        ({"question": "q", "reference_answer": "5"}, "q", "5"),
        ({"question": "q", "answer": [1, 2]}, "q", "[1, 2]"),
        ({"question": "q", "answer": 0}, "q", "0"),
        ({"question": "q", "answer": float("nan"), "final_answer": "5"}, "q", "5"),  # a table's empty cell
        (
            {"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
             "reward_model": {"style": "rule", "ground_truth": "5"}},
            "q", "5",
        ),
        ({"messages": [{"role": "user", "content": "q"}], "extra_info": {"answer": "5"}}, "q", "5"),
        ({"question": "exact names win", "QUESTION": "other", "answer": "1"}, "exact names win", "1"),
    ],
)  # fmt: skip
def test_question_and_answer(item: dict[str, Any], text: str, reference: str) -> None:
    problem = read(item)
    assert (problem.text, problem.reference) == (text, reference)


@pytest.mark.parametrize(
    ("item", "choices", "reference"),
    [
        ({"options": ["A)1", "B)2"], "correct": "B"}, ("A)1", "B)2"), "B"),
        ({"choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answer": "A"}, ("x", "y"), "A"),
        ({"choices": {"A": "x", "B": "y"}, "answer": "B"}, ("x", "y"), "B"),
        ({"choices": ["x", "y", "z"], "answer": 2}, ("x", "y", "z"), "C"),
        ({"choices": ["x", "y", "z"], "gold": [1]}, ("x", "y", "z"), "B"),
        ({"choices": ["1", "2", "3"], "answer": 2}, ("1", "2", "3"), "2"),  # a choice's own text, not a place
        ({"choices": [10, 20], "answer": "20"}, ("10", "20"), "20"),
    ],
)
def test_choices(item: dict[str, Any], choices: tuple[str, ...], reference: str) -> None:
    problem = read({"question": "q", **item})
    assert (problem.choices, problem.reference) == (choices, reference)


def test_metadata_id_and_language() -> None:
    item = {"unique_id": 7, "question": "q", "answer": "1", "type": "Algebra", "difficulty": 3, "origin_id": "o",
            "answer_type": "integer", "lang": "de", "solution": "secret"}  # fmt: skip
    problem = read(item)
    assert (problem.id, problem.language) == ("7", "de")
    assert problem.metadata == {"subject": "Algebra", "level": 3, "family": "o", "answer_type": "integer"}
    assert read({"id": None, "question": "q", "answer": "1"}).id == "default"


def test_a_worked_solution_without_a_mark_is_no_answer() -> None:
    with pytest.raises(UsageError, match=r"here:1: no answer under any of answer, expected_answer"):
        read({"question": "q", "solution": "First add 2 and 3.\nThen double it, which gives the answer, ten."})


def test_a_list_in_a_json_file_and_a_byte_order_mark(tmp_path: Path) -> None:
    items = [{"question": "q", "answer": 1}, {"question": "r", "answer": 2}]
    (tmp_path / "a.json").write_text(json.dumps(items, indent=1), encoding="utf-8")
    (tmp_path / "b.json").write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, items)), encoding="utf-8-sig")
    for name in ("a.json", "b.json", "c.jsonl"):
        dataset = read_dataset(tmp_path / name)
        assert dataset.name == name[0]
        assert [problem.text for problem in dataset.problems] == ["q", "r"]
    (tmp_path / "d.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(UsageError, match=r"d.json:1: not a JSON object"):
        read_dataset(tmp_path / "d.json")
