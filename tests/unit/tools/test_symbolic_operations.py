"""What the symbolic tool computes and says, beside its walls: integration tests run it inside of them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.answers.latex import tidy
from mathagent.tools.inside import functions, operations
from mathagent.tools.inside.refusal import Unreadable
from mathagent.tools.symbolic import _ON_EXPRESSIONS, Operation, parts_of

INTEGERS = st.integers(-12, 12)
POSITIVE = st.integers(1, 400)


def computed(operation: str, expression: str, **fields: Any) -> str:
    """The operation's text, from the texts as the tool hands them over."""
    names = fields.pop("variable", "")
    request = {
        "operation": operation,
        "parts": parts_of(expression, numbers=operation not in _ON_EXPRESSIONS),
        "variables": [name.strip() for name in names.split(",") if name.strip()],
        "domain": fields.pop("domain", "real"),
        "lower": "",
        "upper": "",
        "point": "",
        **{name: tidy(text) for name, text in fields.items()},
    }
    return operations.answer(request)


def test_the_tool_offers_what_there_is() -> None:
    assert set(get_args(Operation)) == set(operations.OPERATIONS)
    assert set(operations.OPERATIONS) - _ON_EXPRESSIONS == set(functions.OPERATIONS)


@pytest.mark.parametrize(
    ("expression", "fields", "text"),
    [
        ("x^2 - 5x + 6 = 0", {}, "x = 2\nx = 3"),
        ("x^2 - 5x + 6", {}, "x = 2\nx = 3"),
        (r"\frac{x}{2} + 1 = 4", {}, "x = 6"),
        ("x^2 = 2", {"domain": "positive"}, "x = sqrt(2) (about 1.41421356237)"),
        ("2x = 3", {}, "x = 3/2 (1.5)"),
        ("3x = 1", {}, "x = 1/3 (about 0.333333333333)"),
        ("x^2 + 1 = 0", {}, "no real solution"),
        ("x^2 + 1 = 0", {"domain": "complex"}, "x = -I\nx = I"),
        ("2x = 3", {"domain": "integer"}, "no whole-number solution"),
        ("x + y = 10, x - y = 2", {}, "x = 6, y = 4"),
        ("xy = 6; x + y = 5", {}, "x = 2, y = 3\nx = 3, y = 2"),
        ("x^2 + y^2 = 25 and x + y = 7", {"domain": "positive"}, "x = 3, y = 4\nx = 4, y = 3"),
        ("x + y = 1; x + y = 2", {}, "no real solution"),
        ("apples = 3 pears; apples + pears = 8", {}, "apples = 6, pears = 2"),
        ("a*x + b = 0", {"variable": "x"}, "x = -b/a"),
        ("e^x = 5", {}, "x = log(5) (about 1.60943791243)"),
        ("e^2 = 9", {"variable": "e"}, "e = -3\ne = 3"),
        ("sin(x) = 1", {}, "x: {2*n*pi + pi/2 for every whole number n}"),
        ("3x + 5y = 1", {"domain": "integer"}, "x = 5*t_0 + 2, y = -3*t_0 - 1"),
        ("x^2 < 9", {"domain": "integer"}, "x: {-2, -1, 0, 1, 2} (5 numbers)"),
        ("x^2 >= 9", {}, "x: (-oo, -3] or [3, oo)"),
        ("|x - 3| < 5", {}, "x: (-2, 8)"),
        ("1 < 2x + 1 < 7", {}, "x: (0, 3)"),
        ("x > 3; x < 5", {}, "x: (3, 5)"),
        ("ln(x) + ln(x - 3) = ln(4)", {}, "x = 4"),
        ("x^4 + x + 1 = 0", {}, "no real solution"),
        ("x^5 - x - 1 = 0", {}, "x = about 1.16730397826"),
        ("x^3 - 3x + 1 = 0", {"domain": "positive"}, "x = about 0.347296355334\nx = about 1.53208888624"),
        ("cos(x) = x", {}, "x is about 0.739085133215 (found numerically; there may be more solutions)"),
        ("3^x + 4^x = 5^x", {}, "x is about 2.00000000000 (found numerically; there may be more solutions)"),
        ("x^2 - y^2 = 3", {"domain": "integer"}, "x = -2, y = -1\nx = -2, y = 1\nx = 2, y = -1\nx = 2, y = 1"),
        ("2 = 2", {}, "true for all values: there is no unknown in it"),
        ("2 = 3", {}, "no solution: it is false"),
        ("2(x + 3) = 2x + 6", {}, "true for all values of x"),
        ("(x + 1)^2 = x^2 + 2x + 1", {"domain": "integer"}, "true for all values of x"),
        ("x + y = y + x", {}, "true for all values of x, y"),
        ("x + 1 = x", {}, "no real solution"),
        ("20% of x = 16", {}, "x = 80"),
        ("x^3 = a", {"variable": "x"}, "x = a**(1/3)\n(2 more with i in them)"),
        ("x^3 = y^3", {}, "x = y\n(2 more with i in them)"),
        ("x^2 + a = 0", {"variable": "x", "domain": "complex"}, "x = -sqrt(-a)\nx = sqrt(-a)"),
        ("x^2 + y^2 = 0", {"domain": "complex"}, "x = -I*y\nx = I*y"),
    ],
)
def test_solve(expression: str, fields: dict[str, str], text: str) -> None:
    assert computed("solve", expression, **fields) == text


