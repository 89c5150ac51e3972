import pytest

from mathagent.answers.stacked import may_stack, stacked


@pytest.mark.parametrize(
    ("answer", "drawn"),
    [
        (r"\frac{x^2+1}{3}", " 2\nx  + 1\n──────\n  3"),
        (r"\frac{\pi}{4}", "π\n─\n4"),
        ("sqrt(2)/2", "√2\n──\n2"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "⎡1  2⎤\n⎢    ⎥\n⎣3  4⎦"),
        ("Matrix([[1, 2], [3, 4]])", "⎡1  2⎤\n⎢    ⎥\n⎣3  4⎦"),
        ("ImmutableDenseMatrix([[x**2, 1/2]])", "⎡ 2     ⎤\n⎣x   1/2⎦"),
    ],
)
def test_fractions_roots_and_matrices_take_several_lines(answer: str, drawn: str) -> None:
    assert may_stack(answer)
    assert stacked(answer, 40, True) == drawn


def test_without_unicode_it_is_drawn_in_ascii() -> None:
    assert stacked(r"\frac{\pi}{4}", 40, False) == "pi\n--\n4"


@pytest.mark.parametrize(
    "answer",
    ["42", "1/2", r"\frac{1}{2}", "x = 1/2", "(1/2, 3)", "yes / no", r"\frac{3}{4}\text{ cm}", "Matrix([[[1]]])",
     "Matrix([[1, 2], [3]])", "Matrix([[__import__('os')]])", r"\frac{", "[["],
)  # fmt: skip
def test_what_is_one_line_or_no_expression_is_not_drawn(answer: str) -> None:
    assert stacked(answer, 40, True) == ""


def test_what_does_not_fit_is_not_drawn() -> None:
    answer = r"\frac{" + "+".join(f"x_{{{n}}}" for n in range(9)) + "}{\\pi}"
    assert stacked(answer, 100, True)
    assert stacked(answer, 10, True) == ""


def test_plain_answers_need_no_worker() -> None:
    assert not may_stack("42")
    assert not may_stack("/" * 3000)
