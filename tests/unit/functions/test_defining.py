"""define: decorators and templates, and what cannot be defined."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from mathagent import define
from mathagent.errors import UsageError
from mathagent.functions import AsyncTypedFunction, Options, TypedFunction
from mathagent.models.scripted import ScriptedBackend
from mathagent.solver import Solver


@define
def double(n: int) -> int:
    """Twice {{n}}."""
    raise AssertionError("never run")


@define(examples=[({"n": 2}, 4)])
async def square(n: int) -> int:
    """The square of a number."""
    raise AssertionError("never run")


def test_a_typed_function_looks_like_its_function() -> None:
    assert isinstance(double, TypedFunction)
    assert (double.__name__, double.__doc__, double.__module__) == ("double", "Twice {{n}}.", __name__)
    assert str(inspect.signature(double)) == "(n: 'int') -> 'int'"
    assert repr(double) == "<typed function double(n: 'int') -> 'int'>"
    assert isinstance(square, AsyncTypedFunction)
    template = define(int, "{{a}} by {{b}}", name="product")
    assert template.__name__ == "product"
    assert str(inspect.signature(template)) == "(a, b)"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"examples": [({"m": 1}, 2)]}, "example 1 of f does not fit: f(): missing a required argument: 'n'"),
        (
            {"examples": [({"n": 1}, 2), ({"n": "one"}, 2)]},
            "example 2 of f does not fit: argument n of f is wrong",
        ),
        ({"tests": [({"n": 1}, "two")]}, "the output of test 1 of f is wrong"),
        ({"tests": [(1, 2)]}, "test 1 is no example"),
        ({"codable": True}, "f is codable, so it needs an example or a test"),
        ({"types": {"m": int}}, "types are given for m"),
    ],
)
def test_examples_that_do_not_fit(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as raised:
        define(int, "Twice {{n}}", **({"types": {"n": int}, "name": "f"} | options))
    assert problem in str(raised.value)


def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="is no function; decorate one"):
        define(int)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="types and name are for templates"):
        define(name="f")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="exampels"):
        define(int, "x", exampels=[])  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="double is not codable"):
        double.compile()
    with pytest.raises(TypeError, match="missing a required argument"):
        double()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"attempts": 0}, "0 attempts are too few"), ({"timeout_s": 0}, "a time limit of 0 s is too short")],
)
def test_options(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Options(**settings)


def test_a_model_or_a_solver() -> None:
    with (
        Solver(ScriptedBackend([]), cache=False) as solver,
        pytest.raises(UsageError, match="a model or a solver, not both"),
    ):
        Options(model="script:none", solver=solver)


def test_the_key_is_of_what_the_code_must_do() -> None:
    def made(text: str = "Twice {{n}}", n: Any = int, **options: Any) -> str:
        return define(int, text, types={"n": n}, name="f", **({"examples": [({"n": 1}, 2)]} | options)).key

    key = made()
    assert key == made(options=Options(model="openai:other", attempts=3))
    others = {
        made("Two times {{n}}"),
        made(n=float),
        made(examples=[({"n": 2}, 4)]),
        made(tests=[({"n": 2}, 4)]),
        made(examples=[], tests=[({"n": 1}, 2)]),
    }
    assert len(others | {key}) == 6