@pytest.mark.parametrize(
    ("operation", "expression", "fields", "text"),
    [
        ("simplify", "(x^2-1)/(x-1)", {}, "x + 1"),
        ("simplify", "sqrt(x^2)", {}, "Abs(x)"),
        ("expand", "(x+1)^3", {}, "x**3 + 3*x**2 + 3*x + 1"),
        ("factor", "x^4 - 1", {}, "(x - 1)*(x + 1)*(x**2 + 1)"),
        ("partial_fractions", "1/(x^2-1)", {}, "-1/(2*(x + 1)) + 1/(2*(x - 1))"),
        ("evaluate", "1,000 * 3", {}, "3000"),
        ("evaluate", "10!/8!", {}, "90"),
        ("evaluate", "50% * 80", {}, "40"),
        ("evaluate", "2^10 mod 7", {}, "2"),
        ("evaluate", "20% of 80", {}, "16"),
        ("evaluate", "50% of 3/4 of 80", {}, "30"),
        ("evaluate", "3 1/2 + 2 1/4", {}, "23/4 (5.75)"),
        ("evaluate", r"-3\frac{1}{2}", {}, "-7/2 (-3.5)"),
        ("evaluate", r"2\frac{4}{2}", {}, "4"),
        ("evaluate", "2^3 1/2", {}, "4"),
        ("expand", r"2\frac{x}{3}", {}, "2*x/3"),
        ("evaluate", "0.1 + 0.2", {}, "3/10 (0.3)"),
        ("evaluate", r"\log_2 8 + \binom{5}{2}", {}, "13"),
        ("evaluate", r"\lfloor 7/2 \rfloor", {}, "3"),
        ("evaluate", "√8", {}, "2*sqrt(2) (about 2.82842712475)"),
        ("evaluate", "gcd(12, 180) + binomial(10, 3)/2", {}, "72"),
        ("differentiate", "x^3 sin x", {}, "x**2*(x*cos(x) + 3*sin(x))"),
        ("differentiate", "x^4", {"variable": "x, x"}, "12*x**2"),
        ("differentiate", "x^2", {"point": "3"}, "6"),
        ("integrate", "x^2", {}, "x**3/3 + C"),
        ("integrate", "x sin(x)", {"lower": "0", "upper": "pi"}, "pi (about 3.14159265359)"),
        ("integrate", "e^(-x^2)", {"lower": "-oo", "upper": "infinity"}, "sqrt(pi) (about 1.77245385091)"),
        ("sum", "1/n^2", {"lower": "1", "upper": r"\infty"}, "pi**2/6 (about 1.64493406685)"),
        ("sum", "i^2", {"variable": "i", "lower": "1", "upper": "10"}, "385"),
        ("product", "k", {"lower": "1", "upper": "5"}, "120"),
        ("product", "k", {"lower": "3", "upper": "1"}, "1: there is nothing from 3 to 1"),
        ("sum", "k^2", {"lower": "5", "upper": "3"}, "0: there is nothing from 5 to 3"),
        ("limit", "sin(x)/x", {"point": "0"}, "1"),
        ("limit", "1/x", {"point": "0"}, "no limit: -oo from the left, oo from the right"),
        ("limit", "(1+1/n)^n", {"point": "oo"}, "E (about 2.71828182846)"),
        ("series", "e^x", {}, "1 + x + x**2/2 + x**3/6 + x**4/24 + x**5/120 + O(x**6)"),
        ("maximize", "x(10 - x)", {}, "largest value 25, at x: {5}"),
        ("maximize", "x^2", {}, "no largest value: it is unbounded"),
        ("minimize", "x^2 - 4x", {"lower": "3", "upper": "5"}, "smallest value -3, at x: {3}"),
        ("maximize", "1/(1+x^2)", {"lower": "1", "upper": "oo"}, "largest value 1/2 (0.5), at x: {1}"),
        (
            "maximize",
            "x y; x + y = 10",
            {},
            "largest value at critical points: 25 at x = 5, y = 5 (edges and unbounded directions are not checked)",
        ),
        (
            "minimize",
            "x + y; x y = 16",
            {},
            "no smallest value was found: it is smaller at x = -2, y = -8 than at every critical point",
        ),
        (
            "minimize",
            "x + y; x y = 16",
            {"domain": "positive"},
            "smallest value at critical points: 8 at x = 4, y = 4 (edges and unbounded directions are not checked)",
        ),
        ("minimize", "x + 1/x", {"domain": "positive"}, "smallest value 2, at x: {1}"),
        (
            "minimize",
            "x^2",
            {"domain": "positive"},
            "smallest value 0, which it comes near but does not take",
        ),
        ("limit", "sin(1/x)", {"point": "0"}, "no limit: it keeps moving between -1 and 1"),
        ("factor", "360", {}, "2^3 * 3^2 * 5"),
        ("gcd", "x^2 - 1, x - 1", {}, "x - 1"),
        ("chinese_remainder", "[2, 3, 2], [3, 5, 7]", {}, "23"),
        ("factor_integer", "360", {}, "2^3 * 3^2 * 5"),
        ("is_prime", "91", {}, "no"),
        ("nth_prime", "100", {}, "541"),
        ("prime_count", "100", {}, "25"),
        ("totient", "36", {}, "12"),
        ("divisor_sum", "36", {}, "91"),
        ("multiplicative_order", "2, 7", {}, "3"),
        ("power_mod", "2, 100, 7", {}, "2"),
        ("permutations", "5, 2", {}, "20"),
        ("permutations", "5", {}, "120"),
        ("derangements", "5", {}, "44"),
        ("partitions", "10", {}, "42"),
        ("stirling1", "5, 2", {}, "50"),
        ("stirling2", "5, 2", {}, "15"),
        ("catalan", "5", {}, "42"),
        ("bell", "5", {}, "52"),
        ("fibonacci", "50", {}, "12586269025"),
        ("det", "{{1,2},{3,4}}", {}, "-2"),
        ("det", r"\begin{pmatrix}1 & 2\\ 3 & x\end{pmatrix}", {}, "x - 6"),
        ("inverse", "[[1,2],[3,4]]", {}, "[[-2, 1], [3/2, -1/2]]"),
        ("rank", "[[1,2],[2,4]]", {}, "1"),
        ("nullspace", "[[1,2],[2,4]]", {}, "[[-2, 1]]"),
        ("charpoly", "[[1,2],[3,4]]", {}, "lambda**2 - 5*lambda - 2"),
        ("eigenvalues", "[[2,0],[0,3]]", {}, "[2, 3]"),
        ("eigenvectors", "[[2,0],[0,3]]", {}, "[[2, [[1, 0]]], [3, [[0, 1]]]]"),
        ("linear_solve", "[[1,2],[3,4]], [5,6]", {}, "[-4, 9/2 (4.5)]"),
    ],
)
def test_operations(operation: str, expression: str, fields: dict[str, str], text: str) -> None:
    assert computed(operation, expression, **fields) == text


