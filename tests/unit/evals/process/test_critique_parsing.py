"""Critiques in free text: what the published scripts misread is read right."""

from __future__ import annotations

import pytest

from mathagent.evals.process.critique import Critique
from mathagent.evals.process.parsing import (
    answerable_critique,
    answerable_in,
    boxed_critique,
    boxed_index,
    judged_critique,
    step_critique,
    step_in,
    teacher_critique,
    verdict_in,
)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (r"So the first error is in \boxed{3}.", 3),
        (r"\boxed{-1}", -1),
        (r"\boxed{−1}", -1),
        (r"\boxed{ 02 }", 2),
        (r"\boxed{\text{-1}}", -1),  # a pattern that stops at the first brace reads "\text{-1"
        (r"\boxed{$-1$}", -1),
        (r"\boxed{paragraph_3}", 3),
        (r"\boxed{{2}}", 2),
        (r"\boxed{\textbf{Paragraph 2}}", 2),
        (r"\boxed{\text{Paragraph } 4}", 4),
        (r"First I thought \boxed{1}, but it is fine. The first error is \boxed{2}", 2),
        (r"\boxed{0} The rest follows from it.", 0),
        (r"\boxed{0, 2}", None),
        (r"\boxed{0} and \boxed{2}", None),
        (r"\boxed{-2}", None),
        (r"\boxed{none}", None),
        (r"\boxed{2.5}", None),
        ("paragraph 3 is wrong", None),
        (r"cut before the end: \boxed{", None),
        ("", None),
    ],
)
def test_boxed_index(text: str, index: int | None) -> None:
    assert boxed_index(text) == index


def test_a_paragraph_that_is_not_there_keeps_the_verdict_alone() -> None:
    assert boxed_critique(r"\boxed{7}", steps=7) == Critique(verdict="incorrect", reason=r"\boxed{7}")
    found = boxed_critique(r"\boxed{6}", steps=7)
    assert found is not None
    assert (found.first_error, found.label) == (6, "step 7")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("correct", "correct"),
        ("Correct.", "correct"),
        ("incorrect", "incorrect"),
        ("incorrect.", "incorrect"),  # holds the letters of "correct": a substring search is fooled
        ("**Incorrect**", "incorrect"),
        ("The solution is wrong!", "incorrect"),
        ("not correct", "incorrect"),
        ("not entirely correct", "incorrect"),
        ("This isn't right", "incorrect"),
        ("it is not wrong", "correct"),
        ("correct/incorrect", None),
        ("correct or incorrect", None),
        ("correctly computed", None),
        ("Incorrect. The correct answer is 18.", "incorrect"),
        ("incorrect, because the right answer is 5", "incorrect"),
        ("Incorrect (the correct answer is 18).", "incorrect"),
        ("correct, nothing is wrong", "correct"),
        ("The solution is not correct: the right sum is 4.", "incorrect"),
        ("The correct answer is 18, so it is incorrect.", None),
        ("I cannot tell", None),
        ("", None),
    ],
)
def test_verdict(text: str, verdict: str | None) -> None:
    assert verdict_in(text) == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Answerable", "answerable"),
        ("Unanswerable.", "unanswerable"),
        ("**unanswerable**", "unanswerable"),
        ("The question is not answerable", "unanswerable"),
        ("It cannot be answered", "unanswerable"),
        ("This can't be answered.", "unanswerable"),
        ("It is not an answerable question", "unanswerable"),
        ("The question isn't answerable", "unanswerable"),
        ("It can be answered", "answerable"),
        ("Answerable or Unanswerable", None),
        ("maybe", None),
    ],
)
def test_answerable(text: str, verdict: str | None) -> None:
    assert answerable_in(text) == verdict


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Step 2", 2),
        ("step 2: 5 * 3 = 16", 2),
        ("2", 2),
        ("**3**", 3),
        ("Step three", 3),
        ("the third step", 3),
        ("the 4th step", 4),
        ("the 2nd", 2),
        ("Step_2", 2),
        ("Line 2", 2),
        ("paragraph 5", 5),
        ("stepwise", None),
        ("Step 3, and so step 5 is wrong, too", 3),
        ("step number 6", 6),
        ("N/A", 0),
        ("n/a.", 0),
        ("None", 0),
        ("no error", 0),
        ("The calculation", None),
        ("2.5", None),
        ("", None),
    ],
)
def test_step(text: str, number: int | None) -> None:
    assert step_in(text) == number


def test_teacher() -> None:
    said = "**Final Judgement:** Incorrect.\nFirst Error Step: Step two\nError Analysis: 2 * 3 is 6,\nnot 5."
    found = teacher_critique(said, steps=4)
    assert found == Critique(verdict="incorrect", first_error=1, reason="2 * 3 is 6,\nnot 5.")
    assert found.label == "step 2"
    right = teacher_critique("Final Judgement: correct\nFirst Error Step: N/A\nError Analysis: N/A", steps=4)
    assert right is not None
    assert right.label == "correct"


def test_teacher_in_parts() -> None:
    unplaced = teacher_critique("Final Judgment: wrong\nFirst Error Step: the sum", steps=4)
    assert unplaced is not None
    assert unplaced.label == "incorrect"  # counted as a wrong step, not left out
    beyond = teacher_critique("Final Judgement: wrong\nFirst Error Step: 9", steps=4)
    assert beyond is not None
    assert beyond.label == "incorrect"
    assert teacher_critique("First Error Step: 2", steps=4) is None
    assert teacher_critique("Final Judgement: correct or incorrect", steps=4) is None
    at_odds = teacher_critique("Final Judgement: correct\nFirst Error Step: 2", steps=4)
    assert at_odds is not None
    assert at_odds.label == "correct"


def test_the_last_statement_counts() -> None:
    thought = "Judgement: Incorrect\nWait, 6 + 6 is 12 after all.\n\nJudgement: Correct"
    found = judged_critique(thought, steps=2)
    assert found is not None
    assert found.label == "correct"
    boxed = judged_critique(r"The incorrect reading is avoided. So \boxed{\text{Correct}}", steps=2)
    assert boxed is not None
    assert boxed.label == "correct"
    last = judged_critique("Some steps look wrong, but are not.\nThe final answer is correct.", steps=2)
    assert last is not None
    assert last.label == "correct"
    assert judged_critique("Judgement: hard to say\nThe answer is correct.", steps=2) is None


def test_answerable_and_step_replies() -> None:
    found = answerable_critique(
        "It is answerable once x is known, but x is not.\nJudgement: Unanswerable", steps=0
    )
    assert found is not None
    assert found.label == "unanswerable"
    located = step_critique("Step 1 is right.\nFirst wrong step: Step 3", steps=5)
    assert located is not None
    assert located.label == "step 3"
    assert step_critique("First wrong step: somewhere", steps=5) is None
    boxed = step_critique(r"First wrong step: $\boxed{\text{Step } 2}$", steps=5)
    assert boxed is not None
    assert boxed.label == "step 2"


def test_a_critique_agrees_with_itself() -> None:
    for wrong in ({"verdict": "correct"}, {"verdict": "incorrect", "first_error": -1}):
        with pytest.raises(ValueError, match="if and only if"):
            Critique.model_validate(wrong)
    with pytest.raises(ValueError, match="an error was found"):
        Critique(verdict="unsure", first_error=2)
