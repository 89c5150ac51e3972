"""Rows of ProcessBench, MR-GSM8K and MathCheck, as published and as the data folder holds them; and the real data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import UsageError
from mathagent.evals.process.critique import step_of
from mathagent.evals.process.items import ItemSet, bare_steps, printed_steps, read_items, select_items
from mathagent.evals.process.load import load_sets

PROCESSBENCH = {
    "id": "gsm8k-0",
    "generator": "some-model",
    "problem": "What is 2 + 2 + 2?",
    "steps": ["2 + 2 = 4.", "4 + 2 = 7."],
    "final_answer_correct": False,
    "label": 1,
}
MR = {
    "uuid": "u-1",
    "question": "What is 2 + 2 + 2?",
    "question_type": "original",
    "ground_truth_solution": "It is 6.",
    "model_output_steps": ["Step 1: 2 + 2 = 4.", "Step 2: 4 + 2 = 7."],
    "model_output_answer_correctness": "wrong",
    "model_output_solution_correctness": "wrong",
    "model_output_solution_first_error_step": "2",
    "model_output_solution_first_error_reason": "4 + 2 is 6.",
}
MATHCHECK = {
    "id": 7,
    "group_id": "4",
    "task_type": "process_judging",
    "question_type": "scenario_understanding",
    "question": "What is 2 + 2 + 2?",
    "solution": "Step 1: 2 + 2 = 4.\n\nStep 2: 4 + 2 = 7.\n\nThe answer is 7.",
    "answer": "Step 2",
}


def read(*rows: dict[str, Any]) -> ItemSet:
    return read_items("set", [(f"set:{n}", row) for n, row in enumerate(rows, start=1)])


def test_processbench_counts_from_0() -> None:
    found = read(PROCESSBENCH, {**PROCESSBENCH, "id": "gsm8k-1", "label": -1, "final_answer_correct": True})
    assert found.kind == "processbench"
    assert [item.reference for item in found.items] == ["step 2", "correct"]
    assert found.items[0].family == found.items[1].family  # one question
    assert found.items[0].shown.steps == ("2 + 2 = 4.", "4 + 2 = 7.")


def test_mr_gsm8k_counts_from_1() -> None:
    right = {
        **MR,
        "uuid": "u-2",
        "model_output_solution_correctness": "correct",
        "model_output_solution_first_error_step": "N/A",
        "model_output_solution_first_error_reason": "N/A",
    }
    found = read(MR, right)
    assert found.kind == "mr-gsm8k"
    assert [item.reference for item in found.items] == ["step 2", "correct"]
    assert [item.expert_reason for item in found.items] == ["4 + 2 is 6.", ""]
    assert found.items[0].shown.steps == ("2 + 2 = 4.", "4 + 2 = 7.")  # numbered anew for every role


def test_mathcheck_labels() -> None:
    rows = [
        MATHCHECK,
        {**MATHCHECK, "id": 8, "task_type": "outcome_judging", "answer": "Incorrect"},
        {**MATHCHECK, "id": 9, "task_type": "answerable_judging", "answer": "Unanswerable", "solution": None},
        {**MATHCHECK, "id": 10, "task_type": "solving", "answer": "6.0", "solution": None},
    ]
    found = read(*rows)
    assert [item.reference for item in found.items] == ["step 2", "incorrect", "unanswerable", "6.0"]
    assert {item.level for item in found.items} == {"scenario"}
    assert [item.subject for item in found.items] == [
        "process_judging",
        "outcome_judging",
        "answerable_judging",
        "solving",
    ]


def test_a_limit_of_mathcheck_counts_groups() -> None:
    found = read(*({**MATHCHECK, "id": n, "group_id": n % 3} for n in range(9)))
    assert [item.id for item in select_items(found, limit=2).items] == ["0", "3", "6", "1", "4", "7"]
    mixed = select_items(found, shuffle=True, seed=1, limit=1)
    assert len({item.family for item in mixed.items}) == 1
    assert len(mixed.items) == 3


def test_items_are_mixed_by_the_seed_and_their_ids_alone() -> None:
    found = read(*({**PROCESSBENCH, "id": f"p{n}"} for n in range(20)))
    fewer = read(*({**PROCESSBENCH, "id": f"p{n}"} for n in range(0, 20, 2)))
    mixed = [item.id for item in select_items(found, shuffle=True).items]
    assert sorted(mixed) == sorted(item.id for item in found.items)
    assert mixed != [item.id for item in found.items]
    assert [item.id for item in select_items(fewer, shuffle=True).items] == [
        one for one in mixed if int(one[1:]) % 2 == 0
    ]
    assert [item.id for item in select_items(found, shuffle=True, seed=2).items] != mixed
    assert [item.id for item in select_items(found, limit=2).items] == ["p0", "p1"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**PROCESSBENCH, "label": 2}, "label 2 names none of 2 steps"),
        ({**PROCESSBENCH, "label": "first"}, "no whole number"),
        ({**PROCESSBENCH, "steps": []}, "steps must be a list"),
        ({**PROCESSBENCH, "problem": " "}, "no text under any of"),
        ({**MR, "model_output_solution_first_error_step": 3}, "the first wrong step is 3"),
        ({**MATHCHECK, "answer": "Step 5"}, "names none of the solution's steps"),
        ({**MATHCHECK, "task_type": "drawing"}, "not of MathCheck"),
        ({**MATHCHECK, "solution": ""}, "without a solution"),
        ({**MATHCHECK, "task_type": "outcome_judging", "answer": "Maybe"}, "is no answer of outcome_judging"),
        ({"question": "What is 1 + 1?", "answer": "2"}, "not a row of ProcessBench"),
    ],
)
def test_wrong_rows_are_named(row: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"set:1: .*{message}"):
        read(row)


def test_mixed_empty_and_repeated() -> None:
    with pytest.raises(UsageError, match="set:2: not a row of processbench"):
        read(PROCESSBENCH, MR)
    with pytest.raises(UsageError, match="holds no items"):
        read()
    with pytest.raises(UsageError, match="stands 2 times"):
        read(PROCESSBENCH, PROCESSBENCH)


def test_printed_steps() -> None:
    text = "Given.\n\nStep 1: a\nstep 1 is done\n\n**Step 2:** b\n\nStep 4: d\n\nStep 3: no\nThe end."
    numbers, steps = printed_steps(text)
    assert numbers == (1, 2, 4)  # one is left out, and what goes back is no new step
    assert steps == ("Given.\na\nstep 1 is done", "b", "d\n\nStep 3: no\nThe end.")
    assert printed_steps("First this.\n\nThen that.") == ((1, 2), ("First this.", "Then that."))
    assert printed_steps("") == ((), ())
    assert bare_steps(["Step 1: a", "Step 2. b"]) == ("a", "b")
    assert bare_steps(["Step 1: a", "Step 3: b"]) == ("Step 1: a", "Step 3: b")


def test_real_processbench(shared_data: Path) -> None:
    sets = load_sets(["processbench"], data_dir=shared_data)
    assert [one.name for one in sets] == [
        "processbench:gsm8k",
        "processbench:math",
        "processbench:olympiadbench",
        "processbench:omnimath",
    ]
    assert [len(one.items) for one in sets] == [207, 489, 509, 496]
    assert [sum(item.reference == "correct" for item in one.items) for one in sets] == [85, 202, 200, 127]


def test_real_mr_gsm8k(shared_data: Path) -> None:
    (found,) = load_sets(["mr-gsm8k"], data_dir=shared_data)
    assert Counter(item.subject for item in found.items) == {"original": 176, "reversed": 90, "POT": 40}
    assert all(step_of(item.reference) is not None and item.expert_reason for item in found.items)


def test_real_mathcheck(shared_data: Path) -> None:
    (found,) = load_sets(["mathcheck-gsm"], data_dir=shared_data)
    counts = Counter((item.subject, item.level) for item in found.items)
    assert len(counts) == 16
    assert {count for (task, _), count in counts.items() if task in ("solving", "process_judging")} == {74}
    assert {count for (task, _), count in counts.items() if task.startswith(("answer", "outcome"))} == {148}
    assert {len([item for item in found.items if item.family == "4"])} == {24}
    jumping = next(
        item for item in found.items if item.id.endswith("/1383")
    )  # prints steps 1, 2 and 4; gold "Step 4"
    assert (jumping.reference, len(jumping.shown.steps)) == ("step 3", 3)


def test_unknown_names_and_twice(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean processbench"):
        load_sets(["procesbench"], data_dir=shared_data)
    with pytest.raises(UsageError, match="named twice"):
        load_sets(["mr-gsm8k", "mr-gsm8k"], data_dir=shared_data)
    with pytest.raises(UsageError, match="there is no file"):
        load_sets([str(tmp_path / "none.jsonl")])
