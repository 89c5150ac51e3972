"""Answers as Python, and the line of a program that another answer can take over."""

from __future__ import annotations

import pytest

from mathagent.scorers.binding import bind, bound_source, chosen, distant, perturbed, rebound
from mathagent.scorers.expressions import Unreadable
from mathagent.types import Problem

PLAIN = Problem(text="?")


@pytest.mark.parametrize(
    ("answer", "source"),
    [
        ("18", "18"),
        ("-3", "-3"),
        ("1,234,567", "1234567"),
        ("1/2", "sympy.Rational(1, 2)"),
        ("0.5", "sympy.Rational(1, 2)"),
        ("$5.50", "sympy.Rational(11, 2)"),
        ("5 cm", "5"),
        ("12 apples", "12"),
        ("x = 5", "5"),
        ("y = 2x + 1", "2 * x + 1"),
        ("6\\pi", "6 * sympy.pi"),
        ("1, 2", "(1, 2)"),
        ("(3, \\frac{1}{2})", "(3, sympy.Rational(1, 2))"),
        ("\\{1, 2\\}", "(1, 2)"),
        ("x = 5, y = 3", "(5, 3)"),
    ],
)
def test_answers_as_python(answer: str, source: str) -> None:
    assert bind(PLAIN, answer).source == source


@pytest.mark.parametrize("answer", ["(1, 2]", "25%", "Tuesday", "3:30 pm", "", "\\text{even}", "x > 3"])
def test_what_is_no_value_is_said_to_be_none(answer: str) -> None:
    with pytest.raises(Unreadable):
        bind(PLAIN, answer)


def test_unit_and_rounding() -> None:
    assert bind(PLAIN, "5 cm^2").unit == "cm^2"
    assert bind(PLAIN, "0.5").half == ""
    assert bind(PLAIN, "3.333").half == "sympy.Rational(1, 2000)"
    assert bind(Problem(text="Round to the nearest tenth."), "0.5").half == "sympy.Rational(1, 20)"


def test_a_label_stands_for_what_its_choice_says() -> None:
    problem = Problem(text="?", choices=("3", "4"))
    assert chosen(problem, "B") == "4"
    assert bind(problem, "(b)").source == "4"
    assert chosen(problem, "7") == "7"
    with pytest.raises(Unreadable, match="several choices"):
        bind(problem, "A, B")
    assert chosen(PLAIN, "B") == "B"


@pytest.mark.parametrize(
    ("program", "source"),
    [
        ("answer = 5\nanswer + 1", "5"),
        ("import sympy\n\nx = 2\nanswer = sympy.Rational(1,\n    2)\nanswer", "sympy.Rational(1, 2)"),
        ("def f():\n    answer = 3\n    return answer\nf()", None),
        ("answer += 1", None),
        ("this is no python", None),
        ("\ud800 = 1", None),
    ],
)
def test_the_bound_answer_of_a_program(program: str, source: str | None) -> None:
    assert bound_source(program) == source


def test_another_answer_takes_over() -> None:
    program = "import sympy\r\ntext = 'a\\x0cb\u2028c'\nanswer = (\n  5)\nanswer + 1"
    assert rebound(program, "7") == "import sympy\ntext = 'a\\x0cb\u2028c'\nanswer = 7\nanswer + 1\n"
    with pytest.raises(ValueError, match="binds no answer"):
        rebound("1 + 1", "7")


@pytest.mark.parametrize(
    "source", ["0", "1", "-1", "18", "sympy.Rational(1, 2)", "2 * x + 1", "(1, 2)", "'5 cm'", "sympy.pi", "(4,)"]
)
def test_perturbed_answers_are_several_and_others(source: str) -> None:
    others = perturbed(source)
    assert len(set(others)) >= 3
    assert source not in others
    for other in (*others, *distant(source)):
        compile(other, "", "eval")
