"""The arithmetic scorer: which calculations it finds in words, and that it does them right."""

from __future__ import annotations

import pytest

from mathagent.scorers.arithmetic import MAX_CHARACTERS, arithmetic_score, calculations
from mathagent.types import Step


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("She pays 3 * 4 = 12 dollars.", [True]),
        (r"so $2 \times 3 = 7$", [False]),
        ("<<3*4=12>>12 apples", [True]),
        ("16 - 3 - 4 = 9 eggs, 9*2 = $18 a day", [True, True]),
        ("1,200 + 300 = 1,500", [True]),
        ("10 ÷ 4 = 2.5", [True]),
        ("x = 2 + 3 = 6", [False]),
        ("2^3 = 8 and 2**3 = 9", [True, False]),
        ("(3 + 4) * 2 = 15", [False]),
        ("- 3 + 4 = 7", [True]),
        ("1. 3 + 4 = 7", [True]),
        ("10/3 = 3.33 but 10/3 = 3.34", [True, False]),
        ("2/3 = 66.7%, or 67% = 2/3, and 2/3 = 65%", [True, False]),
        ("17 / 5 = 3", [False]),
        ("3 * 4 = 12, 17 / 5 = 3 remainder 2", [True]),
    ],
)
def test_calculations_are_done_again(text: str, found: list[bool]) -> None:
    assert [one.holds for one in calculations(text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "2x + 3 = 7",
        "half of 10 + 2 = 7",
        "the answer = 12",
        "x = 5",
        "3/4/2024 = 5",
        "1/0 = 3",
        "9^9^9^9 = 3",
        "no numbers at all",
        "=====",
        "17 ÷ 5 = 3 R2",
        "17/5 = 3 with 2 left",
        "",
    ],
)
def test_what_is_no_calculation_is_left_alone(text: str) -> None:
    assert calculations(text) == []


def test_a_hostile_text_ends_soon() -> None:
    assert calculations("1+" * 40_000 + "=" * 1000) == []
    assert len(calculations("1 + 1 = 2; " * MAX_CHARACTERS)) < MAX_CHARACTERS


def test_scores_of_steps_and_of_the_whole() -> None:
    texts = ["Let x be it.", "2 + 2 = 4 and 3 + 3 = 7", "4 * 2 = 8"]
    score = arithmetic_score([Step(kind="thought", text=text) for text in texts])
    assert score.steps == (None, 0.5, 1.0)
    assert score.value == pytest.approx(2 / 3)
    assert score.note == "wrong: 3 + 3 = 7"
    nothing = arithmetic_score([Step(kind="code", text="2 + 2 = 5")])
    assert (nothing.value, nothing.note) == (None, "it states no calculation")
