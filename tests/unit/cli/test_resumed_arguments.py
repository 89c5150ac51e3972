"""Which memory a resumed solve has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mathagent.budget import Budget
from mathagent.cli import resume
from mathagent.cli.resume import resumed_arguments
from mathagent.cli.solve import SolveArguments
from mathagent.errors import UsageError


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The spec of the one solve that there is."""
    spec = SimpleNamespace(
        solve_id="x1",
        sandbox="process",
        model="script:x",
        base_url=None,
        cache=True,
        memory="read",
        memory_path="",
        approve_code=False,
        review_plans=False,
    )
    stored = SimpleNamespace(stored=lambda name: SimpleNamespace(spec=spec))
    monkeypatch.setattr(resume, "Checkpoints", lambda folder: stored)
    return spec


def resumed(**given: Any) -> SolveArguments:
    nothing: dict[str, Any] = dict.fromkeys(("strategy", "model", "base_url", "seed"))
    return resumed_arguments(
        SolveArguments(
            problem="x1",
            file=None,
            budget=Budget(),
            config={},
            sandbox="process",
            cache=True,
            as_json=False,
            quiet=False,
            resume=True,
            **nothing,
            **given,
        )
    )


def test_a_resumed_solve_has_the_memory_mode_that_it_was_begun_with(begun: Any) -> None:
    assert resumed().memory_mode == "read"
    assert resumed(memory=Path("m.db")).memory == Path("m.db")
    begun.memory_path = "its.db"
    assert resumed().memory == Path("its.db")
    assert resumed(memory_mode="off").memory is None
    assert resumed(memory_mode="off").memory_mode == "off"
    begun.memory = "off"
    assert resumed().memory_mode == "off"
    assert resumed(memory=Path("m.db"), memory_mode="learn").memory_mode == "learn"
    with pytest.raises(UsageError, match="was begun without a memory; leave out --memory"):
        resumed(memory=Path("m.db"))
