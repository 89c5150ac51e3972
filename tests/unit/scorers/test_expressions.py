"""Mathematics as text becomes exact Python, and nothing but mathematics does."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.scorers.expressions import Unreadable, read_equation, read_expression


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("x**2 + 3*x*y", "x ** 2 + 3 * x * y"),
        ("3*apples + 2", "3 * apples + 2"),
        ("total_cost - cost2*3", "total_cost - cost2 * 3"),
        ("x_1 + x_2", "x_1 + x_2"),
        ("2(x+1)", "2 * (x + 1)"),
        ("1/2 + 2**-1", "sympy.S(1) / 2 + sympy.S(2) ** (-1)"),
        ("0.5x", "sympy.Rational('0.5') * x"),
        ("1,000", "1000"),
        ("(n+1)!/2", "sympy.factorial(n + 1) / 2"),
        ("\\binom{n}{2}", "sympy.binomial(n, 2)"),
        ("5\\sqrt[3]{2}", "5 * sympy.root(2, 3)"),
        ("\\sin 2x + \\ln 2", "sympy.sin(2 * x) + sympy.log(2)"),
        ("2\\pi r", "2 * sympy.pi * r"),
        ("diff(x**3, x)", "sympy.diff(x ** 3, x)"),
        ("integrate(sin(x), (x, 0, 1))", "sympy.integrate(sympy.sin(x), (x, 0, 1))"),
        ("x³ + ½", "x ** 3 + sympy.S(1) / 2"),
        ("I - P*r*t", "I - P * r * t"),
        ("lambda + 1", "lambda_ + 1"),
        ("equations + answer", "equations_ + answer_"),
    ],
)
def test_what_models_write(text: str, source: str) -> None:
    assert read_expression(text).source == source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("2xy", "2 * x * y"),
        ("3+4i", "3 + 4 * sympy.I"),
        ("\\frac{\\sqrt{3}}{2}", "sympy.sqrt(3) / 2"),
        ("2^{n+1}-1", "sympy.S(2) ** (n + 1) - 1"),
    ],
)
def test_what_answers_look_like(text: str, source: str) -> None:
    assert read_expression(text, letters=True).source == source


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x)+(1",
        "x.y",
        "[1, 2]",
        "__import__('os').system('id')",
        "print(1)",
        "'text'",
        "x if y else z",
        "lambda: 1",
        "x == 1",
        "f(x=1)",
        "sin",
        "!",
        "(" * 500 + "x",
        "{" * 240 + "x" + "}" * 240,
        "isprime(x)",
        "f(2)",
        "the number of boys",
        "x + " * 200 + "x",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_expression(text)


def test_words_are_no_answer_of_mathematics() -> None:
    with pytest.raises(Unreadable, match="word"):
        read_expression("Tuesday", letters=True)


@given(st.text(alphabet=st.sampled_from("xyanswer 0123456789.+-*/^(){}[]\\_!%=,'\"|fracsqrt\n"), max_size=40))
def test_only_arithmetic_comes_through(text: str) -> None:
    try:
        source = read_expression(text).source
    except Unreadable:
        return
    for node in ast.walk(ast.parse(source, mode="eval")):
        assert not isinstance(node, ast.Attribute) or (
            isinstance(node.value, ast.Name) and node.value.id == "sympy"
        )
        assert not isinstance(node, (ast.Lambda, ast.Subscript, ast.Starred, ast.keyword, ast.NamedExpr))


def test_equations() -> None:
    [(left, right)] = read_equation("x + y == 10")
    assert (left.source, right.source) == ("x + y", "10")
    assert left.names == {"x", "y"}
    assert len(read_equation("a = b = 3")) == 2
    for wrong in ("x + 1", "x <= 3", "x ≠ 3", "x != 3", "x \\leq 3"):
        with pytest.raises(Unreadable):
            read_equation(wrong)
