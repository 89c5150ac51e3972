"""Big-Math's rules on a table written by hand, with the known false positives of the published ones."""

from __future__ import annotations

import pytest

from mathagent.evals.datasets.signals import SIGNALS, Text

TABLE = [
    # (signal, whether it is meant to be there, what the item says)
    ("hyperlink", True, {"problem": "See \\url{example.org/fig} and find x."}),
    ("hyperlink", True, {"problem": "Find x.", "solution": "As in https://example.org, x = 2."}),
    ("hyperlink", False, {"problem": "The URL of a page has 12 letters. How many are vowels?"}),
    ("hyperlink", False, {"problem": "A http server answers 5 requests. How many in 3 s?"}),
    ("multiple-choice", True, {"problem": "What is 2+3? (A) 4 (B) 5 (C) 6 (D) 7"}),
    ("multiple-choice", True, {"problem": "What is 2+3?\nA. 4\nB. 5\nC. 6\nD. 7"}),
    ("multiple-choice", True, {"problem": "Which is true? (1) 2>3 (2) 3>2 (3) 1>4 (4) 0>1"}),
    ("multiple-choice", True, {"problem": r"$\textbf{(A)}\ 4~\textbf{(B)}\ 5~\textbf{(C)}\ 6~\textbf{(D)}\ 7$"}),
    ("multiple-choice", False, {"problem": "Points A, B, C and D lie on a circle. Find AB."}),
    ("multiple-choice", False, {"problem": "Let ABCD be a square of side 2. Find its area."}),
    ("multiple-choice", False, {"problem": "If P(A) = 0.2, P(B) = 0.3, P(C) = 0.1 and P(D) = 0.4, find P(A or B)."}),
    ("multiple-choice", True, {"problem": "What is 2+3? A. 4 B. 5 C. 6 D. 7"}),
    ("multiple-choice", False, {"problem": "Cards bear the letter A. Some bear B. Or C. Or the letter D. How many?"}),
    ("multi-part", True, {"problem": "(I) Find a. (II) Find b."}),
    ("multi-part", True, {"problem": "A line passes through P. (1) Find its slope. (2) Find its length."}),
    ("multi-part", True, {"problem": "1. Find the mean.\n2. Find the median."}),
    ("multi-part", True, {"problem": "已知函数 f。①求最大值；②求最小值。"}),
    ("multi-part", False, {"problem": "What is the distance between the points (1,2) and (3,4)?"}),
    ("multi-part", False, {"problem": "A pen costs 3.5 dollars and 4.2 euros. What is the rate?"}),
    ("multi-part", False, {"problem": "Let f(1) = 3 and f(2) = 5 for a linear f. Find f(3)."}),
    ("true-false", True, {"problem": "Every prime is odd.", "answer": "False"}),
    ("true-false", True, {"problem": "2 is prime.", "solution": "It has two divisors.\nSo the claim is true."}),
    ("true-false", False, {"problem": "Find x.", "answer": "3", "solution": "x > 2 is true.\nTrue for x = 3."}),
    ("true-false", False, {"problem": "A test has 3 true/false questions. In how many ways …?", "answer": "8"}),
    ("true-false", False, {"problem": "How many of 3 statements hold?", "answer": "2"}),
    ("yes-no", True, {"problem": "There are 9 apples and 10 are needed.", "answer": "No"}),
    ("yes-no", True, {"problem": "She has 9 apples.\nDoes she have enough for 10?"}),
    ("yes-no", True, {"problem": "Is 91 prime?", "solution": "91 = 7 * 13.\nNo."}),
    ("yes-no", False, {"problem": "Find the sum of 1.25 and 3.118.\nDo not round."}),
    ("yes-no", False, {"problem": "Solve x = x + 1.", "answer": "no solution"}),
    ("yes-no", False, {"problem": "How many are there?", "answer": "12"}),
    ("proof", True, {"problem": "Prove that 2 is prime."}),
    ("proof", True, {"problem": "Show n^2 + n is even for all n.", "olympiad": True}),
    ("proof", True, {"problem": "Give a proof of the theorem of Pythagoras."}),
    ("proof", False, {"problem": "Find 12 * 12. Show your work.", "olympiad": True}),
    ("proof", True, {"problem": "Let n be odd. Show that 8 divides n^2 - 1."}),
    ("proof", False, {"problem": "She watched a show that was 30 minutes long, twice. How long was that?"}),
    ("proof", False, {"problem": "The show begins at 5 and takes 2 hours. When does it end?"}),
    ("empty-box", True, {"problem": "Find x.", "solution": "So x is $\\boxed{}$."}),
    ("empty-box", True, {"problem": "Find x.", "solution": "So x is \\boxed{ }"}),
    ("empty-box", False, {"problem": "Find x.", "solution": "So x is $\\boxed{0}$."}),
    ("empty-box", False, {"problem": "How many empty boxes are there?", "solution": "Three, \\boxed{3}."}),
    ("foreign-language", True, {"problem": "小勇拍皮球，第一次拍了七十七下，第二次拍了多少下？"}),
    ("foreign-language", True, {"problem": "Сколько яблок осталось у Маши после обеда?"}),
    ("foreign-language", False, {"problem": "小勇拍皮球，第一次拍了七十七下，第二次拍了多少下？", "language": "zh"}),
    ("foreign-language", False, {"problem": "$\\alpha + \\beta = \\gamma$, 求 x"}),
    ("foreign-language", False, {"problem": "How many apples does Mária have left after lunch?"}),
]  # fmt: skip


def test_the_table_has_two_of_each_kind_for_each_rule() -> None:
    assert len(TABLE) >= 40
    for signal in SIGNALS:
        for wanted in (True, False):
            assert sum(row[0] == signal and row[1] is wanted for row in TABLE) >= 2, (signal, wanted)


@pytest.mark.parametrize(("signal", "wanted", "item"), TABLE, ids=lambda value: str(value)[:60])
def test_rule(signal: str, wanted: bool, item: dict[str, object]) -> None:
    assert SIGNALS[signal](Text.model_validate(item)) is wanted


@pytest.mark.parametrize(
    "item",
    [
        {"problem": "Points A, B, C and D lie on a circle. Find the angle ABC.", "answer": "90"},
        {"problem": "Let ABCD be a square. Find its area.", "answer": "4"},
        {"problem": "Find the distance of the points (1,2) and (3,4).", "answer": "2\\sqrt{2}"},
        {"problem": "It costs 3.5 dollars and 4.2 euros. How many dollars is a euro?", "answer": "5/6"},
        {"problem": "Divide 22 by 7.\nDo not round your answer.", "answer": "22/7"},
        {"problem": "Find 3 + 4. Show your work.", "answer": "7", "olympiad": True},
    ],
)
def test_known_false_positives_of_the_published_rules_have_no_signal(item: dict[str, object]) -> None:
    text = Text.model_validate(item)
    assert [name for name, rule in SIGNALS.items() if rule(text)] == []
