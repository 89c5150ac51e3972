"""Programs of models are brought to end in a value."""

from __future__ import annotations

import pytest

from mathagent.scorers.expressions import Unreadable
from mathagent.scorers.model_programs import condition, valued


@pytest.mark.parametrize(
    ("program", "ends"),
    [
        ("answer / 2 + 7", "answer / 2 + 7"),
        ("x = 3\nprint(x * 2)", "x = 3\nx * 2"),
        ("x = 3; print('it is', x)", "x = 3\nx"),
        ("x = 3", "x = 3\nx"),
        ("def solution():\n    return 4 * 2", "def solution():\n    return 4 * 2\nsolution()"),
        ("```python\nx = 3\nx + 1\n```", "x = 3\nx + 1"),
        ("```\nx + 1", "x + 1"),
    ],
)
def test_valued(program: str, ends: str) -> None:
    assert valued(program) == ends


@pytest.mark.parametrize("program", ["", "for i in range(3):\n    pass", "import math", "no python", "a.b = 1"])
def test_without_a_value_it_is_refused(program: str) -> None:
    with pytest.raises(Unreadable):
        valued(program)


def test_condition() -> None:
    assert condition("n % 7 == 3") == "def holds(n):\n    return n % 7 == 3"
    assert condition("def holds(n):\n    return n > 3").startswith("def holds(n):")
    assert condition("def good(k):\n    return k > 3").endswith("\nholds = good")
    for wrong in ("x % 7 == 3", "n % 7 = 3", "def holds(a, b):\n    return a > b", "True"):
        with pytest.raises(Unreadable):
            condition(wrong)
