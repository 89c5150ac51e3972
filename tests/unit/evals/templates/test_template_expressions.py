from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import UsageError
from mathagent.evals.templates.expressions import expression
from mathagent.evals.templates.numbers import Word
from mathagent.evals.templates.wording import article, clock, count, money, ordinal, plural, spoken, words


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 2*3", 7),
        ("7 / 2", Fraction(7, 2)),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("100 * (1 - 30/100) * 1.1", 77),
        ("-7 // 2", -4),
        ("7 % 3 == 1 and not 5 < 4", True),
        ("2**10", 1024),
        ("1 < 2 <= 2", True),
        ("is_int(6/4)", False),
        ("divides(12, 4)", True),
        ("gcd(12, 18) + lcm(4, 6)", 18),
        ("comb(5, 2)*factorial(3) + perm(4, 2)", 72),
        ("Fraction(3, 6)", Fraction(1, 2)),
        ("round(5/2)", 2),
        ("[1, 2, 3][1:]", [2, 3]),
        ("5 in range(2, 9, 3)", True),
        ("np.arange(0.25, 1, 0.25)", [Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)]),
        ("'a' if 1 > 2 else 'b'", "b"),
        ("isqrt(50) + digit_sum(345)", 19),
        ("numbers_within(4, 6)", [4, 5, 6]),
    ],
)
def test_values_are_exact(source: str, value: object) -> None:
    assert expression(source).value({}) == value


def test_words_stand_for_numbers() -> None:
    scope = {"half": Word("half", Fraction(1, 2))}
    assert expression("10 * half").value(scope) == 5
    assert expression("half[1] == 0.5").value(scope) is True
    assert expression("half").value(scope).text == "half"


@pytest.mark.parametrize(
    "source",
    [
        "__import__('os').system('true')",
        "().__class__",
        "(lambda: 1)()",
        "[x for x in range(3)]",
        "open('x')",
        "f'{1}'",
        "a := 1",
        "eval('1')",
        "max(*[1, 2])",
        "round(1.5, ndigits=0)",
        "1 +",
        "b'x'",
    ],
)
def test_whatever_is_not_listed_is_refused(source: str) -> None:
    with pytest.raises(UsageError):
        expression(source)


@pytest.mark.parametrize("source", ["2**1000", "range(10**9)", "factorial(5000)", "[1]*10**9", "'a'*3", "1 + 'a'"])
def test_what_would_cost_too_much_or_means_nothing_is_refused(source: str) -> None:
    with pytest.raises(UsageError):
        expression(source).value({})


def test_division_by_zero_is_told_apart() -> None:
    with pytest.raises(ZeroDivisionError):
        expression("1/(2 - 2)").value({})


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 50))
def test_agrees_with_exact_arithmetic(a: int, b: int, c: int) -> None:
    found = expression("(a + b)/c - a*b % c + (a - b)//c").value({"a": a, "b": b, "c": c})
    assert found == Fraction(a + b, c) - a * b % c + (a - b) // c


@pytest.mark.parametrize(
    ("noun", "many"),
    [
        ("apple", "apples"), ("box", "boxes"), ("berry", "berries"), ("day", "days"), ("woman", "women"),
        ("loaf of bread", "loaves of bread"), ("jar of honey", "jars of honey"),
        ("sheep", "sheep"), ("potato", "potatoes"),
        ("photo", "photos"), ("child", "children"), ("red marble", "red marbles"), ("letter tile", "letter tiles"),
    ],
)  # fmt: skip
def test_plural(noun: str, many: str) -> None:
    assert plural(noun) == many
    assert count(1, noun) == f"1 {noun}"
    assert count(1200, noun) == f"1,200 {many}"


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("oven", "an oven"), ("used bicycle", "a used bicycle"), ("hour", "an hour"), ("umbrella", "an umbrella"),
        ("European town", "a European town"), (8, "an 8"), (11, "an 11"), (18, "an 18"), (80, "an 80"), (110, "a 110"),
        (1, "a 1"), (12, "a 12"), (811, "an 811"), (118, "a 118"),
    ],
)  # fmt: skip
def test_article(what: str | int, shown: str) -> None:
    assert article(what) == shown


def test_other_words() -> None:
    assert [words(number) for number in (0, 13, 21, 40, 105)] == [
        "zero", "thirteen", "twenty-one", "forty", "one hundred and five",
    ]  # fmt: skip
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip
    assert [money(3), money(Fraction(7, 2)), money(12345), money(Fraction(5, 4), "€")] == [
        "$3", "$3.50", "$12,345", "€1.25",
    ]  # fmt: skip
    assert [clock(0), clock(60 * 12 + 5), clock(60 * 25)] == ["12:00 a.m.", "12:05 p.m.", "1:00 a.m."]
    assert spoken(Fraction(3, 2), after="costs $") == "1.50"
    assert [spoken(Fraction(3, 2)), spoken(Fraction(1, 3)), spoken(Fraction(-1, 20))] == ["1.5", "1/3", "-0.05"]
    with pytest.raises(ValueError, match="cents"):
        money(Fraction(1, 3))
