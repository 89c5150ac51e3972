"""mathagent: a math solver for people who care about right answers.

``solve_sync("…").answer`` is the shortest way in; ``await solve(…)`` and ``stream(…)`` are its async forms, and
``Solver`` keeps model, sandbox and cache open for many problems. Names load when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Budget": "mathagent.budget",
    "MathagentError": "mathagent.errors",
    "Problem": "mathagent.types",
    "Solution": "mathagent.types",
    "Solver": "mathagent.solver",
    "UsageError": "mathagent.errors",
    "solve": "mathagent.one_shot",
    "solve_sync": "mathagent.one_shot",
    "stream": "mathagent.one_shot",
}

__all__ = [
    "Budget",
    "MathagentError",
    "Problem",
    "Solution",
    "Solver",
    "UsageError",
    "__version__",
    "solve",
    "solve_sync",
    "stream",
]

if TYPE_CHECKING:
    from mathagent.budget import Budget
    from mathagent.errors import MathagentError, UsageError
    from mathagent.one_shot import solve, solve_sync, stream
    from mathagent.solver import Solver
    from mathagent.types import Problem, Solution


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'mathagent' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
