"""mathagent: a math solver for people who care about right answers.

``solve_sync("…").answer`` is the shortest way in; ``await solve(…)`` and ``stream(…)`` are its async forms, and
``Solver`` keeps model, sandbox and cache open for many problems (docs/python-api.md). Names load when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mathagent._display import drawn_by

__version__ = "0.1.0"

_PUBLIC = {
    "Budget": "mathagent.budget",
    "MathagentError": "mathagent.errors",
    "Problem": "mathagent.types",
    "Solution": "mathagent.types",
    "SolveOutcome": "mathagent.agents.solve_many",
    "Solver": "mathagent.solver",
    "UsageError": "mathagent.errors",
    "ask": "mathagent.functions",
    "ask_async": "mathagent.functions",
    "define": "mathagent.functions",
    "solve": "mathagent.one_shot",
    "solve_sync": "mathagent.one_shot",
    "stream": "mathagent.one_shot",
}

__all__ = [
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
]

drawn_by["Solution"] = "mathagent.console.notebook"

if TYPE_CHECKING:
    from mathagent.agents.solve_many import SolveOutcome
    from mathagent.budget import Budget
    from mathagent.errors import MathagentError, UsageError
    from mathagent.functions import ask, ask_async, define
    from mathagent.one_shot import solve, solve_sync, stream
    from mathagent.solver import Solver
    from mathagent.types import Problem, Solution


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'mathagent' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
