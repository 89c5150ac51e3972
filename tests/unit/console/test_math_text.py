import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.console.math_text import LONGEST, readable, readable_math


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\frac{1}{2}", "1/2"),
        (r"\frac12", "1/2"),
        (r"\dfrac{a+b}{2c}", "(a+b)/2c"),
        (r"\frac{\frac{1}{2}}{3}", "(1/2)/3"),
        (r"\sqrt{2}", "√2"),
        (r"\sqrt[3]{x+1}", "³√(x+1)"),
        (r"x^{2} + y^10", "x² + y¹⁰"),
        (r"e^{x y}", "eˣʸ"),
        (r"a_{n+1}", "aₙ₊₁"),
        (r"\left( 0, \infty \right]", "( 0, ∞ ]"),
        (r"2\pi r \cdot \alpha \le 7", "2π r · α ≤ 7"),
        (r"\text{the }\boxed{42}", "the 42"),
        (r"90^\circ", "90°"),
        (r"x \in \mathbb{R}", "x ∈ ℝ"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "(1 2; 3 4)"),
        (r"\sin x", "sin x"),
        (r"50\%", "50%"),
        ("{3, 4", "{3, 4"),
        ("\\", "\\"),
        ("18", "18"),
    ],
)
def test_formulas(latex: str, expected: str) -> None:
    assert readable_math(latex) == expected


@pytest.mark.parametrize(
    ("prose", "expected"),
    [
        (r"so $x_1 = \frac{1}{2}$ and \(y^2\)", "so x₁ = 1/2 and y²"),
        (r"$$\sum_{i=1}^{n} i$$", "∑ᵢ₌₁ⁿ i"),
        ("she pays $5 and $6, or $5-$3", "she pays $5 and $6, or $5-$3"),
        ("call my_name with 2^3", "call my_name with 2^3"),
        (r"the answer is \boxed{18}.", "the answer is 18."),
        (r"in C:\temp\new", r"in C:\temp\new"),
    ],
)
def test_prose_changes_only_where_it_is_mathematics(prose: str, expected: str) -> None:
    assert readable(prose) == expected


@given(st.text(alphabet="\\{}[]$^_ab1&() \n", max_size=80))
def test_anything_is_read_without_an_error(text: str) -> None:
    readable(text)
    readable_math(text)


@pytest.mark.parametrize("piece", ["{", r"\frac", r"\sqrt", "^", r"\[", r"\text{", "$", r"\begin{matrix}"])
def test_deep_nesting_neither_recurses_too_far_nor_takes_long(piece: str) -> None:
    text = piece * (LONGEST // len(piece))
    readable(text)
    readable_math(text)


def test_a_text_beyond_the_limit_stays_as_written() -> None:
    text = r"\pi" * LONGEST
    assert readable(text) == text
    assert readable_math(text) == text


@given(st.text(alphabet="abc 0123456789+-.,", max_size=60))
def test_text_without_latex_is_unchanged(text: str) -> None:
    assert readable(text) == text


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\binom{n}{k}", "(n choose k)"),
        (r"\vec{v} + \overline{AB}", "v\u20d7 + A\u0305B\u0305"),
        (r"\lim_{x \to 0} x", "lim_(x→0) x"),
        (r"\begin{cases} 1 & x>0 \\ 0 & x\le 0\end{cases}", "{  1   x>0 ;  0   x≤ 0"),
        (r"\begin{aligned} a &= b \end{aligned}", "a = b"),
        (r"\left[\begin{array}{cc}1&2\\3&4\end{array}\right]", "[1 2; 3 4]"),
        (r"\left. x \right|_0", "x |₀"),
        (r"x \not= y \not\in A", "x ≠ y ∉ A"),
        (r"\lVert v \rVert \leqslant \varnothing", "‖ v ‖ ≤ ∅"),
        (r"\textcolor{red}{x}\phantom{y}", "x"),
        (r"\underset{n}{\max} \stackrel{!}{=} 1", "max = 1"),
        (r"A^T x_{ij}", "Aᵀ xᵢⱼ"),
        (r"E = mc^2 \tag{1}", "E = mc²   (1)"),
        (r"\xrightarrow{f}", "→(f)"),
        (r"\binom", "binom"),
        (r"\not", "¬"),
        (r"\begin{array}", ""),
    ],
)
def test_more_of_latex(latex: str, expected: str) -> None:
    assert readable_math(latex) == expected


def test_unknown_commands_in_prose_may_be_paths() -> None:
    assert readable(r"C:\bar\not\vec x") == r"C:\bar\not\vec x"