@pytest.mark.parametrize(
    ("operation", "expression", "fields", "problem"),
    [
        ("evaluate", "", {}, "an expression is empty"),
        ("evaluate", "x = 3", {}, "is an equation or inequality"),
        ("evaluate", "f(3)", {}, "the function f is not known"),
        ("evaluate", "foo(3)", {}, "the function foo is not known"),
        ("evaluate", "1/0", {}, "divides by zero"),
        ("evaluate", "2 +* 3", {}, "cannot be read"),
        ("evaluate", "x; y", {}, "give one expression, not 2"),
        ("evaluate", "x.__class__", {}, "cannot be read"),
        ("evaluate", "__import__('os').getpid()", {}, "cannot be read"),
        ("evaluate", "open(3)", {}, "the function open is not known"),
        ("evaluate", "[i for i in [1]]", {}, "cannot be read"),
        ("integrate", "x*y", {}, "say which variable is meant (variables: x, y)"),
        ("integrate", "x", {"lower": "0"}, "'upper' is missing"),
        ("limit", "1/x", {}, "'point' is missing"),
        ("mod_inverse", "2, 4", {}, "2 has no inverse modulo 4"),
        ("inverse", "[[1,2],[2,4]]", {}, "the matrix has no inverse"),
        ("det", "[[1,2],[3]]", {}, "the rows of a matrix must have the same length"),
        ("det", "[[1,2,3],[4,5,6]]", {}, "it must be square"),
        ("is_prime", "3, 4", {}, "is_prime does not take these 2 arguments"),
        ("chinese_remainder", "2, 3", {}, "give as many residues as moduli"),
        ("integrate", "1/x", {"lower": "-1", "upper": "1"}, "does not converge"),
        ("maximize", "x*(9-x)", {"domain": "integer"}, "use the tool z3"),
        ("maximize", "x*y; x + y = 10", {"lower": "0", "upper": "3"}, "lower and upper are for one variable"),
        ("maximize", "x*y", {"lower": "0"}, "lower and upper are for one variable"),
        ("det", "7", {}, "a matrix is written [[1, 2], [3, 4]]"),
        ("totient", "x", {}, "x is not a whole number"),
        ("chinese_remainder", "[1, 2], [4, 2]", {}, "no number has these residues"),
        ("linear_solve", "[[1,1],[1,1]], [1,2]", {}, "the system has no solution"),
        ("solve", "gcd(x, 12) = 4", {}, "x is not a whole number"),
        ("solve", "x + y > 3", {}, "use the tool z3"),
        ("solve", "x^2 + y^2 = 0", {}, "all solutions that were found have i in them"),
        ("solve", "x = 3", {"variable": "x+1"}, "is not the name of a variable"),
        ("gcd", "", {}, "an expression is empty"),
    ],
)
def test_wrong_input_is_told(operation: str, expression: str, fields: dict[str, str], problem: str) -> None:
    with pytest.raises(Unreadable) as refused:
        computed(operation, expression, **fields)
    assert problem in str(refused.value)


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=4))
def test_gcd_and_lcm_are_those_of_python(numbers: list[int]) -> None:
    listed = ", ".join(map(str, numbers))
    assert computed("gcd", listed) == str(math.gcd(*numbers))
    assert computed("lcm", listed) == str(math.lcm(*numbers))


