"""Choices that stand in a question's text, or unsplit in one string."""

from __future__ import annotations

import pytest

from mathagent.evals.datasets.choices_in_text import split_choices
from mathagent.evals.datasets.gaokao import adapted
from mathagent.evals.datasets.mathqa import with_choices


@pytest.mark.parametrize(
    ("text", "stem", "choices", "letters"),
    [
        ("Which?\nOptions:\n(A) x\n(B) y", "Which?", ("x", "y"), "AB"),
        ("Which is 0: (A) f(-6)=0 (B) f(6)=-6 (C) 1", "Which is 0", ("f(-6)=0", "f(6)=-6", "1"), "ABC"),
        ("If y = x, which holds: (F) a (G) b (H) c (J) d (K) e", "If y = x, which holds", tuple("abcde"), "FGHJK"),
        ("Let P(A) = 1.", "Let P(A) = 1.", (), ""),
        ("No choices here", "No choices here", (), ""),
    ],
)
def test_split_choices(text: str, stem: str, choices: tuple[str, ...], letters: str) -> None:
    assert split_choices(text) == (stem, choices, letters)


def test_letters_from_f_become_those_of_the_places() -> None:
    row = {"question": "Which? (F) a (G) b (H) c (J) d (K) e", "answer": "J"}
    item = adapted(row, 0)
    assert (item["choices"], item["answer"]) == (list("abcde"), "D")
    assert adapted({"question": "Find the region.", "answer": "A"}, 0)["answer"] == "A"


def test_mathqa_splits_at_letters_not_at_commas() -> None:
    row = {"options": "a ) rs . 1 , 250 , b ) 2 , c ) 3 , d ) 4 , e ) none of these", "choices": ["broken"]}
    assert with_choices(row, 0)["choices"] == ["a ) rs . 1 , 250", "b ) 2", "c ) 3", "d ) 4", "e ) none of these"]
    quoted = {"options": "['a ) 2520', 'b ) 2510', 'c ) 2525', 'd ) 2025', 'e ) 2020']"}
    assert with_choices(quoted, 0)["choices"] == ["a ) 2520", "b ) 2510", "c ) 2525", "d ) 2025", "e ) 2020"]
    assert with_choices({"options": "no letters"}, 0) == {"options": "no letters"}
