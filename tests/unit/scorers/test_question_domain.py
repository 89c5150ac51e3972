"""What the wording of a question says about any right answer, and when it is better to say nothing."""

from __future__ import annotations

import pytest

from mathagent.scorers.check_proposals import Domain
from mathagent.scorers.question_domain import question_domain

COUNT = Domain(integer=True, minimum=0)
AMOUNT = Domain(minimum=0)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Tom has 5 apples and eats 2. How many apples are left?", COUNT),
        ("How many positive divisors does 196 have?", COUNT),
        ("What is the smallest positive integer n with 3n > 10?", Domain(integer=True, minimum=1)),
        ("Find the largest integer less than 3.5.", Domain(integer=True)),
        ("Find the number of ways to seat 5 people.", Domain(integer=True, minimum=0)),
        ("A die is thrown. What is the probability of a six?", Domain(minimum=0, maximum=1)),
        ("She drives 60 km/h for 90 km. How many hours does it take?", AMOUNT),
        ("How many eggs does he eat on average?", AMOUNT),
        ("The wheel runs 50 m. How many revolutions does it make?", AMOUNT),
        ("How many gigabytes are left?", AMOUNT),
        ("A tart of which 0.25 is left. How many tarts are left?", AMOUNT),
        ("Each costs $2.50. How many pens does she get for $10?", COUNT),
        ("Each rope is 2.5 m long. How many ropes make 10 m?", AMOUNT),
    ],
)
def test_said(text: str, domain: Domain) -> None:
    assert question_domain(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What is 6*7?",
        "Find x if 2x = 3.",
        "What is the remainder when x^3 is divided by x - 1?",
        "How many apples he has is not known. What does one cost?",
        "Express in percent: what is the probability of a six?",
        "What is the probability of rain on both days? Give your answer as a percent.",
        "It rains with 40% on each day. What is the probability of rain on both?",
        "Wie viele Äpfel hat er?",
    ],
)
def test_nothing_said(text: str) -> None:
    assert question_domain(text) is None
