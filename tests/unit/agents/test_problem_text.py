"""Problems on their way in: what is no problem is refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.problem_text import as_problem, is_text
from mathagent.errors import UsageError
from mathagent.types import Problem


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (" \n", "empty"),
        ("x" * 100_001, "100,001 characters"),
        ("a\x00b", "NUL"),
        ("\ud800 1+1", "not UTF-8 text"),
        (Problem(text="1+1", choices=("2", "\udc00")), "not UTF-8 text"),
        (Problem(text="1+1", language="\udc00"), "not UTF-8 text"),
        (5, "type int"),
        (float("nan"), "type float"),
        ({"text": "1+1"}, "type dict"),
    ],
)
def test_what_is_no_problem_is_refused_with_the_reason(problem: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        as_problem(problem)


@given(st.text(st.characters(exclude_categories=[]), max_size=20))
def test_whatever_is_let_in_can_be_written_down(text: str) -> None:
    try:
        problem = as_problem(text)
    except UsageError:
        assert not text.strip() or "\x00" in text or not is_text(text)
    else:
        assert Problem.model_validate_json(problem.model_dump_json()) == problem
