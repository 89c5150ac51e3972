"""Game of 24: any expression that uses each number once and makes the target is right, and nothing else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.evals.datasets import load_dataset
from mathagent.evals.number_game import ANSWER_TYPE, evaluate, grade, solution
from mathagent.types import Problem


def game(*numbers: int, target: int = 24) -> Problem:
    return Problem(
        text="make it", reference=str(target), metadata={"answer_type": ANSWER_TYPE, "numbers": list(numbers)}
    )


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("(1 + 1 + 1) * 8", "correct"),
        ("(1+1+1)*8 = 24", "correct"),
        ("$(1+1+1)\\times 8$", "correct"),
        ("\\left(1 + 1 + 1\\right) \\cdot 8", "correct"),
        ("(1+1+1)×8", "correct"),
        ("(1+1+1)\\cdot 8", "correct"),  # as answers are normalised
        ("(1+1+1)(8)", "correct"),
        ("8 / (1/(1+1+1))", "incorrect"),  # four ones
        ("24", "incorrect"),
        ("1+1+1+8", "incorrect"),
        ("(1+1+1)*8+0", "incorrect"),
        ("8*3", "incorrect"),
        ("8/(1-1)", "incorrect"),
        ("11+1+8", "incorrect"),
        ("2**3*(1+1+1)", "incorrect"),
        ("__import__('os').getcwd()", "incorrect"),
        ("8*" * 500 + "1", "incorrect"),
        ("(" * 150 + "1", "incorrect"),
        ("I do not know", "incorrect"),
    ],
)
def test_grade(answer: str, outcome: str) -> None:
    assert grade(answer, game(1, 1, 1, 8))[0] == outcome


def test_exact_fractions_count() -> None:
    assert grade("8/(3-8/3)", game(3, 3, 8, 8))[0] == "correct"
    assert grade("\\frac{8}{3-\\frac{8}{3}}", game(3, 3, 8, 8))[0] == "correct"


@given(st.lists(st.integers(1, 13), min_size=4, max_size=4))
def test_a_solution_that_is_found_is_graded_right(numbers: list[int]) -> None:
    found = solution(numbers, 24)
    if found is not None:
        assert grade(found, game(*numbers))[0] == "correct"
        value, used = evaluate(found, 24)
        assert value == Fraction(24)
        assert sorted(used) == sorted(numbers)


def test_no_solution() -> None:
    assert solution([1, 1, 1, 1], 24) is None  # at most 4 can be made


def test_every_local_game_can_be_won(shared_data: Path) -> None:
    for problem in load_dataset("game24", data_dir=shared_data).problems[::20]:
        found = solution(problem.metadata["numbers"], 24)  # type: ignore[arg-type]
        assert found is not None
        assert grade(found, problem)[0] == "correct"
        assert grade("24", problem)[0] == "incorrect"
