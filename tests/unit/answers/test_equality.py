"""Equality of answers: conventions, known faults of public graders, and laws."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.answers.equality import compare, compare_fast

EQUAL = [
    # numbers
    ("1/2", "0.5"),
    (r"\frac12", "0.5"),
    ("3.0", "3"),
    ("1,234", "1234"),
    ("50%", "0.5"),
    (r"\text{13}", "13"),
    ("1e-8", r"10^{-8}"),
    ("3 \\cdot 24 = 72", "72"),
    # decimals that are written with enough digits
    ("0.333", "1/3"),
    ("0.666666", "2/3"),
    ("3.142", r"\pi"),
    ("183931.4666666667", "183931.46666666668"),
    # units, money, text
    ("5 cm", "5"),
    ("5 cm", "5 centimeters"),
    (r"5\text{ dollars}", "$5"),
    ("9 apples", "9 oranges"),
    (r"9\text{ a.m.}", "9 AM"),
    ("Evelyn", r"\text{Evelyn}"),
    ("evelyn", "EVELYN"),
    ("(A)", "A"),
    ("True", "yes"),
    # expressions
    ("(x+1)^2", "x^2+2x+1"),
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
    (r"\sqrt{2}+\sqrt{3}-\sqrt{5+2\sqrt{6}}", "0"),
    (r"\sqrt[3]{-8}", "-2"),
    (r"\cos 58^\circ", r"\sin 32^\circ"),
    (r"2 \sin 5x \cos x", r"\sin 6x+\sin 4x"),
    (r"\binom{n}{2}", r"\frac{n(n-1)}{2}"),
    (r"\lfloor\sqrt{n-1}\rfloor", r"\lceil\sqrt{n}\rceil-1"),
    (r"\ln 4", r"2\ln 2"),
    ("0.1x", "x/10"),
    ("6 - 5i", "-5i+6"),
    ("(1+2i)^2", "-3+4i"),
    ("-1 + exp(16)", "e^{16} - 1"),
    ("pi/2", r"\dfrac{\pi}{2}"),
    ("14.0 + -1.0i", "14 - i"),
    (r"\gamma^2-1", r"(\gamma-1)(\gamma+1)"),
    # equations and inequalities
    ("x=5", "5"),
    ("5=x", "5"),
    ("y=2x+1", "2x+1"),
    ("2x+4y-3=0", "y = -1/2*x + 3/4"),
    ("3*x-1*y+13=0", "6x-2y+26=0"),
    ("2x+3y<6", "4x+6y<12"),
    ("6>2x+3y", "4x+6y<12"),
    ("f(2) < f(1) < f(4)", "f(4)>f(1)>f(2)"),
    ("x>5", r"(5,\infty)"),
    (r"-2\le x<1", "[-2,1)"),
    (r"\{x|-2\leq x < 1\}", "[-2,1)"),
    (r"x \in [-2,7]", "[-2,7]"),
    # collections
    (r"\{1,2\}", r"\{2,1\}"),
    ("a, b", "b, a"),
    ("1/2, 3", "3, 0.5"),
    (r"\pm 2", "-2, 2"),
    (r"x=\pm 2", "2,-2"),
    (r"1\pm\sqrt2", r"1-\sqrt{2}, 1+\sqrt{2}"),
    ("n=2,3,4", "2,3,4"),
    ("x=1,y=2", "y=2,x=1"),
    ("[1, 2]", "2, 1"),
    ("(1,2)", "1,2"),
    ("3 and 5 cm", "5 cm, 3 cm"),
    ("(3, \\frac{\\pi}{2})", r"\left( 3, \frac{\pi}{2} \right)"),
    (r"(-\infty,1)\cup(1,\infty)", r"(1,\infty)\cup(-\infty,1)"),
    (r"(-\infty,1]\cup[1,2)", r"(-\infty,2)"),
    (r"\mathbb{R}", r"(-\infty,\infty)"),
    ("x<-1 or x>3", r"(-\infty,-1)\cup(3,\infty)"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}"),
    (r"\begin{pmatrix} 1/2 \\ \sqrt{8} \end{pmatrix}", r"\begin{pmatrix} 0.5 \\ 2\sqrt2 \end{pmatrix}"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "[[1, 2], [3, 4]]"),
    # ratios and numerals
    ("3:2", "6:4"),
    ("52_8", "52_{8}"),
]

DIFFERENT = [
    # Math-Verify #14, #41, #60
    ("1/2^99", "1/2^98"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    ("3x-y+13=0", "3x+4y+14=0"),
    ("3*x-1*y+13=0", "3x + 4y + 14=0"),
    ("n=2, 3, 4", "n=1, 2, 3"),
    ("D = (0, 1)", "D = (0, 1.5)"),
    (r"19, 46, \text{ and } 82", "21, 36, and 82"),
    (r"\frac{2^{2005}+1}{3 \cdot 2^{2006}}", r"\frac{1}{3 \cdot 2^{2006}}"),
    (r"1 - \frac{1}{\mathrm{e}}", r"1 + \frac{1}{\mathrm{e}}"),
    (r"\pm 2021", "2021"),
    ("12:00", "1:00"),
    (r"1, 2, \ldots, n", r"1, 3, 5, \ldots, 2n-1"),
    ("$4$", r"$4\sqrt(2)$"),
    # Qwen2.5-Math #50
    ("1,-2", "1,-3"),
    # latex2sympy folds the case of letters
    ("R^2-r^2", "0"),
    # numbers are exact; integers are never rounded
    ("3", "2.9996"),
    ("5000", "5000.0001"),
    ("0.33", "1/3"),
    ("3.14", r"\pi"),
    ("50%", "50"),
    ("05/01/2021", "5/2/2021"),
    ("01/02/2020", "02/04/2020"),
    # units
    ("5 cm", "5 m"),
    ("5 dollars", "5 cents"),
    ("9 am", "9 pm"),
    # expressions that agree nearly everywhere, or for one sign
    (r"\sqrt{x^2}", "x"),
    (r"|x+100|-100", r"|x+101|-101"),
    (r"e^{4x}/64 - 1/2 + 4e^{-4x}", r"e^{4x}/64 + 1/2 + 4e^{-4x}"),
    (r"\cos 58^\circ", r"\cos 58"),
    ("x^2", "x^3"),
    ("1+2i", "1-2i"),
    ("x", "y"),
    ("b", "2b"),
    ("-2 n-2", "-2 n-3"),
    ("2 e^{2 x}", "2 e^{3 x}"),
    # equations and inequalities
    ("x=5", "y=5"),
    ("2x+3y=6", "6"),
    ("16 x^{2}-3=0", "16 x^{2}-3=1"),
    (r"(y-1)^{2}=10\left(x-\frac{15}{2}\right)", r"(y-1)^{2}=10\left(x-\frac{15}{3}\right)"),
    ("x-4", "x-4=0"),
    ("2x+3y<6", "-4x-6y<-12"),
    ("f(2) < f(1) < f(4)", "f(1)<f(2)<f(4)"),
    (r"x\ge5", r"(5,\infty)"),
    # collections
    ("(1,2)", "[1,2]"),
    ("(1,2]", "(1,2)"),
    ("(1,2)", "(2,1)"),
    ("1,2", "1,2,2"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
    # ratios and numerals
    ("3:2", "2:3"),
    ("3:02", "6:04"),
    ("52_8", "52_9"),
    ("52_8", "52"),
    # words
    (r"\text{even}", "odd"),
    ("A", "B"),
    ("Evelyn", "5"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a: str, b: str) -> None:
    assert compare(a, b)[0] == "equal"
    assert compare(b, a) == compare(a, b)


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    assert compare(a, b)[0] == "different"
    assert compare(b, a) == compare(a, b)


@pytest.mark.parametrize(("a", "b"), [*EQUAL, *DIFFERENT])
def test_the_fast_half_never_contradicts_the_full_one(a: str, b: str) -> None:
    fast = compare_fast(a, b)
    assert fast is None or fast.verdict == compare(a, b)[0]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("50%", "50"),
        ("52_8", "52"),
        ("3:2", "3/2"),
        ("33.33", r"\frac{100}{3}"),
        ("17.32", r"10\sqrt3"),
        ("183931.47", "183931.4666666667"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)"),
        (r"\log(\frac{2007}{2006})", r"\ln(2007/2006)"),
    ],
)
def test_only_grading_is_lenient(a: str, b: str) -> None:
    assert compare(a, b)[0] == "different"
    assert compare(a, b, True)[0] == "equal"
    assert compare(b, a, True)[0] == "equal"


@pytest.mark.parametrize(
    ("a", "b"), [("3.14", r"\pi"), ("0.67", "2/3"), ("50", "51"), ("1,2", "2,2"), ("3.1", "3.14")]
)
def test_lenient_has_limits(a: str, b: str) -> None:
    assert compare(a, b, True)[0] == "different"


@pytest.mark.parametrize("missing", [None, "", "   ", "$$"])
def test_a_missing_answer_equals_nothing(missing: str | None) -> None:
    for other in (missing, "5", None):
        judgement = compare_fast(missing, other)
        assert judgement is not None
        assert judgement.verdict == "different"


@pytest.mark.parametrize(("a", "b"), [("y''+y=0", "y'+y=0"), (r"1:2:3:\ldots", r"1:4:9:\ldots")])
def test_what_cannot_be_read_is_undecided(a: str, b: str) -> None:
    assert compare(a, b)[0] == "undecided"
    assert compare(a, a)[0] == "equal"


# The kinds of gold answers in MATH, OlympiadBench, Gaokao and Minerva, one or two of each.
GOLD = [
    *(r"\frac{68}{3}\text{ pounds}", r"1\frac{4}{5}", ".35625", "58,500", r"\$15,\!000", "44\\%", "2.88e-19"),
    *(r"\begin{pmatrix} 31 & 50 \\ -18 & -29 \end{pmatrix}", r"\left[ \frac{\pi^2}{8}, \frac{5 \pi^2}{4} \right]"),
    *(r"(-\infty, -2) \cup (0, 1) \cup (2, 4)", r"x \in [-2,7]", r"\text{A,C,F}", r"\text{(B)}", "2516_8", "3:1"),
    *(r"8\!:\!34 \text{ p.m.}", "11x + 6y + 5z + 86 = 0", "f(2) < f(1) < f(4)", r"6 + 8i, 6 + 17i", r"\csc 10"),
    *(
        r"27^\circ, 63^\circ, 99^\circ",
        r"AB=12+12\sqrt{3}",
        r"(-9x^2+x+2)(9x^2+x+2)",
        r"\sqrt[3]{4}",
        r"3 \sqrt{5}",
    ),
    *(
        r"$(45^{\circ}, 60^{\circ}),(135^{\circ}, 60^{\circ})$",
        r"$\{x|x=3k,k\in \mathbb{Z}\}$",
        r"$\binom{2n}{n}$",
    ),
    *(r"$x_{0} \cos (\omega t)+$ $\dot{x}_{0} \sin (\omega t) / \omega$", r"\frac{d x}{d t}=k x-a", r"-3./2"),
    *(
        r"$\textcircled{2}\textcircled{3}$",
        r"$\left(x-\frac{3}{2}\right)^{2}+y^{2}=\frac{25}{4}$",
        "I(0)",
        "1:58 am",
    ),
]


@pytest.mark.parametrize("gold", GOLD)
def test_gold_answers_equal_themselves_and_their_respelling(gold: str) -> None:
    respelled = gold.replace(r"\frac", r"\dfrac").replace(r"\left", "").replace(r"\right", "")
    assert compare(gold, gold)[0] == "equal"
    assert compare(gold, respelled)[0] == "equal"
    assert compare(gold, "7391x+4")[0] != "equal"


_ANSWERS = st.sampled_from([text for pair in (*EQUAL, *DIFFERENT) for text in pair] + GOLD)


@settings(deadline=None)
@given(_ANSWERS, _ANSWERS, st.booleans())
def test_fast_equality_is_symmetric_and_reflexive(a: str, b: str, lenient: bool) -> None:
    assert compare_fast(a, b, lenient=lenient) == compare_fast(b, a, lenient=lenient)
    reflexive = compare_fast(a, a, lenient=lenient)
    assert reflexive is not None
    assert reflexive.verdict == "equal"


@settings(deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.booleans())
def test_any_two_texts_can_be_compared(a: str, b: str, lenient: bool) -> None:
    assert compare_fast(a, b, lenient=lenient) == compare_fast(b, a, lenient=lenient)


@settings(deadline=None)
@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_rationals_are_equal_exactly_when_their_values_are(x: object, y: object) -> None:
    judgement = compare_fast(str(x), f"\\frac{{{y.numerator}}}{{{y.denominator}}}")  # type: ignore[attr-defined]
    assert judgement is not None
    assert judgement.verdict == ("equal" if x == y else "different")


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=6), st.randoms())
def test_order_matters_in_tuples_only(numbers: list[int], random: object) -> None:
    shuffled = list(numbers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    bare, mixed = ", ".join(map(str, numbers)), ", ".join(map(str, shuffled))
    for opening, closing in (("", ""), (r"\{", r"\}")):
        judgement = compare_fast(opening + bare + closing, opening + mixed + closing)
        assert judgement is not None
        assert judgement.verdict == "equal"
    judgement = compare_fast(f"({bare})", f"({mixed})")
    assert judgement is not None
    assert judgement.verdict == ("equal" if numbers == shuffled else "different")


@settings(deadline=None, max_examples=30)
@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9))
def test_products_equal_their_expansion(a: int, b: int, c: int, d: int) -> None:
    product = f"({a}x+({b}))({c}x+({d}))"
    assert compare(product, f"{a * c}x^2+({a * d + b * c})x+({b * d})")[0] == "equal"
    assert compare(product, f"{a * c}x^2+({a * d + b * c})x+({b * d + 1})")[0] == "different"
