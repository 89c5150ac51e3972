"""What the package exports, exactly."""

from __future__ import annotations

import mathagent


def test_every_public_name_loads() -> None:
    for name in mathagent.__all__:
        assert getattr(mathagent, name) is not None


def test_public_names_are_these() -> None:
    assert set(mathagent.__all__) == {
        "Budget",
        "MathagentError",
        "Problem",
        "Solution",
        "SolveOutcome",
        "Solver",
        "UsageError",
        "__version__",
        "ask",
        "ask_async",
        "define",
        "solve",
        "solve_sync",
        "stream",
    }
    assert dir(mathagent) == sorted(mathagent.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(mathagent, "no_such_name")
