"""Grades: right, wrong and undecided, for every form in which data sets write their references."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from mathagent.answers.compare import AnswerComparer
from mathagent.answers.equality import compare
from mathagent.errors import UsageError, WorkerError
from mathagent.evals.grader import Grader
from mathagent.types import Problem

AQUA = ("A)125", "B)150", "C)225", "D)250", "E)None of these")
MATHQA = ("a ) 1 : 1", "b ) 1 : 87", "c ) 1 : 6", "d ) 3 : 2", "e ) 1 : 2")
NUMBERS = ("26", "29", "41")


async def in_process(function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
    a, b, lenient = args
    return [*compare(str(a), str(b), bool(lenient))]


async def broken(function: str, *args: JsonValue, timeout_s: float = 5.0) -> JsonValue:
    raise WorkerError("ran past 5 s", timed_out=True)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("4.0", "4"),
        ("$4", "4"),
        ("4 dollars", "4"),
        ("70000", "70,000"),
        ("70,000", "She sold it.\n#### 70,000"),
        ("25", "025"),
        ("27", "27.0"),
        ("183931.47", "183931.4666666667"),
        ("9", "9 (apples)"),
        ("9 oranges", "9 (apples)"),
        ("3, 5", "3 (ft); 5 (ft)"),
        ("6 km/h and 4 km/h", "6 (km/hour); 4 (km/hour)"),
        ("50", "50%"),
        ("0.5", "50%"),
        (r"\frac12", "0.5"),
        ("5", r"x=5"),
        ("52", "52_8"),
        (r"\dfrac{1}{2}(x-1)", r"\frac{x}{2}-\frac{1}{2}"),
        ("yes", "true"),
        ("True", "true"),
        ("no", "false"),
        ("[1, 2]", "[1, 2]"),
        ("1, 2", "[1, 2]"),
        ("2, 1", "[1, 2]"),
        ("(1, 2)", "[1, 2]"),
        ("4", '["4", "four"]'),
        ("four", '["4", "four"]'),
        ("[0,2)", "[0,2)"),
        ("B", r"\text{(B)}"),
        ("(B)", "(B)"),
        ("Evelyn", r"\text{Evelyn}"),
        ("None", "None"),
        ("unanswerable", "Unanswerable"),
    ],
)
async def test_correct(answer: str, reference: str) -> None:
    grade = await Grader(AnswerComparer(in_process)).grade(answer, Problem(text="?", reference=reference))
    assert grade.outcome == "correct", grade.reason
    assert grade.seconds >= 0


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("5", "4"),
        ("4.01", "4"),
        ("40", "4"),
        ("2, 1", "[1, 3]"),
        ("[2, 1]", "[1, 2]"),
        ("3", '["4", "four"]'),
        ("3, 4", "3 (ft); 5 (ft)"),
        ("3", "3 (ft); 5 (ft)"),
        ("false", "true"),
        ("C", "(B)"),
        (r"\frac{x}{2}", r"\frac{x}{2}-\frac{1}{2}"),
        ("I do not know", "4"),
    ],
)
async def test_incorrect(answer: str, reference: str) -> None:
    grade = await Grader(AnswerComparer(in_process)).grade(answer, Problem(text="?", reference=reference))
    assert grade.outcome == "incorrect", grade.reason


@pytest.mark.parametrize(
    ("answer", "reference", "choices", "outcome"),
    [
        ("B", "B", AQUA, "correct"),
        ("(b)", "B", AQUA, "correct"),
        ("150", "B", AQUA, "correct"),
        (r"\frac{300}{2}", "B", AQUA, "correct"),
        ("None of these", "E", AQUA, "correct"),
        ("C", "B", AQUA, "incorrect"),
        ("125", "B", AQUA, "incorrect"),
        ("151", "B", AQUA, "incorrect"),
        ("D", "d", MATHQA, "correct"),
        ("3:2", "d", MATHQA, "correct"),
        ("A", "26", NUMBERS, "correct"),
        ("26", "26", NUMBERS, "correct"),
        ("29", "26", NUMBERS, "incorrect"),
        ("C", "blue", ("red", "orange", "blue"), "correct"),
        ("blue", "blue", ("red", "orange", "blue"), "correct"),
        ("red", "blue", ("red", "orange", "blue"), "incorrect"),
        ("zero", '["0", "zero"]', ("zero", "one"), "correct"),
        ("B", '["0", "zero"]', ("0", "zero", "1", "one"), "correct"),
        ("0", '["0", "zero"]', ("0", "zero", "1", "one"), "correct"),
        ("1", '["0", "zero"]', ("0", "zero", "1", "one"), "incorrect"),
        ("A B D", "A B D", AQUA, "correct"),
        (r"\text{ABD}", "A B D", AQUA, "correct"),
        ("A", "A B D", AQUA, "incorrect"),
        ("A, B, C", "A B D", AQUA, "incorrect"),
        ("$(a+2 b)^{2}$", "B", ("(A)$(a+2 b)^{2}$", "(B)$(2 a+2 b)^{2}$"), "incorrect"),
        ("6 kmph", "C", ("A)15 kmph", "B)6 kmph", "C)6 kmph"), "correct"),
    ],
)
async def test_choices(answer: str, reference: str, choices: tuple[str, ...], outcome: str) -> None:
    problem = Problem(text="?", reference=reference, choices=choices)
    grade = await Grader(AnswerComparer(in_process)).grade(answer, problem)
    assert grade.outcome == outcome, grade.reason


@pytest.mark.parametrize("answer", [None, "", "  "])
async def test_no_answer_is_incorrect(answer: str | None) -> None:
    grade = await Grader(AnswerComparer(in_process)).grade(answer, Problem(text="?", reference="4"))
    assert (grade.outcome, grade.reason) == ("incorrect", "no answer")


@pytest.mark.parametrize("reference", [None, "", " "])
async def test_no_reference_is_wrong_use(reference: str | None) -> None:
    with pytest.raises(UsageError, match="no reference"):
        await Grader(AnswerComparer(in_process)).grade("4", Problem(text="?", id="gsm8k/7", reference=reference))


async def test_a_failed_comparison_is_undecided_never_wrong() -> None:
    grader = Grader(AnswerComparer(broken))
    grade = await grader.grade("(x+1)^2", Problem(text="?", reference="x^2+2x+1"))
    assert grade.outcome == "undecided"
    assert "5 s" in grade.reason
    grade = await grader.grade(r"\sqrt{2}\cdot 106", Problem(text="?", reference="B", choices=(r"A)\pi", "B)150")))
    assert grade.outcome == "undecided"
