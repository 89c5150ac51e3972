"""The table of strategies: grouped on a wide terminal, a line each elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from mathagent.console.strategies_view import show_strategies
from mathagent.strategies import STRATEGIES

ROWS = [(name, STRATEGIES.load(name)) for name in ("auto", "cot", "malt", "self-consistency")]


def shown(*, terminal: bool, width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None, no_color=not terminal)
    show_strategies(console, ROWS)
    return out.getvalue().splitlines()


def test_on_a_terminal_strategies_stand_under_their_kind() -> None:
    lines = [line.rstrip() for line in shown(terminal=True, width=100)]
    plain = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in lines]
    assert any("prompting" in line for line in plain)
    (malt,) = [line for line in plain if "  malt" in line]
    assert "9 calls" in malt
    assert "trained" in malt
    assert "2412.01928" in malt
    assert any("(the default)" in line for line in plain)


def test_elsewhere_each_is_one_line() -> None:
    for terminal, width in ((False, 80), (False, 300)):
        lines = shown(terminal=terminal, width=width)
        assert [line.split()[0] for line in lines] == [name for name, _ in ROWS]
        assert "prompting" in lines[1]
