"""Signatures: from annotations and docstring, or from a template and types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import Field

from mathagent.errors import UsageError
from mathagent.functions.signature import signature_of, signature_of_template


@dataclass
class Point:
    x: float
    y: float


def distance(a: Point, b: Point, scale: Annotated[float, Field(gt=0)] = 1.0) -> float:
    """The distance from {{a}} to {{b}}, times {{scale}}."""
    raise AssertionError("never run")


def test_of_a_function() -> None:
    signature = signature_of(distance)
    assert signature.name == "distance"
    assert signature.returns is float
    values = signature.bind(({"x": 0, "y": 0},), {"b": Point(3, 4)})
    assert values == {"a": Point(0, 0), "b": Point(3, 4), "scale": 1.0}
    assert signature.as_json(values) == {"a": {"x": 0, "y": 0}, "b": {"x": 3, "y": 4}, "scale": 1.0}


def test_wrong_calls() -> None:
    signature = signature_of(distance)
    with pytest.raises(TypeError, match=r"distance\(\): missing a required argument: 'b'"):
        signature.bind((Point(0, 0),), {})
    with pytest.raises(TypeError, match="unexpected keyword argument 'c'"):
        signature.bind((Point(0, 0), Point(1, 1)), {"c": 1})
    with pytest.raises(UsageError, match=r"argument scale of distance is wrong: Input should be greater than 0"):
        signature.bind((Point(0, 0), Point(1, 1), -1), {})
    with pytest.raises(UsageError, match=r"argument a of distance is wrong: y: "):
        signature.bind(({"x": 1}, Point(1, 1)), {})


def test_of_a_template() -> None:
    signature = signature_of_template(int, "{{x}} + {{y}} + {{x}}", {"y": date})
    assert list(signature.parameters) == ["x", "y"]
    assert signature.as_json(signature.bind((1, "2024-05-31"), {})) == {"x": 1, "y": "2024-05-31"}
    assert signature.name == "x_y_x"
    assert signature_of_template(int, "2 plus {{n}}").name == "f_2_plus_n"
    assert signature_of_template(int, "not").name == "f_not"
    assert signature_of_template(int, "∑").name == "function"


class NoData:
    """No type that pydantic knows."""


def undocumented(n: int) -> int:
    raise AssertionError("never run")


def untyped(n) -> int:  # type: ignore[no-untyped-def]
    """{{n}}"""


def unreturned(n: int):  # type: ignore[no-untyped-def]
    """{{n}}"""


def starred(*n: int) -> int:
    """All."""
    raise AssertionError("never run")


def other(n: int, m: int) -> int:
    """The double of {{n}}."""
    raise AssertionError("never run")


def misspelt(n: int) -> int:
    """The double of {{m}}."""
    raise AssertionError("never run")


def unknown(n: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
    """{{n}}"""


def of_calls(n: Callable[[], int]) -> int:
    """{{n}}"""
    raise AssertionError("never run")


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (undocumented, "needs a docstring that says what it returns"),
        (untyped, "parameter n needs a type"),
        (unreturned, "needs a return type"),
        (starred, "parameter n must be one that has a name"),
        (other, "{{m}} does not stand in it: it has only {{n}}"),
        (misspelt, "it has no value for {{m}}"),
        (unknown, "the types of unknown cannot be read: name 'Nowhere' is not defined"),
        (of_calls, "cannot be the type of parameter n"),
    ],
)
def test_functions_that_cannot_be(function: Callable[..., Any], problem: str) -> None:
    with pytest.raises(UsageError) as raised:
        signature_of(function)
    assert problem in str(raised.value)


def test_templates_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="types are given for b, which the template does not have"):
        signature_of_template(int, "{{a}}", {"b": int})
    with pytest.raises(UsageError, match="'my name' cannot be a function's name"):
        signature_of_template(int, "{{a}}", name="my name")
    with pytest.raises(UsageError, match="NoData cannot be the type of the answer"):
        signature_of_template(NoData, "{{a}}")
