"""Mathematics as people write it, read as SymPy's objects."""

from __future__ import annotations

import pytest
import sympy

from mathagent.answers.latex import tidy
from mathagent.tools.inside.reading import Reader
from mathagent.tools.inside.refusal import Unreadable


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("2x", "2*x"),
        ("x y", "x*y"),
        ("xy", "x*y"),
        ("abc + age", "abc + age"),
        ("x(x+1)", "x*(x + 1)"),
        ("(x+1)(x-2)", "(x + 1)*(x - 2)"),
        ("n(n+1)/2", "n*(n + 1)/2"),
        ("x^-1", "1/x"),
        ("2^3^2", "512"),
        ("x^{1/2}", "sqrt(x)"),
        ("x_1 + 2x_{2}", "x_1 + 2*x_2"),
        ("total_cost * 2", "2*total_cost"),
        ("1.5x", "Rational(3, 2)*x"),
        ("1.5e3", "1500"),
        ("2e", "2*E"),
        ("e^{-x}", "exp(-x)"),
        ("i^2", "-1"),
        ("||x| - 1|", "Abs(Abs(x) - 1)"),
        ("3! + 5!!", "21"),
        ("C(5, 2) + P(5, 2)", "30"),
        ("5 choose 2", "10"),
        ("3 mod 2", "1"),
        (r"5\%", "Rational(1, 20)"),
        (r"\frac12 x", "x/2"),
        (r"\left(\frac{x}{2}\right)^2", "x**2/4"),
        (r"\sqrt[3]{x^2+1}", "(x**2 + 1)**Rational(1, 3)"),
        (r"10 \div 4", "Rational(5, 2)"),
        (r"\alpha + \lambda", "alpha + lamda"),
        ("gamma + N + S + E", "gamma + N + S + exp(1)"),
        ("(-8)^(1/3)", "-2"),
        ("(-8)^(2/3)", "4"),
        ("log(8, 2)", "3"),
        ("log_2(8) + log10(100)", "5"),
        ("∞", "oo"),
        # functions without brackets take the next number and letters, no more
        ("sin 2x", "sin(2*x)"),
        ("2 sin x cos x", "2*sin(x)*cos(x)"),
        (r"\sin x \cos 2x", "sin(x)*cos(2*x)"),
        ("sinx + 1", "sin(x) + 1"),
        ("sqrt 2 * x", "sqrt(2)*x"),
        ("cos^2 x sin x", "cos(x)**2*sin(x)"),
        (r"\sin^{2}(x)", "sin(x)**2"),
        (r"\sin \pi/6", "Rational(1, 2)"),
        (r"\sin^{-1}(1)", "pi/2"),
        (r"\sin 30^\circ + \cos(60°)", "1"),
        (r"\ln x - \ln y", "log(x) - log(y)"),
        (r"\frac{\sin x}{x}", "sin(x)/x"),
    ],
)
def test_meaning(text: str, meaning: str) -> None:
    names = "x y n alpha lamda gamma N S abc age x_1 x_2 total_cost"
    real = {name: sympy.Symbol(name, real=True) for name in names.split()}
    found = Reader(domain="real").expression(tidy(text))
    assert sympy.simplify(found - sympy.sympify(meaning, locals=real)) == 0 or found == sympy.sympify(meaning)


def test_declared_names_are_variables_whatever_they_mean_else() -> None:
    found = Reader(["e", "xy", "pi"]).expression(tidy("e + xy + pi"))
    assert {symbol.name for symbol in found.free_symbols} == {"e", "xy", "pi"}


def test_without_a_domain_of_reals_roots_are_principal() -> None:
    assert Reader(domain="complex").expression(tidy("(-8)^(1/3)")) == 2 * (-1) ** sympy.Rational(1, 3)


@pytest.mark.parametrize(
    ("text", "relations"),
    [
        ("x = 1", ["Eq(x, 1)"]),
        ("x == y != 2", ["Eq(x, y)", "Ne(y, 2)"]),
        (r"1 < x \le 3", ["1 < x", "x <= 3"]),
        ("x^2 - 1", ["Eq(x**2 - 1, 0)"]),
    ],
)
def test_relations(text: str, relations: list[str]) -> None:
    assert [str(relation) for relation in Reader().relations(tidy(text))] == relations


@pytest.mark.parametrize(
    "text", ["sin", "x +", "(x", "x = 1", "[1, 2]", "x; y", "sin -x", "'x'", "x.real", "lambda x: x"]
)
def test_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        Reader().expression(tidy(text))
