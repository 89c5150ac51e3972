"""Queries in words become operations, or are not understood."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.tools.query_phrases import MAX_CHARACTERS, read_query


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("solve x^2-5x+6=0", {"operation": "solve", "expression": "x^2-5x+6=0"}),
        ("Solve the equation x + 1 = 3.", {"operation": "solve", "expression": "x + 1 = 3"}),
        ("solve a*x = b for x", {"operation": "solve", "expression": "a*x = b", "variable": "x"}),
        (
            "solve x+y=10 and x-y=2 for x, y",
            {"operation": "solve", "expression": "x+y=10 and x-y=2", "variable": "x, y"},
        ),
        ("solve 3x+5y=1 over the integers", {"operation": "solve", "expression": "3x+5y=1", "domain": "integer"}),
        (
            "roots of x^3-1 over the complex numbers",
            {"operation": "solve", "expression": "x^3-1", "domain": "complex"},
        ),
        ("x^2 = 4", {"operation": "solve", "expression": "x^2 = 4"}),
        ("derivative of x^3 sin x", {"operation": "differentiate", "expression": "x^3 sin x"}),
        (
            "d/dx x^2 at x=3",
            {"operation": "differentiate", "expression": "x^2", "variable": "x", "point": "3"},
        ),
        (
            "second derivative of t^4",
            {"operation": "differentiate", "expression": "t^4", "variable": "t, t"},
        ),
        ("integrate x^2 from 0 to 1", {"operation": "integrate", "expression": "x^2", "lower": "0", "upper": "1"}),
        ("integral of sin(x) dx", {"operation": "integrate", "expression": "sin(x)", "variable": "x"}),
        (
            "integrate x*y dx from 0 to 1",
            {"operation": "integrate", "expression": "x*y", "variable": "x", "lower": "0", "upper": "1"},
        ),
        (
            "limit of sin(x)/x as x -> 0",
            {"operation": "limit", "expression": "sin(x)/x", "variable": "x", "point": "0"},
        ),
        ("lim x->0 sin(x)/x", {"operation": "limit", "expression": "sin(x)/x", "variable": "x", "point": "0"}),
        (
            "sum of 1/n^2 from n=1 to infinity",
            {"operation": "sum", "expression": "1/n^2", "variable": "n", "lower": "1", "upper": "infinity"},
        ),
        (
            "product of k for k=1 to 5",
            {"operation": "product", "expression": "k", "variable": "k", "lower": "1", "upper": "5"},
        ),
        ("taylor series of e^x at x=0", {"operation": "series", "expression": "e^x", "point": "0"}),
        ("maximize x*(10-x)", {"operation": "maximize", "expression": "x*(10-x)"}),
        ("maximise xy subject to x+y=10", {"operation": "maximize", "expression": "xy; x+y=10"}),
        (
            "minimum of x^2-4x on [0, 5]",
            {"operation": "minimize", "expression": "x^2-4x", "lower": "0", "upper": "5"},
        ),
        ("gcd(12, 18)", {"operation": "gcd", "expression": "12, 18"}),
        ("What is the gcd of 12 and 18?", {"operation": "gcd", "expression": "12, 18"}),
        ("lcm of 4, 6 and 10", {"operation": "lcm", "expression": "4, 6, 10"}),
        ("factor 360", {"operation": "factor_integer", "expression": "360"}),
        ("factor x^2-1", {"operation": "factor", "expression": "x^2-1"}),
        ("is 97 prime?", {"operation": "is_prime", "expression": "97"}),
        ("3^100 mod 7", {"operation": "power_mod", "expression": "3, 100, 7"}),
        ("inverse of 3 mod 11", {"operation": "mod_inverse", "expression": "3, 11"}),
        ("eigenvalues {{1,2},{3,4}}", {"operation": "eigenvalues", "expression": "{{1,2},{3,4}}"}),
        ("determinant of the matrix {{1,2},{3,4}}", {"operation": "det", "expression": "{{1,2},{3,4}}"}),
        ("simplify (x^2-1)/(x-1)", {"operation": "simplify", "expression": "(x^2-1)/(x-1)"}),
        ("5!", {"operation": "evaluate", "expression": "5!"}),
        ("What is 20% of 80?", {"operation": "evaluate", "expression": "20% of 80"}),
        ("3/4 of 80", {"operation": "evaluate", "expression": "3/4 of 80"}),
        ("2 + sqrt(2)", {"operation": "evaluate", "expression": "2 + sqrt(2)"}),
    ],
)
def test_understood(query: str, fields: dict[str, Any]) -> None:
    request = read_query(query)
    assert request is not None
    said = {name: value for name, value in request.model_dump().items() if value}
    assert said == {"domain": "real", **fields}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?",
        "population of France",
        "who was Euler",
        "solve the mystery of life",
        "factorial of 5",
        "solve a triangle with sides 3, 4, 5",
        "area of a circle with radius 3",
        "integrate the function from before",
        "x" * (MAX_CHARACTERS + 1),
    ],
)
def test_not_understood(query: str) -> None:
    assert read_query(query) is None


WORDS = [
    "sum of",
    "from",
    "to",
    "x",
    "=",
    "as",
    "->",
    "for",
    "subject to",
    "solve",
    "integrate",
    "dx",
    "at",
    "[0, 1]",
    "mod",
    "3^2",
]


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=60).map(" ".join))
def test_any_text_is_read_quickly(query: str) -> None:
    started = time.perf_counter()
    request = read_query(query)
    assert time.perf_counter() - started < 1.0
    assert request is None or request.expression
