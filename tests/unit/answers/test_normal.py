"""Normal forms and exact values."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.answers.normal import exact_value, normalize


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("58,500", "58500"),
        (r"11,\! 111,\! 111,\! 100", "11111111100"),
        (r"8{,}880", "8880"),
        (r"\$32,\!348", "32348"),
        ("$1,234.", "1234"),
        ("$5$", "5"),
        ("3.50.", "3.5"),
        ("025", "25"),
        ("27.0", "27"),
        ("-0", "0"),
        (".5", "0.5"),
        ("１２３", "123"),
        ("४२", "42"),
        ("−7", "-7"),
        ("3½", "7/2"),
        (r"1\frac{4}{5}", "9/5"),
        (r"137 \frac{1}{2}", "275/2"),
        (r"\frac34", "3/4"),
        (r"\dfrac 34", "3/4"),
        (r"\frac{270}7\text{ degrees}", "270/7"),
        (r"75^\circ", "75"),
        ("0.30000000000000004", "0.3"),
        ("2.9999999999999996", "3"),
        ("3244047.0999999996", "3244047.1"),
        ("1.5e3", "1500"),
        (r"1.5 \times 10^3", "1500"),
        ("50 percent", "50%"),
        (r"75\%", "75%"),
        ("five", "5"),
        (r"15\mbox{ cm}^2", "15 cm^2"),
        ("20 $cm^{2}$", "20 cm^2"),
        ("12 miles per hour", "12 mph"),
        ("9 (apples)", "9"),
        ("4 bottle caps", "4"),
        ("11个", "11"),
        (r"9\text{ a.m.}", "9 am"),
        (r"\text{(B)}", "B"),
        (r"\text{Evelyn}", "Evelyn"),
        (r"7, -2, \text{ and } -5", "7, -2, -5"),
        (r"-12 \text{ or } -30", "-12, -30"),
        ("100, 200", "100, 200"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})"),
        ("sqrt(2)/2", r"\sqrt{2}/2"),
        (r"11 \sqrt5 + 11", r"11\sqrt{5}+11"),
        ("2n", "2n"),
        (r"\boxed{7}", "7"),
        ("", ""),
        ("$", ""),
    ],
)
def test_normal_form(text: str, normal: str) -> None:
    assert normalize(text) == normal
    assert normalize(normal) == normal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", Fraction(12)),
        ("-1./3", Fraction(-1, 3)),
        ("0.25", Fraction(1, 4)),
        (r"\frac{-3}{4}", Fraction(-3, 4)),
        (r"-\frac12", Fraction(-1, 2)),
        ("1 4/5", Fraction(9, 5)),
        (r"-1\frac12", Fraction(-3, 2)),
        ("50%", Fraction(1, 2)),
        ("12.5%", Fraction(1, 8)),
        ("1.5e3", Fraction(1500)),
        (r"7.02 \times 10^{5}", Fraction(702000)),
        (r"10^{-2}", Fraction(1, 100)),
        ("1/2^99", Fraction(1, 2**99)),
        (r"\frac{1}{2^{99}}", Fraction(1, 2**99)),
        (r"\frac{2^3+1}{3\cdot 3}", Fraction(1)),
        (r"0.\overline{3}", Fraction(1, 3)),
        (r"0.1\overline{6}", Fraction(1, 6)),
        ("(1+2)*8", Fraction(24)),
        ("5!/2", Fraction(60)),
        ("2-3-4", Fraction(-5)),
        ("-2^2", Fraction(-4)),
    ],
)
def test_exact_value(text: str, value: Fraction) -> None:
    assert exact_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1/0",
        "05/01/2021",
        "1.2.3",
        "2^x",
        r"\sqrt{4}",
        "2^{1/2}",
        "1..2",
        "(1",
        "0^0",
        "12 cm",
        "abc",
        "1,2",
    ],
)
def test_not_a_rational(text: str) -> None:
    assert exact_value(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "5^(5^(5^(5^5)))",
        "9^{9^{9^9}}",
        "2^{99999999}",
        "1e999999999",
        "100000000!",
        "((" * 400 + "1",
        "-" * 1500 + "1",
        "9" * 100_000,
        "{" * 1900,
        r"\frac" * 300,
        "2^" * 600 + "2",
    ],
)
def test_monsters_are_refused_at_once(text: str) -> None:
    started = time.perf_counter()
    exact_value(text)
    normalize(text)
    assert time.perf_counter() - started < 5


def test_overlong_texts_keep_their_whole_identity() -> None:
    assert normalize("9" * 5000 + "1") != normalize("9" * 5000 + "2")


@settings(deadline=None)
@given(st.integers(-(10**30), 10**30))
def test_integers_survive_every_spelling(number: int) -> None:
    for text in (str(number), f"{number:,}", f"${number}$", f"{number}.0", f"{number:,}".replace(",", r",\!")):
        assert normalize(text) == str(number)
        assert exact_value(normalize(text)) == number


@settings(deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_fractions_survive_every_spelling(above: int, below: int) -> None:
    value = Fraction(above, below)
    for text in (f"{above}/{below}", f"\\frac{{{above}}}{{{below}}}", f"$\\dfrac{{{above}}}{{{below}}}$"):
        assert exact_value(normalize(text)) == value


@settings(deadline=None)
@given(st.decimals(-(10**6), 10**6, places=4))
def test_decimals_keep_their_value(number: object) -> None:
    assert exact_value(normalize(str(number))) == Fraction(str(number))


_PIECES = [
    r"\frac",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "1",
    "12",
    ",",
    r"\{",
    r"\}",
    "$",
    r"\$",
    "x",
    "^",
    "_",
    "+",
    "-",
]
_PIECES += [
    r"\sqrt",
    r"\pi",
    r"\text{",
    " cm",
    " apples",
    " and ",
    r"\cup",
    r"\pm",
    "=",
    "<",
    "%",
    ".",
    r"\\",
    "½",
    "²",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=14).map("".join))
def test_normal_form_is_idempotent_on_any_text(text: str) -> None:
    normal = normalize(text)
    assert normalize(normal) == normal
