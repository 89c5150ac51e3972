"""Programs and words made short enough to be shown again."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.memory.exemplar_text import tidy_program, tidy_reasoning

PROBLEM = "Sam has 3 boxes of 6 eggs each and eats 2 eggs. How many eggs are left?"


@pytest.mark.parametrize(
    ("program", "tidied"),
    [
        ('"""Sam."""\n\n\n\nx = 1\n\n\ny = 2\n', "x = 1\n\ny = 2"),
        ('def f():\n    """Sam.\n\n    More.\n    """\n    return 1', "def f():\n    return 1"),
        ('def f():\n    """Sam."""', 'def f():\n    """Sam."""'),  # the body is nothing else
        ('def f(): "Sam"; return 1', 'def f(): "Sam"; return 1'),
        ("# Sam has 3 boxes of six eggs each, and eats 2 eggs\nx = 16", "x = 16"),
        ("x = 16  # sam has 3 boxes of 6 eggs each", "x = 16"),
        ("x = 16  # 3 boxes of 6", "x = 16  # 3 boxes of 6"),  # too short to be a copy
        ("x = 18 - 2  # those eaten are gone", "x = 18 - 2  # those eaten are gone"),
        ("x = 1\nassert x == 1\n", "x = 1"),
        ("def f():\n    assert True\n    return 1", "def f():\n    assert True\n    return 1"),
        ("x = 1\nassert (x ==\n        1)", "x = 1\nassert (x ==\n        1)"),
        ("assert True", "assert True"),
        ('x = """\n# Sam has 3 boxes of 6 eggs each\n"""', 'x = """\n# Sam has 3 boxes of 6 eggs each\n"""'),
        ("  no Python (  ", "no Python ("),
        ("", ""),
    ],
)
def test_programs(program: str, tidied: str) -> None:
    assert tidy_program(program, PROBLEM) == tidied


@given(
    st.lists(st.sampled_from(["x = 1", "# a", '"""d"""', "def f():", "    return 2", "    # b", "", "assert x"]))
)
def test_python_stays_python(lines: list[str]) -> None:
    program = textwrap.dedent("\n".join(lines)).strip()
    tidied = tidy_program(program, PROBLEM)
    if parses(program):
        assert parses(tidied)
        assert len(tidied) <= len(program)
    else:
        assert tidied == program


def parses(program: str) -> bool:
    try:
        ast.parse(program)
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize(
    ("reasoning", "tidied"),
    [
        ("Sure! Here is the solution:\n\n3 * 6 = 18.", "3 * 6 = 18."),
        ("Let's think step by step.\n3 * 6 = 18.\n\n\n18 - 2 = 16.", "3 * 6 = 18.\n18 - 2 = 16."),
        ("To solve this problem, we need to multiply: 3 * 6 = 18.", "3 * 6 = 18."),
        (f"{PROBLEM}\n\n3 * 6 = 18.", "3 * 6 = 18."),
        ("Sam has 3 boxes of 6 eggs each and eats 2. How many are left?\n\n3 * 6 = 18.", "3 * 6 = 18."),
        (PROBLEM, PROBLEM),  # nothing would be left
        ("Surely 3 * 6 is 18.", "Surely 3 * 6 is 18."),
        ("The boxes hold 3 * 6 = 18 eggs.", "The boxes hold 3 * 6 = 18 eggs."),
        ("", ""),
    ],
)
def test_words(reasoning: str, tidied: str) -> None:
    assert tidy_reasoning(reasoning, PROBLEM) == tidied