@given(INTEGERS, INTEGERS)
@settings(deadline=None, max_examples=25)
def test_roots_of_a_product_are_found(a: int, b: int) -> None:
    expected = "\n".join(f"x = {root}" for root in sorted({a, b}))
    assert computed("solve", f"(x - ({a}))(x - ({b})) = 0", domain="integer") == expected
    assert computed("solve", f"x^2 - ({a + b})x + ({a * b})") == expected


@given(st.lists(INTEGERS, min_size=1, max_size=4), INTEGERS, INTEGERS)
@settings(deadline=None, max_examples=30)
def test_integrals_of_polynomials(coefficients: list[int], lower: int, upper: int) -> None:
    polynomial = " + ".join(f"({c})*x^{power}" for power, c in enumerate(coefficients))
    exact = sum(
        Fraction(c, power + 1) * (Fraction(upper) ** (power + 1) - Fraction(lower) ** (power + 1))
        for power, c in enumerate(coefficients)
    )
    text = computed("integrate", polynomial, variable="x", lower=str(lower), upper=str(upper))
    assert text.split(" ")[0] == str(exact)


@given(POSITIVE, POSITIVE)
def test_modular_inverse(number: int, modulus: int) -> None:
    if math.gcd(number, modulus) == 1 and modulus > 1:
        assert int(computed("mod_inverse", f"{number}, {modulus}")) * number % modulus == 1
    elif modulus > 1:
        with pytest.raises(Unreadable, match="has no inverse"):
            computed("mod_inverse", f"{number}, {modulus}")


@given(
    st.text(alphabet="0123456789xyzenf+-(),.[]{}=<>|%_ \\'\"", max_size=14),
    st.sampled_from(["evaluate", "gcd", "det"]),
)
@settings(deadline=None)
def test_any_text_gives_a_result_or_says_what_is_wrong(text: str, operation: str) -> None:
    try:
        found = computed(operation, text)
    except Unreadable as refused:
        found = str(refused)
    assert found.strip()
