"""The audit: all signals of all items, nothing deleted, and gold answers that equal themselves only."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue

from mathagent.answers.compare import AnswerComparer
from mathagent.answers.equality import compare
from mathagent.evals.datasets.audit import CHECKS, answer_type, audit, self_check
from mathagent.evals.datasets.perturbed_gold import perturbed
from mathagent.evals.datasets.signals import SIGNALS
from mathagent.evals.grader import Grade, Grader
from mathagent.evals.number_game import ANSWER_TYPE
from mathagent.types import Problem


async def in_process(function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
    a, b, lenient = args
    return [*compare(str(a), str(b), bool(lenient))]


@pytest.fixture
def grader() -> Grader:
    return Grader(AnswerComparer(in_process))


def problem(reference: str, text: str = "Find x.", **fields: Any) -> Problem:
    return Problem(id=text[:20], text=text, reference=reference, **fields)


GOLDS = [
    ("70000", {}),
    ("1,234.5", {}),
    ("\\frac{1}{2}", {}),
    ("30\\%", {}),
    ("x^2", {}),
    ("\\sqrt{3}/4", {}),
    ("(1, 2)", {}),
    ("[0, 2)", {}),
    ("(-\\infty, 3]", {}),
    ("\\{1, 2\\}", {}),
    ("(-\\infty,0)\\cup(0,1]", {}),
    ("x=3", {}),
    ("5x-y+2=0", {}),
    ("3:4", {}),
    ("true", {}),
    ("Yes", {}),
    ("9 (apples)", {}),
    ("Purple", {}),
    ("[1, 0, 1]", {}),
    ('["None", "cannot be determined"]', {}),
    ("D", {"choices": ("(A)2", "(B)4", "(C)9", "(D)10")}),
    ("d", {"choices": ("a ) 1", "b ) 2", "c ) 3", "d ) 4")}),
    ("(B)", {"choices": ("(A) x", "(B) y")}),
    ("blue", {"choices": ("red", "blue")}),
    ('["0", "zero"]', {"choices": ("0", "zero", "1", "one")}),
    ("24", {"metadata": {"answer_type": ANSWER_TYPE, "numbers": [1, 1, 3, 8]}}),
]


@pytest.mark.parametrize(("reference", "fields"), GOLDS, ids=[gold for gold, _ in GOLDS])
async def test_gold_equals_itself_and_a_changed_one_does_not(
    grader: Grader, reference: str, fields: dict[str, Any]
) -> None:
    assert await self_check(problem(reference, **fields), grader) == (False, False)
    assert perturbed(problem(reference, **fields)) != reference or "numbers" in str(fields)


async def test_a_grader_that_is_wrong_is_found_out() -> None:
    class Lenient(Grader):
        async def grade(self, answer: str | None, problem: Problem) -> Grade:
            return Grade(outcome="correct", reason="")

    class Strict(Grader):
        async def grade(self, answer: str | None, problem: Problem) -> Grade:
            return Grade(outcome="undecided", reason="")

    comparer = AnswerComparer(in_process)
    assert await self_check(problem("5"), Lenient(comparer)) == (False, True)
    assert await self_check(problem("5"), Strict(comparer)) == (True, False)


async def test_every_item_has_every_column_and_none_is_deleted(grader: Grader) -> None:
    items = [
        (problem("5", "Tom has 2 apples and 3 pears. How many has he?"), {}),
        (problem("5", "Tom has 2 apples, and 3 pears! How many has he?"), {}),
        (problem("1", "Prove that 1 = 1."), {"solution": "It is \\boxed{}."}),
        (problem("yellow", "What is the colour of the sun?"), {}),
    ]
    found = await audit("mine", items, grader)
    assert len(found.rows) == 4
    assert all(set(row.signals) == {*SIGNALS, *CHECKS} - {"contaminated"} for row in found.rows)
    assert found.ids("duplicate") == [items[1][0].id]
    assert found.ids("empty-box") == found.ids("proof") == [items[2][0].id]
    assert [row.keep for row in found.rows] == [True, False, False, False]
    assert [row.answer_type for row in found.rows] == ["integer", "integer", "integer", "text"]


async def test_contamination_is_thirteen_words_in_a_row(grader: Grader) -> None:
    words = "a farmer with seven fields and nine cows sells three of them to his neighbour"
    same = problem("1", f"Once upon a time {words}. How many are left?")
    other = problem("2", "A farmer sells three cows to his neighbour. How many are left of nine?")
    corpus = [problem("3", f"Yesterday {words} for money.")]
    found = await audit("mine", [(same, {}), (other, {})], grader, against=corpus)
    assert found.ids("contaminated") == [same.id]


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("12", "integer"), ("12.0", "integer"), ("\\frac{1}{3}", "rational"), ("1.25", "decimal"),
        ("\\pi", "expression"), ("(1,2)", "tuple"), ("\\{1,2\\}", "set"), ("no idea at all", "text"),
    ],
)  # fmt: skip
def test_answer_types(reference: str, kind: str) -> None:
    assert answer_type(problem(reference)) == kind
