"""How answers are stated for the tasks of lm-evaluation-harness."""

from __future__ import annotations

import pytest

from mathagent.errors import UsageError
from mathagent.interop.answer_formats import cut_at, statement


@pytest.mark.parametrize(
    ("form", "context", "text"),
    [
        ("auto", "Q: 1+1?\nA: 1+1 is 2.\n#### 2\n\nQ: 6*7?", "#### 42"),
        (
            "auto",
            "Problem: 1+1\nSolution: … Final Answer: The final answer is $2$. I hope it is correct.",
            "$42$. I hope",
        ),
        ("auto", "Q: 1+1? A: The answer is 2.\nQ: 6*7?", "The answer is 42."),
        ("auto", r"Put your answer in \boxed{}. What is 6*7?", r"$\boxed{42}$"),
        ("auto", "What is 6*7?", "The answer is 42."),
        ("boxed", "#### 2", r"$\boxed{42}$"),
        ("plain", "", "42"),
        ("It is {answer}!", "", "It is 42!"),
    ],
)
def test_statement(form: str, context: str, text: str) -> None:
    assert text in statement("42", form, context)


def test_no_answer_is_nothing() -> None:
    assert statement(None, "auto", "") == ""


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(UsageError, match="answer=bogus: give auto, minerva, hashes"):
        statement("42", "bogus", "")


def test_an_answer_with_braces_stays_as_it_is() -> None:
    assert statement(r"\frac{1}{2}", "boxed", "") == r"$\boxed{\frac{1}{2}}$"


@pytest.mark.parametrize(
    ("text", "stops", "cut"),
    [("a\nQ: b", ["Q:", "</s>"], "a\n"), ("ab", [], "ab"), ("ab", [""], "ab"), ("xyx", ["y", "x"], "")],
)
def test_cut_at(text: str, stops: list[str], cut: str) -> None:
    assert cut_at(text, stops) == cut
