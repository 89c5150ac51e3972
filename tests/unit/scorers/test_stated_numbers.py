"""Numbers that a text states, in digits and in words."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mathagent.scorers.stated_numbers import stated_numbers, worded_numbers


def test_numbers_that_a_text_states() -> None:
    assert {str(one) for one in stated_numbers("1,200 pens at $2.50, 3/4 of 5% in 2024.")} == {
        *("1200", "5/2", "3", "4", "5", "2024"),
    }


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Thirty-five boxes, seventy pens", {"30", "5", "35", "70"}),
        ("Eighty one", {"80", "1", "81"}),
        ("a fifth of them", {"5", "1/5"}),
        ("two thirds", {"2", "3", "1/3"}),
        ("Half a dozen, thrice", {"1/2", "2", "12", "3"}),
        ("often, someone weighed the heights", set()),
    ],
)
def test_numbers_in_words(text: str, numbers: set[str]) -> None:
    assert worded_numbers(text) == {Fraction(one) for one in numbers}
